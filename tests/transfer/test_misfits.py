"""Rows that no other database could hold, made by programs that are not ours: told by table and key before anything is kept."""

from __future__ import annotations

import pytest

from aurite.errors import MisfitError
from aurite.transfer.migrate import migrate
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, SqliteStore, sample


@pytest.fixture
def source(new_store: NewStore) -> SqliteStore:
    store = new_store("sqlite", schema=True)
    assert isinstance(store, SqliteStore)
    store.fill(sample())
    return store


def edit(store: SqliteStore, *statements: str, strict: bool = True) -> None:
    """What somebody does who knows better: without foreign keys, and without STRICT where asked."""
    if not strict:
        with store.connection() as connection:
            connection.pragma("writable_schema", True)
            connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE type = 'table'").fetchall()
    store.sql("UPDATE store_meta SET writer = 'test'", *statements, "UPDATE store_meta SET writer = NULL")


def refused(source: SqliteStore, new_store: NewStore, engine: str, *, dry_run: bool = False) -> MisfitError:
    target = new_store(engine)
    with pytest.raises(MisfitError) as raised:
        migrate(source.movable, target.movable, dry_run=dry_run)
    assert target.rows() == EMPTY
    if isinstance(target, SqliteStore):
        assert not target.path.exists()
    return raised.value


@pytest.mark.parametrize("dry_run", [False, True], ids=["move", "dry run"])
def test_bytes_that_are_not_utf_8_are_told(source: SqliteStore, new_store: NewStore, engine: str, dry_run: bool) -> None:
    edit(
        source,
        "UPDATE sessions SET title = CAST(x'61ff' AS TEXT) WHERE session_id = 'workflow-b'",
        "UPDATE messages SET provider = CAST(x'eda080' AS TEXT) WHERE seq = 7",
    )
    error = refused(source, new_store, engine, dry_run=dry_run)
    assert error.reasons == ("sessions ('workflow-b'): a text is not UTF-8", "messages ('agent-a', 7): a text is not UTF-8")
    assert error.message == f"2 rows of {source.path} cannot be moved; the first: {error.reasons[0]}"
    assert error.next_step == "Mend them in the source, then run the command again"


def test_zero_characters_are_told(source: SqliteStore, new_store: NewStore, engine: str) -> None:
    edit(
        source,
        "UPDATE runs SET error = 'a' || char(0) || 'b' WHERE run_id = 'run-1'",
        "INSERT INTO session_tags VALUES ('agent-a', 'a' || char(0), 1)",
    )
    assert set(refused(source, new_store, engine).reasons) == {
        "session_tags ('agent-a', 'a\\x00'): tag holds a NUL character",
        "runs ('run-1'): error holds a NUL character",
    }


def test_values_of_other_types_are_told_where_a_table_is_not_strict(source: SqliteStore, new_store: NewStore, engine: str) -> None:
    edit(
        source,
        "UPDATE sessions SET active_at = 1.5 WHERE session_id = 'agent-a'",
        "UPDATE sessions SET active_at = 'yesterday' WHERE session_id = 'agent-b-1'",
        "UPDATE messages SET provider = x'00' WHERE seq = 3",
        strict=False,
    )
    assert refused(source, new_store, engine).reasons == (
        "sessions ('agent-a'): active_at holds a fraction, not an integer",
        "sessions ('agent-b-1'): active_at holds text, not an integer",
        "messages ('agent-a', 3): provider holds bytes, not text",
    )


def test_rows_of_no_session_are_told(source: SqliteStore, new_store: NewStore, engine: str) -> None:
    edit(
        source,
        "INSERT INTO messages (session_id, seq, role, document, created_at) VALUES ('nowhere', 1, 'user', '{}', 1)",
        "INSERT INTO session_tags VALUES ('nowhere', 'x', 1)",
        "INSERT INTO runs (run_id, session_id, status, started_at) VALUES ('run-x', 'nowhere', 'running', 1)",
    )
    assert refused(source, new_store, engine).reasons == (
        "session_tags ('nowhere', 'x'): its session is not there",
        "runs ('run-x'): its session is not there",
        "messages ('nowhere', 1): its session is not there",
    )


def test_a_key_that_is_not_utf_8_is_told(source: SqliteStore, new_store: NewStore, engine: str) -> None:
    edit(source, "INSERT INTO session_tags VALUES ('agent-a', CAST(x'ff' AS TEXT), 1)")
    assert refused(source, new_store, engine).reasons == ("session_tags ('agent-a', '\\udcff'): a text is not UTF-8",)


def test_mended_rows_move(source: SqliteStore, new_store: NewStore, engine: str) -> None:
    edit(source, "UPDATE sessions SET title = CAST(x'ff' AS TEXT) WHERE session_id = 'workflow-b'")
    refused(source, new_store, engine)
    source.sql("UPDATE sessions SET title = '' WHERE session_id = 'workflow-b'")
    target = new_store(engine)
    migrate(source.movable, target.movable)
    assert target.rows() == sample()
