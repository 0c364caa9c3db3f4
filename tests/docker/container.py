"""The entry point of the image, run as a process: without an image, but with the environment and the users of one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from aurite.cli.service_user import SERVICE_USER
from tests.clusters import free_port

SOURCE = Path(__file__).parents[2] / "src"
IS_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Ended:
    """How the container ended, and what it logged."""

    status: int
    output: str
    log: str


class Running:
    """A container that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, output: Path, port: int) -> None:
        self.process, self._log, self._output, self._port = process, log, output, port

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def serves(self, *, within: float = 40) -> Running:
        """Itself, once it says that it is ready."""
        self.logs(lambda: self.get("/health/ready")[0] == 200, "does not become ready", within)
        return self

    def says(self, words: str, *, within: float = 20) -> Running:
        """Itself, once it has logged the words."""
        self.logs(lambda: words in self.log, f"does not say {words!r}", within)
        return self

    def logs(self, there: Any, complaint: str, within: float) -> None:
        deadline = time.monotonic() + within
        while not there():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, f"{complaint}: {self.log}"
            time.sleep(0.05)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM, *, within: float = 30) -> Ended:
        """Stop it as ``docker stop`` does."""
        self.process.send_signal(number)
        return self.ends(within=within)

    def ends(self, *, within: float = 40) -> Ended:
        status = self.process.wait(within)
        return Ended(status, self._output.read_text(encoding="utf-8"), self.log)


@dataclass
class Container:
    """A container that can be started: its folders, its variables, and who starts it."""

    folder: Path
    """Holds ``app``, ``data`` and ``bin``; everybody may pass through it."""
    variables: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    """As ``docker run --user``; the tester where None."""
    before: tuple[str, ...] = ()
    """A program in front of the entry point."""
    port: int = field(default_factory=free_port)
    started: list[Running] = field(default_factory=list)

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def database(self) -> Path:
        return self.data / "aurite.db"

    def with_variables(self, **variables: str) -> Container:
        return replace(self, variables={**self.variables, **variables})

    def as_user(self, user: int) -> Container:
        return replace(self, user=user)

    def start(self, *command: str) -> Running:
        output, log = (self.folder / f"{name}-{len(self.started)}" for name in ("output", "log"))
        who: dict[str, Any] = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        with output.open("wb") as to_output, log.open("wb") as to_log:
            process = subprocess.Popen(
                [*self.before, str(self.folder / "bin" / "python"), "-P", "-m", "aurite.cli.container", *command],
                cwd=self.app,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=to_output,
                stderr=to_log,
                **who,
            )
        running = Running(process, log, output, self.port)
        self.started.append(running)
        return running

    def run(self, *command: str, within: float = 40) -> Ended:
        return self.start(*command).ends(within=within)

    def environment(self) -> dict[str, str]:
        """What the Dockerfile sets, and the variables of ``docker run``; nothing of the tester's."""
        given = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "PORT": str(self.port)}
        return {**given, "PYTHONDONTWRITEBYTECODE": "1", **self.variables}

    def close(self) -> None:
        for running in self.started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()


def put_programs(folder: Path, library: Path) -> None:
    """Make the ``python`` and the ``aurite`` that the user of the image can run, wherever this Python lies.

    Args:
        folder: where the two go.
        library: an empty folder, for copies of what the user cannot reach.
    """
    home = _reachable_python(library)
    paths = [_reachable(Path(sysconfig.get_path("purelib")), library / "packages"), _reachable(SOURCE, library / "source")]
    lines = ["#!/bin/sh", f"export PYTHONPATH='{paths[0]}:{paths[1]}'"]
    if home is None:
        program = Path(sys.executable)
    else:
        program = home / "bin" / "python3"
        lines += [f"export PYTHONHOME='{home}' LD_LIBRARY_PATH='{home / 'lib'}'"]
    for name, rest in (("python", '"$@"'), ("aurite", '-m aurite "$@"')):
        file = folder / name
        file.write_text("\n".join([*lines, f"exec '{program}' {rest}"]) + "\n", encoding="utf-8")
        file.chmod(0o755)


def _reachable_python(library: Path) -> Path | None:
    """The copy of this Python that the user of the image can run; None where it can run this one."""
    base = Path(sys.base_prefix)
    if _can_reach(base):
        return None
    home = library / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "bin").mkdir(parents=True)
    shutil.copyfile(os.path.realpath(sys.executable), home / "bin" / "python3")
    (home / "bin" / "python3").chmod(0o755)
    left_out = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "ensurepip", "config-*")
    shutil.copytree(base / "lib" / version, home / "lib" / version, ignore=left_out)
    for file in (base / "lib").glob("libpython*.so*"):
        shutil.copyfile(file, home / "lib" / file.name)
    return home


def _reachable(folder: Path, copy: Path) -> Path:
    if _can_reach(folder):
        return folder
    shutil.copytree(folder, copy)
    return copy


def _can_reach(folder: Path) -> bool:
    who: dict[str, Any] = {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []} if IS_ROOT else {}
    return subprocess.run(["/bin/sh", "-c", f"cd '{folder}'"], check=False, capture_output=True, cwd="/", **who).returncode == 0
