"""Databases of every released schema, frozen, are upgraded and keep working: with a backup, once, and killed at any statement."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aurite.errors import SchemaOutdatedError, StorageError
from aurite.model.records import Author, Put
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.schema import upgrade
from aurite.storage.schema import CURRENT, migrations
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.tables import TABLES
from aurite.testing.samples import llm_document
from aurite.transfer.migrate import migrate
from tests.processes.programs import all_at_once
from tests.transfer.conftest import NewStore
from tests.transfer.databases import PostgresStore, SqliteStore, Store, in_order, sample, select
from tests.transfer.old_databases import state
from tests.transfer.test_takeover import Upgrader
from tests.transfer.worker import told

FROZEN = Path(__file__).parents[1] / "data"
SINCE_2 = {"evaluation_results"}
STEPS = [f"{step.version:04d}_{step.name}" for step in migrations("sqlite") if step.version > 1]


@pytest.fixture
def old(new_store: NewStore, engine: str) -> Store:
    """A database of schema 1."""
    store = new_store(engine)
    if isinstance(store, SqliteStore):
        shutil.copyfile(FROZEN / "schema-1" / "database.sqlite", store.path)
        store.path.chmod(0o600)
    else:
        assert isinstance(store, PostgresStore)
        with store.connection() as connection:
            connection.execute((FROZEN / "schema-1" / "database.postgres.sql").read_bytes())
    return store


def rows_of_schema_1(store: Store) -> dict[str, list[Any]]:
    found = {name: store.sql(select(name)) for name in TABLES if name not in SINCE_2}
    return {name: rows for name, rows in in_order(found).items() if name not in SINCE_2}


def upgraded(store: Store) -> Store:
    """The same, after it was upgraded as a user would."""
    if isinstance(store, PostgresStore):
        with closing(PostgresDatabase(store.target, watch=False, as_it_is=True)) as database:
            upgrade(database)
    else:
        store.engine().close()
    return store


def shape(store: Store) -> list[Any]:
    """All that its schema consists of."""
    if isinstance(store, SqliteStore):
        return store.sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
    return [
        store.sql(statement)
        for statement in (
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
            "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        )
    ]


def test_an_upgraded_database_has_the_schema_of_a_new_one(old: Store, engine: str, new_store: NewStore) -> None:
    assert shape(upgraded(old)) == shape(new_store(engine, schema=True))


def test_its_rows_are_as_they_were_and_everything_works(old: Store, other_engine: str, new_store: NewStore) -> None:
    before = rows_of_schema_1(old)
    assert {name: len(rows) for name, rows in before.items()} == {
        "components": 2,
        "component_revisions": 5,
        "sessions": 3,
        "session_tags": 2,
        "runs": 3,
        "messages": 3,
    }
    upgraded(old)
    assert rows_of_schema_1(old) == before
    assert old.problems() == []
    old.sql("UPDATE components SET document = replace(document, 'gpt-4', 'gpt-5') WHERE type = 'llm'")
    with closing(old.engine()) as database:
        components, sessions = SqlComponentStore(database), SqlSessionStore(database)
        assert (components.version(), components.load().problems) == (4, ())
        assert components.write([Put("llm", "new", llm_document("new"))], author=Author("python")).version == 5
        assert sessions.tag("agent-x", add=["t"]).tags == ("keep", "t", "ü")
        assert sessions.delete(["workflow-w"]).messages == 1
    old.fill({"evaluation_results": sample()["evaluation_results"]}, version=9)
    assert old.sql("SELECT result_id, score FROM readable_evaluation_results ORDER BY 1")[0] == ("result-1", 1)
    copy = new_store(other_engine)
    migrate(old.movable, copy.movable)
    assert copy.rows() == old.rows()


def test_a_killed_upgrade_leaves_schema_and_data_as_before(old: Store, engine: str) -> None:
    before = state(old)
    kills = [0] if engine == "postgresql" else range(5)  # a server is sent the step as one text
    for statements in kills:
        with Upgrader("die-upgrading", told(old), statements) as worker:
            assert worker.line() == "ready"
            worker.go()
            assert worker.line() is None
            assert worker.process.wait(timeout=30) == -9
        assert state(old) == before
    upgraded(old)
    assert old.problems() == []


def test_eight_processes_upgrade_it_once(old: Store) -> None:
    before = rows_of_schema_1(old)
    outcomes = [said[-1] for said in all_at_once("upgrade", [[told(old)]] * 8, kind=Upgrader)]
    assert sorted(outcomes) == [*[[]] * 7, STEPS]
    assert rows_of_schema_1(old) == before
    assert old.sql("SELECT version FROM schema_migrations ORDER BY 1") == [(1,), (2,)]
    assert old.problems() == []


def test_a_source_of_an_older_schema_is_refused_and_left_alone(old: Store, new_store: NewStore) -> None:
    before = state(old)
    with pytest.raises(StorageError, match="has schema 1, older than") as refused:
        migrate(old.movable, new_store("sqlite").movable)
    assert "aurite db upgrade" in (refused.value.next_step or "")
    assert state(old) == before


@pytest.mark.parametrize("engine", ["sqlite"])
def test_on_sqlite_the_backup_is_kept_and_whole_and_nobody_else_reads_it(old: Store, engine: str, tmp_path: Path) -> None:
    assert isinstance(old, SqliteStore), engine
    before = state(old)
    upgraded(old)
    backup = old.path.with_name(f"{old.path.name}.schema-1.bak")
    assert [path.name for path in old.path.parent.glob("*.bak*")] == [backup.name]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert state(SqliteStore(backup)) == before
    content = backup.read_bytes()
    for _ in range(2):
        old.engine().close()
    assert backup.read_bytes() == content
    restored = tmp_path / "restored.db"
    shutil.copyfile(backup, restored)
    assert upgraded(SqliteStore(restored)).rows() == old.rows()


@pytest.mark.parametrize("engine", ["postgresql"])
def test_on_postgresql_nothing_is_upgraded_unasked(old: Store, engine: str) -> None:
    assert isinstance(old, PostgresStore), engine
    before = state(old)
    with pytest.raises(SchemaOutdatedError, match="has schema 1, older than") as refused:
        PostgresDatabase(old.target, watch=False)
    assert "aurite db upgrade" in (refused.value.next_step or "")
    assert "AURITE_DB_AUTO_UPGRADE=true" in (refused.value.next_step or "")
    assert state(old) == before
    PostgresDatabase(old.target, watch=False, auto_upgrade=True).close()
    assert old.sql("SELECT max(version) FROM schema_migrations") == [(CURRENT["postgresql"],)]
    assert old.problems() == []
