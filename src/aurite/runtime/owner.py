"""Which process a run belongs to, and whether that process is still there: so a crash is told from work in progress."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path

from aurite.model.records import Run

LONGEST_ELSEWHERE = 24 * 60 * 60 * 1_000_000
"""Microseconds after which a run of another machine counts as abandoned: nobody here can see whether its process is there. Should
it still be carried on after a day, its own end overwrites that."""


def this_process() -> str:
    """``host:pid:start`` of this process; see :func:`is_abandoned` for what ``start`` is."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid()) or _first_asked()}"


def is_abandoned(run: Run) -> bool:
    """Whether nobody carries on a run that has not ended.

    On this host a process is known by its id together with its start, which is given again to no other: ticks since the boot, and
    which boot and which group of process ids (container) that was. A run of an earlier boot is abandoned. A run of another host or
    container, or of nobody known, is after a day.
    """
    host, pid, start = _parts(run.owner)
    if host == _host() and pid is not None:
        boot, group = _boot()
        its_boot, _, its_group = start.partition("@")[2].partition(".")
        if not boot:
            return not _is_there(pid)
        if its_boot and its_boot != boot:
            return True
        if its_group == group:
            return _started(pid) != start
    return time.time_ns() // 1000 - run.started_at > LONGEST_ELSEWHERE


def _parts(owner: str | None) -> tuple[str | None, int | None, str]:
    host, _, rest = (owner or "").rpartition(":")[0].rpartition(":")
    start = (owner or "").rpartition(":")[2]
    return (host, int(rest), start) if host and rest.isascii() and rest.isdigit() else (None, None, "")


def _started(pid: int) -> str | None:
    """``ticks@boot.group`` of a process of this machine; None where there is none, or no /proc to ask."""
    # Source: proc(5), field 22 of stat, which counts behind the command's name, because that may hold blanks and brackets.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    boot, group = _boot()
    return None if not boot or fields[0] in ("Z", "X") else f"{fields[19]}@{boot}.{group}"


@cache
def _boot() -> tuple[str, str]:
    """Which boot of the machine this is, and which group of process ids; empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")[:12]
        return boot, str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "", ""


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _first_asked() -> str:
    return str(int(time.time()))


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
