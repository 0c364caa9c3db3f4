"""Databases for tests of moves: filled and read by SQL alone, so that a move is judged by what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import apsw

from aurite.model.records import Problem
from aurite.storage.engine import Database
from aurite.storage.moving import Movable
from aurite.storage.postgres.connections import Connection, connect
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.moving import PostgresMovable
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.moving import SqliteMovable
from aurite.storage.tables import TABLES
from aurite.testing.samples import agent_document, llm_document

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
"""By table, in the order of their keys."""

EMPTY: Rows = {name: [] for name in TABLES}
ODD_TEXT = "tab\tline\nreturn\rfeed\f\vback\b\\ \\N \\. \x01\x7f \u2028 \uffff \U0001f600"


class Store(Protocol):
    """One database of a test."""

    @property
    def movable(self) -> Movable: ...

    def create(self) -> None:
        """Make the schema where there is none."""
        ...

    def fill(self, rows: Mapping[str, Sequence[Row]], *, version: int = 7) -> None:
        """Add rows, marked as Aurite marks its own."""
        ...

    def rows(self) -> Rows:
        """Everything that is kept; no rows at all where there is not even a table."""
        ...

    def sql(self, *statements: str) -> list[Row]:
        """Rows of the last of some statements, each committed by itself."""
        ...

    def engine(self) -> Database:
        """It as Aurite opens it."""
        ...

    def problems(self) -> list[Problem]:
        """What Aurite finds wrong with it."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteStore:
    path: Path

    @property
    def movable(self) -> SqliteMovable:
        return SqliteMovable(self.path)

    def create(self) -> None:
        SqliteDatabase(self.path, synchronous="OFF").close()

    def fill(self, rows: Mapping[str, Sequence[Row]], *, version: int = 7) -> None:
        self.create()
        with self.connection() as connection, connection:
            connection.execute("UPDATE store_meta SET writer = 'test', config_version = ?", (version,)).fetchall()
            for name, table in TABLES.items():
                places = ", ".join("?" * len(table.columns))
                statement = f"INSERT INTO {name} ({', '.join(table.columns)}) VALUES ({places})"
                for row in rows.get(name, ()):
                    connection.execute(statement, row).fetchall()
            connection.execute("UPDATE store_meta SET writer = NULL").fetchall()

    def rows(self) -> Rows:
        if not self.path.exists():
            return EMPTY
        with self.connection() as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").get == 0:
                return EMPTY
            return in_order({name: connection.execute(select(name)).fetchall() for name in TABLES})

    def sql(self, *statements: str) -> list[Row]:
        with self.connection() as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def engine(self) -> SqliteDatabase:
        return SqliteDatabase(self.path)

    def problems(self) -> list[Problem]:
        with closing(self.engine()) as database:
            return database.check()

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            yield connection
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class PostgresStore:
    target: PostgresTarget

    @property
    def movable(self) -> PostgresMovable:
        return PostgresMovable(self.target)

    def create(self) -> None:
        PostgresDatabase(self.target, watch=False).close()

    def fill(self, rows: Mapping[str, Sequence[Row]], *, version: int = 7) -> None:
        self.create()
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT set_config('aurite.writer', 'test', true)")
            connection.execute("UPDATE store_meta SET config_version = $1", [version])
            for name, table in TABLES.items():
                places = ", ".join(f"${place + 1}" for place in range(len(table.columns)))
                with connection.cursor() as cursor:
                    cursor.executemany(
                        f"INSERT INTO {name} ({', '.join(table.columns)}) VALUES ({places})", list(rows.get(name, ()))
                    )

    def clear(self) -> None:
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT set_config('aurite.writer', 'test', true)")
            for name in reversed(list(TABLES)):
                connection.execute(f"DELETE FROM {name}")

    def rows(self) -> Rows:
        with self.connection() as connection:
            if connection.execute("SELECT to_regclass('store_meta')").fetchall() == [(None,)]:
                return EMPTY
            return in_order({name: connection.execute(select(name)).fetchall() for name in TABLES})

    def sql(self, *statements: str) -> list[Row]:
        with self.connection() as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def engine(self) -> PostgresDatabase:
        return PostgresDatabase(self.target, watch=False)

    def problems(self) -> list[Problem]:
        with closing(self.engine()) as database:
            return database.check()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        connection = connect(self.target)
        try:
            yield connection
        finally:
            connection.close()


