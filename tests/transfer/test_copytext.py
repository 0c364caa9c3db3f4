"""A row as a line: exactly PostgreSQL's own, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurite.errors import InvalidValueError
from aurite.storage.copytext import key_of, line_of, lines_of, row_of
from aurite.storage.postgres.connections import Connection, connect
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.tables import TABLES, Table
from tests.transfer.databases import ODD_TEXT, Row, sample
from tests.transfer.strategies import rows_of

tables = st.sampled_from(list(TABLES.values()))
some_rows = tables.flatmap(lambda table: st.tuples(st.just(table), st.lists(rows_of(table), max_size=5)))


@given(some_rows)
def test_a_line_tells_its_row_and_its_key(case: tuple[Table, list[Row]]) -> None:
    table, rows = case
    for row in rows:
        line = line_of(row, table)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert row_of(line, table) == row
        assert key_of(line, table) == row[: len(table.key)]


@given(tables.flatmap(lambda table: st.tuples(st.just(table), rows_of(table), rows_of(table))))
def test_two_rows_have_one_line_only_where_they_are_the_same(case: tuple[Table, Row, Row]) -> None:
    table, one, other = case
    assert (line_of(one, table) == line_of(other, table)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("", None), ("\\N", None), ("a\tb", "a\\tb"), ("\n", "\\n"), ("1.0", "1"), ("e\u0301", "\u00e9"), ("\\.", "."), (" ", "")],
)
def test_texts_that_look_alike_have_two_lines(one: str, other: str | None) -> None:
    sessions = TABLES["sessions"]
    lines = {line_of(("s", "s", None, "agent", "n", "completed", title, 0, 0, 0), sessions) for title in (one, other)}
    assert len(lines) == 2


def test_lines_are_those_that_postgresql_writes_and_reads(postgres: PostgresTarget) -> None:
    with connect(postgres) as connection:
        for table in TABLES.values():  # the types without the constraints, so that any row goes in
            columns = ", ".join(f"{column} {'int8' if column in table.numbers else 'text'}" for column in table.columns)
            connection.execute(f"CREATE TEMP TABLE any_{table.name} (place int8, {columns})")

        @settings(max_examples=60, deadline=None)
        @given(some_rows)
        def agree(case: tuple[Table, list[Row]]) -> None:
            table, rows = case
            lines = list(lines_of(rows, table))
            assert written_by_postgresql(connection, table, rows) == lines
            assert read_by_postgresql(connection, table, lines) == rows

        agree()
        for name, rows in sample(messages=5).items():
            assert written_by_postgresql(connection, TABLES[name], rows) == list(lines_of(rows, TABLES[name]))


def written_by_postgresql(connection: Connection, table: Table, rows: list[Row]) -> list[bytes]:
    connection.execute(f"DELETE FROM any_{table.name}")
    places = ", ".join(f"${place + 1}" for place in range(len(table.columns) + 1))
    for number, row in enumerate(rows):
        connection.execute(f"INSERT INTO any_{table.name} VALUES ({places})", [number, *row])
    statement = f"COPY (SELECT {', '.join(table.columns)} FROM any_{table.name} ORDER BY place) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return split(b"".join(map(bytes, copy)))


def read_by_postgresql(connection: Connection, table: Table, lines: list[bytes]) -> list[Row]:
    connection.execute(f"DELETE FROM any_{table.name}")
    with connection.cursor() as cursor, cursor.copy(f"COPY any_{table.name} ({', '.join(table.columns)}) FROM STDIN") as copy:
        copy.write(b"".join(lines))
    return connection.execute(f"SELECT {', '.join(table.columns)} FROM any_{table.name} ORDER BY ctid").fetchall()


def split(text: bytes) -> list[bytes]:
    # splitlines() would take more than the line feed for the end of a line.
    return [line + b"\n" for line in text.split(b"\n")[:-1]]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("title", "a\0b", "title holds a NUL character"),
        ("title", "a\udc80", "a text is not UTF-8"),
        ("title", b"a", "title holds bytes, not text"),
        ("title", 1, "title holds an integer, not text"),
        ("created_at", "1", "created_at holds text, not an integer"),
        ("created_at", 1.0, "created_at holds a fraction, not an integer"),
        ("created_at", True, "created_at holds something else, not an integer"),
        ("created_at", None, "created_at holds nothing, not an integer"),
        ("name", None, "name holds nothing, not text"),
    ],
)
def test_what_no_database_could_hold_is_refused_by_column(column: str, value: object, reason: str) -> None:
    sessions = TABLES["sessions"]
    row = dict(zip(sessions.columns, ("s", "s", None, "agent", "n", "completed", ODD_TEXT, 0, 0, 0), strict=True))
    with pytest.raises(InvalidValueError) as raised:
        line_of(list({**row, column: value}.values()), sessions)
    assert raised.value.message == reason
