"""Reading a SQLite file of Aurite 0.4."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from aurite.storage.engine import Row
from aurite.storage.schema import is_of_0_4


class SqliteOldDatabase:
    """See ``OldDatabase``. Texts come as bytes: SQLite keeps some that are none."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def has(self, table: str) -> bool:
        return bool(self._connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchall())

    def rows(self, statement: str, *values: str) -> Iterator[Row]:
        return iter(self._connection.execute(statement.replace("$", "?"), values))

    def text(self, column: str) -> str:
        return f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"

    def instant(self, column: str) -> str:
        return self.text(column)

    def by_code_point(self, column: str) -> str:
        return f"{column} COLLATE BINARY"


def holds_0_4(connection: apsw.Connection) -> bool:
    """Whether a file was written by Aurite 0.4 and not upgraded yet."""
    return is_of_0_4(lambda statement: connection.execute(statement).fetchall())
