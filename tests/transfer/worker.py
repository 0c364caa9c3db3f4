"""What a worker process of these tests does; it reports in JSON lines on its standard output."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from aurite.errors import AuriteError
from aurite.settings import Secret
from aurite.storage.postgres.target import PostgresTarget
from aurite.transfer import migrate as migration
from tests.processes.worker import report, wait_for_go
from tests.transfer.databases import PostgresStore, SqliteStore, Store

NOBODY = 65534


def told(store: Store) -> str:
    """A store as an argument of a worker."""
    if isinstance(store, SqliteStore):
        return str(store.path)
    assert isinstance(store, PostgresStore)
    target = store.target
    password = target.password.reveal() if target.password else None
    return json.dumps([target.host, target.port, target.user, target.dbname, password])


def understood(text: str) -> Store:
    if not text.startswith("["):
        return SqliteStore(Path(text))
    host, port, user, dbname, password = json.loads(text)
    return PostgresStore(PostgresTarget(host, port, user, dbname, Secret(password) if password else None))


def move(source: str, target: str) -> None:
    """Move; report each row as it is copied or verified, and at last the digests or the error."""
    migration._REPORT_EVERY = 1  # so that a test can choose the row at which this process dies
    wait_for_go()
    _move(understood(source), understood(target), lambda *said: report(said))


def move_as_nobody(source: str, target: str) -> None:
    """The same without root's powers."""
    if os.geteuid() == 0:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _move(understood(source), understood(target), lambda *_: None)


def move_and_weigh(source: str, target: str) -> None:
    """The same; report by how many bytes the memory grew at most."""
    stores = understood(source), understood(target)
    before = _peak()
    _move(*stores, lambda *_: None)
    report(_peak() - before)


def write_pairs(store: str, what: str) -> None:
    """Commit pairs for ever: two components or two sessions in each transaction, of the same number; report each number."""
    engine = understood(store).engine()
    report("ready")
    for number in count():
        with engine.transaction() as work:
            for half in "ab":
                if what == "components":
                    work.run(f"INSERT INTO components (type, name, document) VALUES ('llm', '{half}-{number:06d}', '{{}}')")
                else:
                    work.run(
                        "INSERT INTO sessions (session_id, base_session_id, kind, name, status, created_at, active_at)"
                        f" VALUES ('{half}-{number:06d}', 'x', 'agent', 'x', 'completed', 1, 1)"
                    )
        report(number)


def _move(source: Store, target: Store, progress: Callable[[str, str, int, int], None]) -> None:
    try:
        done = migration.migrate(source.movable, target.movable, on_conflict="skip", progress=progress)
    except AuriteError as error:
        report({"error": type(error).__name__, "message": str(error)})
    else:
        report({"digests": {table.table: table.digest for table in done.tables}})


def _peak() -> int:
    """The most memory that this process had so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage() tells begins with the memory of the process that started this one
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


TASKS = {task.__name__.replace("_", "-"): task for task in (move, move_as_nobody, move_and_weigh, write_pairs)}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
