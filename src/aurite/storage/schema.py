"""Which schema a database has, and the numbered steps to the one that this version of the code wants.

A step and its record share one transaction, so a killed upgrade leaves the schema and the data as before. Upgrades run under the
write lock, and look again once they hold it: of eight processes that start at once, one does the work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from aurite.errors import NotAuriteDatabaseError, SchemaOutdatedError, SchemaTooNewError
from aurite.storage.drafts import bring_to_disk
from aurite.storage.engine import Row
from aurite.storage.file_errors import storage_error

if TYPE_CHECKING:
    from aurite.storage.sqlite.database import SqliteDatabase

APPLICATION_ID = 0x41757274
""" "Aurt" in the file's header, for ``file`` and for telling other programs' databases."""

EMPTY = 0


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    script: str


def migrations(dialect: str) -> list[Migration]:
    """The steps of an engine, in order: ``0001_initial.sql`` is version 1, ``initial``."""
    found = []
    for file in sorted((Path(__file__).parent / "migrations" / dialect).glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return found


CURRENT = {"sqlite": 2, "postgresql": 2}
"""The schema version of this code, per engine; a test holds it to the files."""


def prepare_sqlite(database: SqliteDatabase) -> list[str]:
    """The steps that it took to bring the schema of a database to this version's.

    It is created where it is empty, and upgraded, after a backup beside it, where it is older.

    Raises:
        SchemaTooNewError: a newer Aurite wrote it.
        SchemaOutdatedError: it is a database of Aurite 0.4, which is never converted unasked.
        NotAuriteDatabaseError: it belongs to another program.
    """
    with database.snapshot() as view:
        version = version_of(view.rows, database.location)
    if version == CURRENT["sqlite"]:
        return []
    with database.alone() as connection:
        version = version_of(lambda statement: connection.execute(statement).fetchall(), database.location)
        if EMPTY < version < CURRENT["sqlite"]:
            back_up(connection, database.path, f"schema-{version}")
        return make_current(connection, version, database.now())


def version_of(rows: Callable[[str], list[Row]], location: str) -> int:
    """The schema version of an open database, ``EMPTY`` where there is nothing in it.

    Raises: SchemaTooNewError, SchemaOutdatedError, NotAuriteDatabaseError, as for :func:`prepare_sqlite`.
    """
    tables = {name for (name,) in rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "schema_migrations" in tables and "store_meta" in tables:
        version: int = rows("SELECT max(version) FROM schema_migrations")[0][0]
        if version > CURRENT["sqlite"]:
            raise SchemaTooNewError(
                f"the database {location} has schema {version}, newer than this version of Aurite, which knows {CURRENT['sqlite']}",
                next_step="Install the newer version: pip install --upgrade aurite",
            )
        return version
    if is_of_0_4(rows):
        raise SchemaOutdatedError(
            f"the database {location} was written by Aurite 0.4 and is not converted unasked",
            next_step="Convert it with aurite db upgrade (in place), or copy it into a new one with aurite migrate",
        )
    if tables:
        shown = ", ".join(sorted(tables)[:3])
        raise NotAuriteDatabaseError(
            f"the database {location} belongs to another program (its tables: {shown})", next_step="Check AURITE_DB_PATH"
        )
    return EMPTY


def is_of_0_4(rows: Callable[[str], list[Row]]) -> bool:
    """Whether an open database holds the tables of Aurite 0.4 under their own names."""
    return any(name == "component_type" for (name,) in rows("SELECT name FROM pragma_table_info('components')"))


def make_current(connection: apsw.Connection, version: int, instant: int) -> list[str]:
    """The steps that it took from a version to this code's: each a transaction with its record, within one that may be open."""
    steps = [migration for migration in migrations("sqlite") if migration.version > version]
    for migration in steps:
        _apply(connection, migration, instant)
    return [f"{migration.version:04d}_{migration.name}" for migration in steps]


def _apply(connection: apsw.Connection, migration: Migration, instant: int) -> None:
    import uuid  # 1.5 ms, and needed once in the life of a database

    with connection:
        if migration.version == 1:
            connection.pragma("application_id", APPLICATION_ID)
            connection.execute(
                "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
            ).fetchall()
        for statement in split(migration.script):
            connection.execute(statement).fetchall()
        if migration.version == 1:
            connection.execute(
                "INSERT INTO store_meta (id, store_id, created_at) VALUES (1, ?, ?)", (str(uuid.uuid4()), instant)
            ).fetchall()
        connection.execute(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)",
            (migration.version, migration.name, instant),
        ).fetchall()


def split(script: str) -> Iterator[str]:
    """The statements of a script one by one; a trigger with its inner statements is one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.rstrip().endswith(";") and apsw.complete(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def back_up(connection: apsw.Connection, path: Path, state: str) -> Path:
    """A copy of the database beside it, made before an upgrade and kept: ``<file>.<state>.bak``."""
    target = path.with_name(f"{path.name}.{state}.bak")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # nobody else may read it while it grows either
        connection.execute("VACUUM INTO ?", (str(partial),)).fetchall()
        bring_to_disk(partial)
        partial.replace(target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        partial.unlink(missing_ok=True)
    bring_to_disk(target.parent)
    return target
