"""The program ``aurite`` in a process of its own: piped, or on a terminal."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_PR_CAPBSET_DROP = 24
_COMMAND = (sys.executable, "-m", "aurite")


def _give_up_power_over_modes() -> None:
    """Root keeps its files and its Python, but is held to mode bits like everyone (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    def json(self) -> Any:
        return json.loads(self.output)

    def done(self) -> Ended:
        """Itself, once it is clear that all was done."""
        assert self.status == 0, f"exit status {self.status}: {self.errors}{self.output}"
        return self

    def refused(self, *words: str, status: int = 1) -> str:
        """The one clear line that says why; it holds the words."""
        told = [line for line in self.errors.splitlines() if line.startswith("Error: ")]
        assert self.status == status, f"exit status {self.status}: {self.errors}{self.output}"
        assert len(told) == 1, self.errors
        assert "Traceback" not in self.errors
        assert "Aurite itself failed" not in self.errors
        for word in words:
            assert word in told[0]
        return told[0]


@dataclass(frozen=True)
class Program:
    """``aurite`` in a folder, with an environment that holds nothing of the tester's."""

    folder: Path
    variables: Mapping[str, str]
    powerless: bool = False
    """Mode bits hold for it even where the tester is root."""

    def __call__(self, *arguments: str, stdin: str | bytes = b"", timeout: float = 60) -> Ended:
        data = stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
        ended = subprocess.run(
            [*_COMMAND, *arguments],
            cwd=self.folder,
            env=dict(self.variables),
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
            preexec_fn=_give_up_power_over_modes if self.powerless else None,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The running process, its output to be read."""
        return subprocess.Popen(
            [*_COMMAND, *arguments],
            cwd=self.folder,
            env=dict(self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def shell(self, line: str) -> Ended:
        """What bash makes of a line, in which ``aurite`` is this program."""
        ended = subprocess.run(
            ["bash", "-c", f'aurite() {{ {" ".join(_COMMAND)} "$@"; }}; set -o pipefail; {line}'],
            cwd=self.folder,
            env=dict(self.variables),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def terminal(self, *arguments: str, columns: int = 100) -> Terminal:
        """The program on a terminal."""
        return Terminal(self, arguments, columns)

    def inside(self, folder: Path | str) -> Program:
        return Program(self.folder / folder, self.variables, self.powerless)

    def with_variables(self, **variables: str) -> Program:
        return Program(self.folder, {**self.variables, **variables}, self.powerless)

    def without_power(self) -> Program:
        return Program(self.folder, self.variables, powerless=True)


class Terminal:
    """A person at a terminal: reads what is shown and types answers."""

    def __init__(self, program: Program, arguments: tuple[str, ...], columns: int) -> None:
        self.shown = ""
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background ignore it
                os.chdir(program.folder)
                os.execve(_COMMAND[0], [*_COMMAND, *arguments], {**program.variables, "TERM": "xterm", "COLUMNS": str(columns)})
            finally:
                os._exit(127)
        self._status: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._screen)

    def sees(self, text: str, *, within: float = 30) -> None:
        """Returns once the text is on the screen, behind what was seen before."""
        deadline = time.monotonic() + within
        while text not in self.shown:
            assert self._read(deadline), f"{text!r} does not come: {self.shown!r}"
        self.shown = self.shown[self.shown.index(text) + len(text) :]

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def presses_ctrl_c(self) -> None:
        """Presses it until the program does something: Python's input() misses one that comes while it starts to read."""
        for _ in range(30):
            self.types("\x03")
            ready, _, _ = select.select([self._screen], [], [], 1)
            while ready:
                if not self._read(time.monotonic() + 1):
                    return
                ready, _, _ = select.select([self._screen], [], [], 1)

    def ends(self, *, within: float = 30) -> tuple[int, str]:
        """The exit status, and what else was shown."""
        deadline = time.monotonic() + within
        while self._read(deadline):
            pass
        self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status, self.shown

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more comes: {self.shown!r}"
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # how Linux says that the program closed its end
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
