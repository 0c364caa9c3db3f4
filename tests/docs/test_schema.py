"""The page about tables names all that is in a real database, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import apsw
import pytest

from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sqlite.database import SqliteDatabase
from tests.docs.pages import ROOT, read

PAGE = read(ROOT / "docs" / "reference" / "schema.md")
OTHER = {"sqlite": "PostgreSQL", "postgresql": "SQLite"}

Columns = Mapping[str, frozenset[str]]


def told(kind: str, engine: str) -> Columns:
    """Tables or views of the page, each with the columns that it has on an engine."""
    sections = re.findall(rf"^## {kind} `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {name: frozenset(cells(text, engine)) for name, text in sections}


def cells(text: str, engine: str) -> Iterable[str]:
    """What the first cells of table rows name, without what only the other engine has."""
    for line in text.splitlines():
        if line.startswith("| `") and f"{OTHER[engine]} only" not in line:
            yield from re.findall(r"`(\w+)`", line.split("|")[1])


def told_below(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, as lists of cells."""
    section = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[0]
    return [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]


@pytest.fixture
def sqlite(tmp_path: Path) -> apsw.Connection:
    path = tmp_path / "aurite.db"
    SqliteDatabase(path).close()
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def sqlite_objects(connection: apsw.Connection, kind: str) -> set[str]:
    statement = "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    return {str(name) for (name,) in connection.execute(statement, (kind,)).fetchall()}


@pytest.mark.parametrize("kind", ["Table", "View"])
def test_tables_and_views_of_sqlite_are_told_with_all_columns(kind: str, sqlite: apsw.Connection) -> None:
    there = {
        name: frozenset(column for (column,) in sqlite.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall())
        for name in sqlite_objects(sqlite, kind.lower())
    }
    assert told(kind, "sqlite") == there


@pytest.mark.parametrize("kind", ["Table", "View"])
def test_tables_and_views_of_postgresql_are_told_with_all_columns(kind: str, postgres: PostgresTarget) -> None:
    rows = in_postgres(
        postgres,
        "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 AND NOT attisdropped AND relkind = $1",
        "r" if kind == "Table" else "v",
    )
    there = {table: frozenset(column for name, column in rows if name == table) for table, _ in rows}
    assert told(kind, "postgresql") == there


def test_indexes_are_told(sqlite: apsw.Connection, postgres: PostgresTarget) -> None:
    named = [(row[0], row[1]) for row in told_below("Indexes")]
    of_sqlite = sqlite.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    of_postgres = in_postgres(
        postgres,
        "SELECT indexrelid::regclass::text, indrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid"
        " WHERE relnamespace = current_schema()::regnamespace AND NOT indisprimary",
    )
    assert sorted(named) == sorted(of_sqlite) == sorted(of_postgres)


def test_triggers_and_functions_are_told(sqlite: apsw.Connection, postgres: PostgresTarget) -> None:
    named = told_below("Triggers and functions")
    triggers = in_postgres(postgres, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    functions = in_postgres(postgres, "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace")
    assert {row[0] for row in named if row[1] == "SQLite"} == sqlite_objects(sqlite, "trigger")
    assert {row[0] for row in named if row[1] == "PostgreSQL"} == {name for (name,) in triggers + functions}


def in_postgres(target: PostgresTarget, statement: str, *values: str) -> list[tuple[str, ...]]:
    with connect(target) as connection:
        return connection.execute(statement, values).fetchall()
