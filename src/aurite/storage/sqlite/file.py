"""The database file itself: made with the right permissions, described, checked, and made smaller."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from aurite.errors import SchemaOutdatedError, StorageError, StoreFullError
from aurite.model.records import Problem
from aurite.storage.file_errors import storage_error
from aurite.storage.sqlite.errors import translate
from aurite.storage.tables import TABLES

if TYPE_CHECKING:
    from aurite.storage.sqlite.database import SqliteDatabase
    from aurite.storage.write_lock import WriteLock

LEGACY = -1
"""Stands for the schema version of a database of Aurite 0.4."""

_BYTES_HELD = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"


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
    return {
        "engine": "sqlite",
        "engine_version": engine[0],
        "location": database.location,
        "store_id": config[1],
        "schema_version": version[0],
        "pending_steps": [],
        "config_version": config[0],
        "journal_mode": mode[0],
        "synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[mode[1]],
        "rows": rows,
        "bytes": pages[0] * pages[1],
        "free_bytes": pages[2] * pages[1],
        "files": {file.name: {"bytes": found.st_size, "mode": _mode(found)} for file, found in _files(database.path)},
    }


def outdated(path: Path) -> dict[str, object] | None:
    """Place, version and pending steps of a database whose schema is older than this version's; None for any other.

    The file is only looked at: opening it as a database would upgrade it.

    Raises:
        StorageError: it cannot be read, is not one of ours, or a newer Aurite wrote it.
    """
    from aurite.storage.schema import CURRENT, migrations, version_of

    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            version = version_of(lambda statement: connection.execute(statement).fetchall(), str(path))
        finally:
            connection.close()
    except SchemaOutdatedError:
        version = LEGACY
    except apsw.Error as error:
        raise translate(error, path) from error
    if version == CURRENT["sqlite"]:
        return None
    steps = [f"{step.version:04d}_{step.name}" for step in migrations("sqlite") if step.version > version]
    return {
        "engine": "sqlite",
        "location": str(path),
        "schema_version": "of Aurite 0.4" if version == LEGACY else version,
        "pending_steps": steps,
        "files": {file.name: {"bytes": found.st_size, "mode": _mode(found)} for file, found in _files(path)},
    }


def vacuum(database: SqliteDatabase) -> tuple[int, int]:
    """The bytes that the database took before and after it was written anew without holes; writers wait meanwhile.

    Raises:
        StoreFullError: there is no room for the second copy that SQLite makes meanwhile.
        StorageError: it could not be done; the database is as it was.
    """
    with database.alone() as connection:
        before = _size(database.path)
        held: int = connection.execute(_BYTES_HELD).get
        free = shutil.disk_usage(database.path.parent).free
        if free < held:
            raise StoreFullError(
                f"{database.path} holds {held:,} bytes, and {free:,} bytes are free beside it; nothing was changed",
                next_step="Free disk space: as much as the database holds is needed for a while",
            )
        connection.execute("VACUUM").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return before, _size(database.path)


def examine(database: SqliteDatabase, *, thorough: bool = True) -> list[Problem]:
    """What is wrong with the file: damage, rows without their session, counts that do not fit, permissions that are too wide.

    Args:
        thorough: compare indexes with their tables, and tables with each other, too; else look for damage alone.
    """
    if not thorough:
        return [*_damage(database, "quick_check"), *_open_to_others(database.path)]
    problems = _damage(database, "integrity_check")
    with database.snapshot() as view:
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
    return problems + _open_to_others(database.path)


def _damage(database: SqliteDatabase, pragma: str) -> list[Problem]:
    with database.snapshot() as view:
        found = [str(text) for (text,) in view.rows(f"PRAGMA {pragma}(20)")]
    return [Problem(database.location, f"integrity check: {text}") for text in found if text != "ok"]


def _open_to_others(path: Path) -> list[Problem]:
    return [
        Problem(str(file), f"others can read it (mode {_mode(found)}); run: chmod 600 {file}")
        for file, found in _files(path)
        if found.st_mode & 0o077
    ]


def _files(path: Path) -> list[tuple[Path, os.stat_result]]:
    """The database with what SQLite and Aurite keep beside it, as far as it is there."""
    found = []
    for suffix in ("", "-wal", "-shm", ".wlock"):
        file = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            found.append((file, file.stat()))
    return found


def _size(path: Path) -> int:
    return sum(found.st_size for file, found in _files(path) if not file.name.endswith("-shm"))


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _count(row: tuple[int, ...] | None) -> int:
    return row[0] if row else 0
