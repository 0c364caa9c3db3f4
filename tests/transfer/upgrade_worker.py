"""What a worker process of the tests of upgrades does; it reports in JSON lines on its standard output."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

from aurite.storage import schema
from aurite.storage.engine import Transaction
from aurite.storage.postgres import schema as postgres_schema
from aurite.storage.postgres.database import PostgresDatabase
from aurite.transfer import migrate as migration
from aurite.transfer.legacy import upgrade_in_place
from tests.processes.worker import report, wait_for_go
from tests.transfer.databases import SqliteStore
from tests.transfer.old_databases import takeover
from tests.transfer.worker import understood


def take_over(told: str) -> None:
    """Upgrade a database of 0.4 where it is; report each row as it is copied or verified, and at last what became of the tables."""
    migration._REPORT_EVERY = 1  # so that a test can choose the row at which this process dies
    database = takeover(understood(told))
    wait_for_go()
    done = upgrade_in_place(database, progress=lambda *said: report(said))
    report(None if done is None else {table.table: table.verified for table in done})


def upgrade(told: str) -> None:
    """Open a database of an older schema; report the steps that it took here."""
    wait_for_go()
    store = understood(told)
    if isinstance(store, SqliteStore):
        with store.connection():  # somebody who looks at it meanwhile does not matter
            database = store.engine()
        report(database.steps_taken)
        database.close()
        return
    engine = PostgresDatabase(store.target, watch=False, as_it_is=True)  # type: ignore[attr-defined]  # it is no file
    report([f"{step.version:04d}_{step.name}" for step in postgres_schema.upgrade(engine)])
    engine.close()


def die_upgrading(told: str, statements: str) -> None:
    """The same, killed after so many statements of the step, before its end."""
    whole, apply = schema.split, postgres_schema._apply

    def cut(script: str) -> Iterator[str]:
        for number, statement in enumerate(whole(script)):
            if number == int(statements):
                os.kill(os.getpid(), signal.SIGKILL)
            yield statement
        os.kill(os.getpid(), signal.SIGKILL)

    def cut_on_server(work: Transaction, step: schema.Migration) -> None:
        apply(work, step)
        os.kill(os.getpid(), signal.SIGKILL)

    schema.split = cut
    postgres_schema._apply = cut_on_server
    upgrade(told)


TASKS: dict[str, Callable[..., None]] = {"take-over": take_over, "upgrade": upgrade, "die-upgrading": die_upgrading}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
