"""What a worker process does; ``programs.Worker`` starts it. It reports in JSON lines on its standard output."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from aurite.model.records import Author, Create, NewMessage, NewRun, NewSession, Put
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing.samples import llm_document

AUTHOR = Author("python")


def report(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def wait_for_go() -> None:
    report("ready")
    sys.stdin.readline()


def message(content: Any) -> NewMessage:
    return NewMessage("user", json.dumps({"role": "user", "content": content}))


def open_database(path: str) -> None:
    """Open a database that may not be there yet, and use it."""
    wait_for_go()
    database = SqliteDatabase(Path(path))
    report(len(SqlComponentStore(database).load().components))
    database.close()


def create(path: str, writer: str, how_many: str) -> None:
    """Create components one by one; report when each was done."""
    database = SqliteDatabase(Path(path))
    store = SqlComponentStore(database)
    wait_for_go()
    for number in range(int(how_many)):
        name = f"{writer}-{number}"
        store.write([Create("llm", name, llm_document(name))], author=AUTHOR)
        report(time.monotonic())
    database.close()


def append(path: str, session_id: str, writer: str, how_many: str) -> None:
    """Append to one session, two messages at a time; report the seq of each pair."""
    database = SqliteDatabase(Path(path))
    store = SqlSessionStore(database)
    wait_for_go()
    store.start_run(NewSession(session_id, "agent", "weather"), NewRun(f"run-{writer}"))
    for number in range(int(how_many)):
        report(store.append(session_id, [message([int(writer), number, part]) for part in range(2)]))
    database.close()


def hot(path: str, writer: str, seconds: str) -> None:
    """Write without a pause; report how many writes were done and the longest wait."""
    database = SqliteDatabase(Path(path))
    store = SqlComponentStore(database)
    name = f"writer-{writer}"
    wait_for_go()
    end = time.monotonic() + float(seconds)
    done, longest, started = 0, 0.0, time.monotonic()
    while started < end:
        store.write([Put("llm", name, llm_document(name, v=done))], author=AUTHOR)
        finished = time.monotonic()
        done, longest, started = done + 1, max(longest, finished - started), finished
    report({"done": done, "longest": longest})
    database.close()


def churn(path: str, first: str) -> None:
    """Change two components together and append two messages together, for ever; report each number once it is stored."""
    database = SqliteDatabase(Path(path))
    components, sessions = SqlComponentStore(database), SqlSessionStore(database)
    sessions.start_run(NewSession("agent-churn", "agent", "weather"), NewRun(f"run-{first}-{os.getpid()}"))
    report("ready")
    for number in count(int(first)):
        components.write([Put("llm", name, llm_document(name, v=number, x="y" * 5000)) for name in ("a", "b")], author=AUTHOR)
        sessions.append("agent-churn", [message([number, part, "z" * 3000]) for part in range(2)])
        report(number)


def hold(path: str) -> None:
    """Hold the write lock in the middle of a transaction, for ever."""
    database = SqliteDatabase(Path(path))
    with database.transaction() as work:
        work.run("UPDATE store_meta SET config_version = config_version + 1000")
        report("ready")
        signal.pause()


def fork(path: str, how_many: str) -> None:
    """Open and use a database, fork, and use it in both processes at once."""
    database = SqliteDatabase(Path(path))
    store = SqlComponentStore(database)
    store.write([Create("llm", "before", llm_document("before"))], author=AUTHOR)
    mine = set(map(id, database._idle))
    child = os.fork()
    who = "parent" if child else "child"
    for number in range(int(how_many)):
        name = f"{who}-{number}"
        store.write([Create("llm", name, llm_document(name))], author=AUTHOR)
    if not child:
        shared = mine & set(map(id, database._idle))
        database.close()
        os._exit(len(shared))
    report(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    store.write([Create("llm", "after", llm_document("after"))], author=AUTHOR)
    database.close()


def fork_while_writing(path: str) -> None:
    """Fork in the middle of a transaction that never ends; the child lives until its standard input ends, and does nothing."""
    database = SqliteDatabase(Path(path))
    with database.transaction() as work:
        work.run("UPDATE store_meta SET config_version = config_version + 1000")
        if os.fork():
            signal.pause()
        report("forked")
        sys.stdin.read()
        os._exit(0)


TASKS = {
    task.__name__.replace("_", "-"): task for task in (open_database, create, append, hot, churn, hold, fork, fork_while_writing)
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
