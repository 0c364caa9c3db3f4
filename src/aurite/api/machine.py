"""Facts about this machine and its processes: of Linux from ``/proc``, elsewhere what the standard library knows."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class _Process:
    """One process as ``/proc/PID/stat`` tells it; source: proc(5)."""

    pid: int
    parent: int
    name: str
    state: str
    cpu_seconds: float
    started: float
    """Seconds since 1970 UTC."""
    memory: int
    """Resident bytes."""


_STATES = {"R": "running", "S": "sleeping", "D": "disk-sleep", "Z": "zombie", "T": "stopped", "t": "tracing-stop", "I": "idle"}


def system_info() -> dict[str, Any]:
    """Platform, Python and machine."""
    names = os.uname()
    return {
        "platform": platform.system(),
        "platform_version": platform.version(),
        "python_version": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "hostname": socket.gethostname(),
        "cpu_count": os.cpu_count() or 1,
        "architecture": platform.machine(),
        "os_details": {"system": names.sysname, "release": names.release, "version": names.version, "machine": names.machine},
    }


def load(folder: Path) -> dict[str, Any]:
    """How busy machine and process are; ``folder`` says which disk."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    disk = shutil.disk_usage(folder)
    return {
        "timestamp": datetime.now(UTC).isoformat(),
        "cpu_percent": _cpu_percent(),
        "memory_usage": _memory(),
        "disk_usage": {
            "total": disk.total,
            "used": disk.used,
            "free": disk.free,
            "percent": round(100 * disk.used / disk.total, 1) if disk.total else 0.0,
        },
        "process_info": {
            "pid": os.getpid(),
            "memory_rss": resident_bytes(),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
            "num_threads": _threads(),
        },
        "python_info": {"version": platform.python_version(), "executable": sys.executable},
    }


def resident_bytes() -> int:
    """Memory that this process has in use; where that is not told, the most it ever had."""
    try:
        return int((_PROC / "self" / "statm").read_text().split()[1]) * _PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def family() -> list[dict[str, Any]]:
    """This process, the one that started it where that is one of ours, and the processes below them."""
    processes = {process.pid: process for process in _all()}
    own = processes.get(os.getpid())
    if own is None:
        return [_alone()]
    top = own.parent if _is_ours(own.parent) else own.pid
    chosen, waiting = [], [top]
    while waiting:
        pid = waiting.pop()
        if pid in processes:
            chosen.append(processes[pid])
            waiting += [process.pid for process in processes.values() if process.parent == pid]
    total = _memory().get("total") or 1
    return [
        {
            "name": process.name,
            "pid": process.pid,
            "status": _STATES.get(process.state, "unknown"),
            "cpu_percent": round(100 * process.cpu_seconds / max(0.01, time.time() - process.started), 1),
            "memory_percent": round(100 * process.memory / total, 2),
            "create_time": datetime.fromtimestamp(process.started, UTC).isoformat(),
            "cmdline": _command(process.pid),
        }
        for process in sorted(chosen, key=lambda process: process.pid)
    ]


def _all() -> Iterator[_Process]:
    try:
        boot = next(int(line.split()[1]) for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime"))
        entries = [entry for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names are enough
    except (OSError, StopIteration):
        return
    for entry in entries:
        try:
            head, _, tail = (_PROC / entry / "stat").read_text(errors="replace").rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        facts = tail.split()
        yield _Process(
            pid=int(entry),
            parent=int(facts[1]),
            name=head.partition("(")[2],
            state=facts[0],
            cpu_seconds=(int(facts[11]) + int(facts[12])) / _TICKS,
            started=boot + int(facts[19]) / _TICKS,
            memory=int(facts[21]) * _PAGE,
        )


def _is_ours(pid: int) -> bool:
    return any("aurite" in word for word in _command(pid)[:3])


def _command(pid: int) -> list[str]:
    """Program and Python file or module; further arguments may hold anything."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    words = [word.decode("utf-8", "backslashreplace") for word in raw.rstrip(b"\0").split(b"\0")]
    if words[1:2] == ["-m"]:
        return words[:3]
    return words[:2] if words[1:] and words[1].endswith((".py", "/aurite")) else words[:1]


def _alone() -> dict[str, Any]:
    return {
        "name": "aurite",
        "pid": os.getpid(),
        "status": "running",
        "cpu_percent": 0.0,
        "memory_percent": 0.0,
        "create_time": datetime.now(UTC).isoformat(),
        "cmdline": sys.argv[:1],
    }


def _memory() -> dict[str, Any]:
    try:
        lines = dict(line.split(":", 1) for line in (_PROC / "meminfo").read_text().splitlines())
        total, available = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        total = os.sysconf("SC_PHYS_PAGES") * _PAGE
        return {"total": total, "available": None, "used": None, "percent": None}
    used = total - available
    return {"total": total, "available": available, "used": used, "percent": round(100 * used / total, 1)}


def _cpu_percent() -> float:
    """The load of the last minute in percent of all processors."""
    return round(100 * os.getloadavg()[0] / (os.cpu_count() or 1), 1)


def _threads() -> int:
    import threading

    return threading.active_count()
