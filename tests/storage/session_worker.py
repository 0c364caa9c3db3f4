"""What a process of its own does to a session folder; it reports in JSON lines on its standard output."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

from aurite.errors import AuriteError
from aurite.model.records import NewMessage, NewRun, NewSession
from aurite.storage.session_files import folder as session_folder
from aurite.storage.session_files.store import FileSessionStore

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def started(task: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that carries out a task of this module."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.session_worker", task, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def ended(process: subprocess.Popen[str]) -> list[Any]:
    """All that a process still reports, once it has ended well."""
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


def killed(process: subprocess.Popen[str]) -> list[Any]:
    """All that a process had reported in full when SIGKILL hit it."""
    process.kill()
    output, _ = process.communicate(timeout=60)
    return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]


def line(process: subprocess.Popen[str]) -> Any:
    """The next thing that a process reports."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def message(content: Any) -> NewMessage:
    return NewMessage("user", json.dumps({"role": "user", "content": content}))


def report(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def wait_for_go() -> None:
    report("ready")
    sys.stdin.readline()


def append(folder: str, session_id: str, writer: str, how_many: str) -> None:
    """Append two messages at a time; report the seq of each pair."""
    store = FileSessionStore(Path(folder))
    wait_for_go()
    for number in range(int(how_many)):
        report(store.append(session_id, [message([writer, number, part]) for part in range(2)]))


def start(folder: str, session_id: str, run_id: str) -> None:
    """Start a run; report when the session was made."""
    store = FileSessionStore(Path(folder))
    wait_for_go()
    report(store.start_run(NewSession(session_id, "agent", "weather"), NewRun(run_id)).created_at)


def churn(folder: str, session_id: str, length: str) -> None:
    """Append two long messages at a time, for ever; report the seq of each pair once it is stored."""
    store = FileSessionStore(Path(folder))
    report("ready")
    for number in count():
        report(store.append(session_id, [message([number, part, "x" * int(length)]) for part in range(2)]))


def delete(folder: str, *session_ids: str) -> None:
    """Delete sessions together; report when it is done."""
    store = FileSessionStore(Path(folder))
    wait_for_go()
    store.delete(session_ids)
    report("deleted")


def die_deleting(folder: str, *session_ids: str) -> None:
    """Delete sessions, but die of SIGKILL once the first file is gone."""

    class Deadly(session_folder.SessionFolder):
        def _finish_deletion(self) -> None:
            names = self.deleted()
            if names:
                (self.path / min(names)).unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    store = FileSessionStore(Path(folder))
    store._folder = Deadly(Path(folder))
    store.delete(session_ids)


def append_with_little_room(folder: str, session_id: str, room: str) -> None:
    """Append a long message where no file may grow beyond ``room`` bytes, so that the write breaks off in the middle."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
    refused(lambda: FileSessionStore(Path(folder)).append(session_id, [message("x" * 2 * int(room))]))


def write_as_nobody(folder: str, session_id: str) -> None:
    """Try each kind of write without the right to write; report how each was refused."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    store = FileSessionStore(Path(folder))
    report(len(store.messages(session_id)))
    refused(lambda: store.append(session_id, [message("more")]))
    refused(lambda: store.start_run(NewSession("agent-new", "agent", "weather"), NewRun("r")))
    refused(lambda: store.delete([session_id]))


def refused(work: Any) -> None:
    try:
        work()
    except AuriteError as error:
        report([type(error).__name__, error.message])
    else:
        report("done")


def fork_while_locked(folder: str, session_id: str) -> None:
    """Fork while a session is locked, then die of SIGKILL; the child lives on."""
    store = FileSessionStore(Path(folder))
    with store._changed(session_id):
        child = os.fork()
        if child:
            report(child)
            os.kill(os.getpid(), signal.SIGKILL)
        signal.alarm(30)
        signal.pause()


TASKS = {
    task.__name__.replace("_", "-"): task
    for task in (append, start, churn, delete, die_deleting, append_with_little_room, write_as_nobody, fork_while_locked)
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