def select(name: str) -> str:
    return f"SELECT {', '.join(TABLES[name].columns)} FROM {name}"


def in_order(rows: Mapping[str, Sequence[Row]]) -> Rows:
    """Each table's rows by key, as code points sort."""
    return {name: sorted(map(tuple, rows.get(name, ())), key=lambda row: repr_of_key(row, name)) for name in TABLES}


def repr_of_key(row: Row, name: str) -> tuple[Any, ...]:
    return tuple(part.encode() if isinstance(part, str) else part for part in row[: len(TABLES[name].key)])


def sample(*, messages: int = 40, prefix: str = "") -> Rows:
    """A small database with something in every column, odd values included; keys begin with the prefix."""
    first, second, step = f"{prefix}agent-a", f"{prefix}workflow-b", f"{prefix}agent-b-1"
    odd = json.dumps({"n": 1.0, "m": -0.0, "i": 2**70, "z": 1, "a": None, "t": ODD_TEXT, "s": "\ud800 \0"})
    documents = [llm_document(f"{prefix}{n}", temperature=1.0, v=n) for n in ("m", "M", "\U0001f600")]
    components = [
        *(("llm", json.loads(text)["name"], text, n + 1, 10, 20 + n, "cli", None) for n, text in enumerate(documents)),
        ("agent", f"{prefix}m", agent_document(f"{prefix}m"), 4, 10, 30, "export", '{"source_file": "a\\tb.json"}'),
    ]
    revisions = [
        *((row[3], row[0], row[1], "create", row[2], row[7], row[6], "ann", row[5]) for row in components),
        (5, "llm", f"{prefix}gone", "create", '{"a":  1}', None, "sql", None, 40),
        (6, "llm", f"{prefix}gone", "delete", None, None, "api", None, 41),
    ]
    return in_order(
        {
            "components": components,
            "component_revisions": revisions,
            "sessions": [
                (first, first, None, "agent", "Weather", "completed", ODD_TEXT, messages, 100, 200),
                (second, second, None, "workflow", "W", "failed", "", 0, 100, 300),
                (step, second, second, "agent", "Weather", "running", None, 1, 101, 301),
            ],
            "session_tags": [(first, "release", 5), (first, "Release", 6), (step, "\U0001f600", 7)],
            "runs": [
                (f"{prefix}run-1", first, "completed", 1, 2, None, odd, '{"tokens":1.0}', "host:1:2"),
                (f"{prefix}run-2", first, "failed", 3, 4, "", None, None, None),
                (f"{prefix}run-3", step, "running", 5, None, None, None, None, "host:1:3"),
            ],
            "messages": [
                *(
                    (
                        first,
                        seq,
                        ("user", "assistant")[seq % 2],
                        json.dumps({"role": "user", "content": f"{seq}: {ODD_TEXT}", "n": 1.0}, ensure_ascii=seq % 3 == 0),
                        odd if seq % 2 else None,
                        "openai" if seq % 2 else None,
                        f"{prefix}run-1" if seq % 4 else None,
                        1000 + seq,
                    )
                    for seq in range(1, messages + 1)
                ),
                (step, 1, "tool", '{"content":""}', None, "", "", 2000),
            ],
            "evaluation_results": [
                (f"{prefix}result-1", "E", odd, "agent", "1.0", "done", 1),
                (f"{prefix}result-2", "E", '{"a" : ""}', None, None, None, 2),
            ],
        }
    )
