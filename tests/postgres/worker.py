"""What a worker process does on a PostgreSQL database; ``programs.PostgresWorker`` starts it. It reports in JSON lines."""

from __future__ import annotations

import os
import sys
import time
from itertools import count

from aurite.config.manager import ConfigManager
from aurite.model.records import Author, Create, NewRun, NewSession, Put
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.sessions import SqlSessionStore
from aurite.testing.samples import llm_document
from tests.postgres.programs import heard
from tests.processes.worker import message, report, wait_for_go

AUTHOR = Author("python")


def open_database(told: str) -> None:
    """Open a database that may have no tables yet, and use it."""
    wait_for_go()
    database = PostgresDatabase(heard(told))
    report(len(SqlComponentStore(database).load().components))
    database.close()


def create(told: str, writer: str, how_many: str) -> None:
    """Create components one by one; report when each was done."""
    database = PostgresDatabase(heard(told))
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    wait_for_go()
    for number in range(int(how_many)):
        manager.create_component("llm", {"name": f"{writer}-{number}", "provider": "offline", "model": "m"})
        report(time.monotonic())
    database.close()


def append(told: str, session_id: str, writer: str, how_many: str) -> None:
    """Append to one session, two messages at a time; report the seq of each pair."""
    database = PostgresDatabase(heard(told), watch=False)
    store = SqlSessionStore(database)
    wait_for_go()
    store.start_run(NewSession(session_id, "agent", "weather"), NewRun(f"run-{writer}"))
    for number in range(int(how_many)):
        report(store.append(session_id, [message([int(writer), number, part]) for part in range(2)]))
    database.close()


def watch(told: str, force_refresh: str) -> None:
    """Look at the component ``a`` all the time; report each new value with the moment it was seen, until it is ``end``."""
    database = PostgresDatabase(heard(told), force_refresh=force_refresh == "force-refresh")
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    seen = (manager.get_config("llm", "a") or {}).get("v")
    report("ready")
    while seen != "end":
        value = (manager.get_config("llm", "a") or {}).get("v")
        if value != seen:
            seen = value
            report([value, time.monotonic()])
        time.sleep(0.001)
    database.close()


def churn(told: str, first: str) -> None:
    """Change two components together and append two messages together, for ever; report each number once it is stored."""
    database = PostgresDatabase(heard(told), watch=False)
    components, sessions = SqlComponentStore(database), SqlSessionStore(database)
    sessions.start_run(NewSession("agent-churn", "agent", "weather"), NewRun(f"run-{first}-{os.getpid()}"))
    report("ready")
    for number in count(int(first)):
        components.write([Put("llm", name, llm_document(name, v=number, x="y" * 5000)) for name in ("a", "b")], author=AUTHOR)
        sessions.append("agent-churn", [message([number, part, "z" * 3000]) for part in range(2)])
        report(number)


def fork(told: str, how_many: str) -> None:
    """Open, use and watch a database, fork, and use it in both processes at once; each hears of the other's changes."""
    database = PostgresDatabase(heard(told))
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    store = SqlComponentStore(database)
    store.write([Create("llm", "before", llm_document("before"))], author=AUTHOR)
    assert _hears_of(manager, "before")  # the thread that listens runs
    mine, other = os.pipe()
    child = os.fork()
    who = "parent" if child else "child"
    for number in range(int(how_many)):
        name = f"{who}-{number}"
        store.write([Create("llm", name, llm_document(name))], author=AUTHOR)
    if not child:
        assert _hears_of(manager, name)  # from here on, only what it hears can show it more
        os.write(other, b"written")
        heard_of_it = _hears_of(manager, "after")
        database.close()
        os._exit(0 if heard_of_it else 1)
    os.read(mine, 7)
    heard_of_it = _hears_of(manager, f"child-{int(how_many) - 1}")
    store.write([Create("llm", "after", llm_document("after"))], author=AUTHOR)
    report([heard_of_it, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
    database.close()


def _hears_of(manager: ConfigManager, name: str) -> bool:
    deadline = time.monotonic() + 20
    while manager.get_component("llm", name) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return manager.get_component("llm", name) is not None


TASKS = {task.__name__.replace("_", "-"): task for task in (open_database, create, append, watch, churn, fork)}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
