"""Real processes for tests: workers that run Aurite's stores, and a foreign program on the same file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

ROOT = Path(__file__).parents[2]


class ForeignError(Exception):
    """The foreign program's SQLite refused a statement."""


class ForeignProgram:
    """Somebody's script or shell that edits the database by SQL, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("foreign_program.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> ForeignProgram:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate(timeout=10)

    def sql(self, path: Path, statement: str, *values: Any) -> list[list[Any]]:
        """The rows of one statement, committed by itself unless BEGIN came before."""
        rows: list[list[Any]] = self._ask({"path": str(path), "sql": statement, "values": values})["rows"]
        return rows

    def close(self, path: Path) -> None:
        """Close its connection to one file."""
        self._ask({"path": str(path), "close": True})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ForeignError(answer["error"])
        return answer


class Worker:
    """One process that carries out a task of ``worker.py``: it says ready, waits for go, and reports in JSON lines."""

    module: ClassVar[str] = "tests.processes.worker"

    def __init__(self, task: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, task, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)

    def line(self) -> Any:
        """The next thing it reports; None at its end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait(self) -> list[Any]:
        """Everything it still reports, once it has ended well."""
        output, errors = self._rest()
        assert self.process.returncode == 0, errors
        assert not errors
        return [json.loads(line) for line in output.splitlines()]

    def _rest(self) -> tuple[str, str]:
        # Not by communicate: that would leave out what a reading of lines has read ahead, and begin in the middle of one.
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        output, errors = self.process.stdout.read(), self.process.stderr.read()
        self.process.wait(timeout=60)
        return output, errors

    def kill(self) -> list[Any]:
        """Everything it had reported in full when SIGKILL hit it."""
        self.process.kill()
        output, _ = self._rest()
        return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]


def all_at_once(task: str, arguments: Sequence[Sequence[object]], kind: type[Worker] = Worker) -> list[list[Any]]:
    """What each worker reports; they start their work at the same moment, and all have to end well."""
    with ExitStack() as started:
        workers = [started.enter_context(kind(task, *each)) for each in arguments]
        for worker in workers:
            assert worker.line() == "ready"
        for worker in workers:
            worker.go()
        return [worker.wait() for worker in workers]
