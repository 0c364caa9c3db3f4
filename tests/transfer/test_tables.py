"""No table is forgotten: what moves is told once, and the catalogues of both databases are held to it."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.tables import TABLES
from tests.transfer.databases import PostgresStore, SqliteStore

OF_THE_STORE_ITSELF = {"store_meta", "schema_migrations"}
"""A target has its own: identity, writer marks, counter and the steps of its schema."""

Shape = dict[str, tuple[list[str], dict[str, tuple[bool, bool]]]]
"""By table: its key, and for each column whether it holds integers and whether it may be NULL."""


def told() -> Shape:
    return {
        name: (list(table.key), {column: (column in table.numbers, column in table.optional) for column in table.columns})
        for name, table in TABLES.items()
    }


def test_every_table_of_sqlite_is_told_with_its_columns_and_keys(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.create()
    found: Shape = {}
    for (name,) in store.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"):
        columns = store.sql(f"SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo('{name}')")
        key = [column for column, _, _, place in sorted(columns, key=lambda row: row[3]) if place]
        found[name] = (key, {column: (kind == "INTEGER", not required) for column, kind, required, _ in columns})
    assert {name: shape for name, shape in found.items() if name not in OF_THE_STORE_ITSELF} == told()
    assert found.keys() - told().keys() == OF_THE_STORE_ITSELF


def test_every_table_of_postgresql_is_told_with_its_columns_and_keys(postgres: PostgresTarget) -> None:
    store = PostgresStore(postgres)
    found: Shape = {}
    for oid, name in store.sql(
        "SELECT oid::int8, relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind NOT IN ('i', 'I', 'v', 'c', 't')"
    ):
        key = store.sql(
            "SELECT attname FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS part (attnum, place)"
            f" JOIN pg_attribute ON attrelid = {oid} AND pg_attribute.attnum = part.attnum"
            f" WHERE conrelid = {oid} AND contype = 'p' ORDER BY place"
        )
        columns = store.sql(
            "SELECT attname, atttypid = 'int8'::regtype, atttypid = 'text'::regtype, NOT attnotnull FROM pg_attribute"
            f" WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped"
        )
        found[name] = ([column for (column,) in key], {column: (number, null) for column, number, _, null in columns})
        if name in TABLES:
            assert all(number or text for _, number, text, _ in columns)
    assert {name: shape for name, shape in found.items() if name not in OF_THE_STORE_ITSELF} == told()
    assert found.keys() - told().keys() == OF_THE_STORE_ITSELF


def test_a_table_comes_after_those_it_refers_to(postgres: PostgresTarget) -> None:
    order = list(TABLES)
    pairs = PostgresStore(postgres).sql(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    )
    assert pairs
    assert all(order.index(there) < order.index(table) for table, there in pairs)
