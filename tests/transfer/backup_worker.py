"""What a worker process of the tests of backups does; it reports in JSON lines on its standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from aurite.errors import AuriteError
from aurite.storage.backup.file import BackupFile
from aurite.storage.components import SqlComponentStore
from aurite.storage.files.project_folder import ProjectFolder
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.transfer import backup, imports, migrate
from tests.processes.worker import report, wait_for_go
from tests.transfer.worker import understood


def back_up(source: str, file: str, overwrite: str) -> None:
    """Back up; report each row as it is copied or verified, and at last the tables or the error."""
    wait_for_go()
    made = backup.back_up(
        understood(source).movable,
        BackupFile(Path(file)),
        engine="sqlite",
        overwrite=overwrite == "overwrite",
        progress=lambda *said: report(said),
    )
    report({entry.table.name: entry.rows for entry in made.manifest.tables})


def restore(file: str, target: str) -> None:
    """Restore; report each row, and at last the rows by table."""
    wait_for_go()
    done = backup.restore(BackupFile(Path(file)), understood(target).movable, progress=lambda *said: report(said))
    report({table.table: table.written for table in done.tables})


def import_components(database: str, folder: str) -> None:
    """Import; report the number of components."""
    wait_for_go()
    store = SqlComponentStore(SqliteDatabase(Path(database)))
    report("begun")
    done = imports.import_components(store, ProjectFolder(Path(folder)))
    report(len(done.imported))


def main() -> None:
    tasks: dict[str, Callable[..., None]] = {task.__name__: task for task in (back_up, restore, import_components)}
    # So that a test can choose the row at which this process dies.
    backup._REPORT_EVERY = 1
    migrate._REPORT_EVERY = 1
    try:
        tasks[sys.argv[1]](*sys.argv[2:])
    except AuriteError as error:
        report({"error": type(error).__name__, "text": str(error)})


if __name__ == "__main__":
    main()
