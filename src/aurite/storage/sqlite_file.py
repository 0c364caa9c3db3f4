"""The database file itself: made with the right permissions, described, and checked."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aurite.errors import StorageError
from aurite.model.records import Problem
from aurite.storage.file_errors import storage_error
from aurite.storage.tables import TABLES

if TYPE_CHECKING:
    from aurite.storage.sqlite import SqliteDatabase
    from aurite.storage.write_lock import WriteLock


def create_if_missing(path: Path, lock: WriteLock) -> None:
    """Make an empty file that only its owner can read, where none is; ``-wal`` and ``-shm`` inherit its permissions.

    It is made under another name and linked into place: nobody ever closes a descriptor of a file that SQLite may have open.
    """
    if path.exists():
        return
    with lock.held():
        new = path.with_name(f".{path.name}.{os.urandom(16).hex()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with suppress(FileExistsError):
                os.link(new, path)
        except OSError as error:
            raise storage_error(error, path) from error
        finally:
            new.unlink(missing_ok=True)


def describe(database: SqliteDatabase) -> dict[str, object]:
    """Path, versions, rows per table, sizes in bytes, and file modes, for ``aurite db status``."""
    with database.snapshot() as view:
        version = view.row("SELECT max(version) FROM schema_migrations")
        config = view.row("SELECT config_version, store_id FROM store_meta")
        rows = {table: _count(view.row(f"SELECT count(*) FROM {table}")) for table in TABLES}
        pages = view.row("SELECT * FROM pragma_page_count, pragma_page_size, pragma_freelist_count")
        mode = view.row("SELECT * FROM pragma_journal_mode, pragma_synchronous")
        engine = view.row("SELECT sqlite_version()")
    if not (version and config and pages and mode and engine):
        raise StorageError(f"the database {database.path} gives no account of itself", next_step="Run aurite db check")
    files = [database.path.with_name(database.path.name + suffix) for suffix in ("", "-wal", "-shm", ".wlock")]
    return {
        "engine": "sqlite",
        "engine_version": engine[0],
        "location": database.location,
        "store_id": config[1],
        "schema_version": version[0],
        "config_version": config[0],
        "journal_mode": mode[0],
        "synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[mode[1]],
        "rows": rows,
        "bytes": pages[0] * pages[1],
        "free_bytes": pages[2] * pages[1],
        "files": {
            file.name: {"bytes": file.stat().st_size, "mode": f"{stat.S_IMODE(file.stat().st_mode):04o}"}
            for file in files
            if file.exists()
        },
    }


def examine(database: SqliteDatabase) -> list[Problem]:
    """What is wrong with the file: damage, rows without their session, counts that do not fit, permissions that are too wide."""
    problems: list[Problem] = []
    with database.snapshot() as view:
        problems += [
            Problem(database.location, f"integrity check: {text}")
            for (text,) in view.rows("PRAGMA integrity_check(20)")
            if text != "ok"
        ]
        problems += [
            Problem(f"table {table}", f"{count} rows belong to no session")
            for table, count in view.rows('SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1')
        ]
        problems += [
            Problem(f"sessions {session_id!r}", f"message_count says {said}, but there are {found} messages up to number {last}")
            for session_id, said, found, last in view.rows(
                "SELECT sessions.session_id, message_count, count(seq), coalesce(max(seq), 0) FROM sessions"
                " LEFT JOIN messages ON messages.session_id = sessions.session_id GROUP BY sessions.session_id"
                " HAVING message_count <> count(seq) OR message_count <> coalesce(max(seq), 0) LIMIT 20"
            )
        ]
        problems += [
            Problem(f"components {type_} {name!r}", "its newest revision does not hold its present value")
            for type_, name in view.rows(
                "SELECT components.type, components.name FROM components LEFT JOIN component_revisions AS newest"
                " ON newest.type = components.type AND newest.name = components.name AND newest.revision = components.revision"
                " WHERE newest.document IS NOT components.document LIMIT 20"
            )
        ]
    mode = stat.S_IMODE(database.path.stat().st_mode)
    if mode & 0o077:
        problems.append(Problem(database.location, f"others can read it (mode {mode:04o}); run: chmod 600 {database.path}"))
    return problems


def _count(row: tuple[int, ...] | None) -> int:
    return row[0] if row else 0
