"""Reading a PostgreSQL database of Aurite 0.4."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg

from aurite.storage.engine import Row
from aurite.storage.postgres.connections import Connection


class PostgresOldDatabase:
    """See ``OldDatabase``; inside a transaction. Rows come through cursors of the server, of which several may be open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = count()

    def has(self, table: str) -> bool:
        return self._connection.execute("SELECT to_regclass($1) IS NOT NULL", [table]).fetchone() == (True,)

    def rows(self, statement: str, *values: str) -> Iterator[Row]:
        with psycopg.RawServerCursor(self._connection, f"of_0_4_{next(self._names)}") as cursor:
            cursor.execute(statement, values)
            yield from cursor

    def text(self, column: str) -> str:
        return f"{column}::text"

    def instant(self, column: str) -> str:
        return f"to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"

    def by_code_point(self, column: str) -> str:
        return f'{column} COLLATE "C"'
