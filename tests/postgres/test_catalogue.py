"""The schema of PostgreSQL as its catalogue tells it."""

from __future__ import annotations

from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.target import PostgresTarget


def test_every_text_column_of_a_key_or_index_sorts_by_code_point(postgres: PostgresTarget) -> None:
    with connect(postgres) as connection:
        columns = connection.execute(
            "SELECT DISTINCT attrelid::regclass::text, attname, collname FROM pg_index"
            " JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
            " LEFT JOIN pg_collation ON pg_collation.oid = attcollation"
            " JOIN pg_class ON pg_class.oid = indrelid"
            " WHERE relnamespace = current_schema()::regnamespace AND atttypid = 'text'::regtype"
        ).fetchall()
    assert len(columns) > 10
    assert [column for column in columns if column[2] != "C"] == []
