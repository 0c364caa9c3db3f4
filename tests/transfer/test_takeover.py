"""A database of Aurite 0.4 upgraded where it is: complete or untouched, with its old tables kept until they are dropped."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from aurite.errors import MisfitError, SchemaOutdatedError, StorageError, VerificationError
from aurite.model.records import Author, Create, NewMessage, NewRun, NewSession
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.moving import PostgresMoveTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.moving import SqliteTarget
from aurite.storage.tables import Table
from aurite.testing.samples import llm_document
from aurite.transfer.legacy import upgrade_in_place
from aurite.transfer.migrate import migrate
from tests.processes.programs import ForeignProgram, Worker, all_at_once
from tests.transfer.conftest import NewStore
from tests.transfer.databases import PostgresStore, SqliteStore, Store, sample
from tests.transfer.old_databases import OLD, frozen, insert_component, insert_session, original, state, takeover
from tests.transfer.worker import told

KEPT = {"legacy_components": 31, "legacy_sessions": 23, "legacy_agent_history": 6, "legacy_qa_test_results": 2}
MOVED = {
    "components": 31,
    "component_revisions": 31,
    "sessions": 24,
    "session_tags": 0,
    "runs": 24,
    "messages": 282,
    "evaluation_results": 2,
}


class Upgrader(Worker):
    """A process that carries out a task of ``upgrade_worker.py``."""

    module: ClassVar[str] = "tests.transfer.upgrade_worker"


@pytest.fixture
def old(new_store: NewStore, engine: str) -> Store:
    return frozen(new_store, engine)


def test_an_upgrade_in_place_gives_the_rows_of_a_move_and_keeps_the_old_tables(old: Store, new_store: NewStore) -> None:
    before = original(old)
    copy = new_store("sqlite")
    migrate(old.movable, copy.movable)
    done = upgrade_in_place(takeover(old))
    assert done is not None
    assert {table.table: table.verified for table in done} == MOVED
    assert old.rows() == copy.rows()
    assert original(old, prefix="legacy_") == before
    assert old.problems() == []
    assert upgrade_in_place(takeover(old)) is None
    assert old.rows() == copy.rows()


def test_after_it_everything_works_as_in_any_database(old: Store, new_store: NewStore) -> None:
    upgrade_in_place(takeover(old))
    with closing(old.engine()) as database:
        components, sessions = SqlComponentStore(database), SqlSessionStore(database)
        assert components.version() == 1
        assert components.write([Create("llm", "new", llm_document("new"))], author=Author("python")).version == 2
        sessions.start_run(NewSession("agent-6c03972a8469", "agent", "Weather Agent"), NewRun("run"), [NewMessage("user", "{}")])
        assert sessions.append("agent-6c03972a8469", [NewMessage("user", "{}")]) == 11
        assert sessions.delete(["workflow-1b3de9a1fa6f"]).session_ids == (
            "workflow-1b3de9a1fa6f",
            "workflow-1b3de9a1fa6f-0",
            "workflow-1b3de9a1fa6f-1",
        )
        assert len(components.history("agent", "Weather Agent")) == 1
    old.sql("UPDATE components SET name = 'by hand' WHERE name = 'new'")
    with closing(old.engine()) as database:
        assert SqlComponentStore(database).version() == 3
    copy = new_store("postgresql")
    migrate(old.movable, copy.movable)
    assert copy.rows() == old.rows()


def test_the_tables_that_were_kept_are_dropped_when_asked(old: Store) -> None:
    assert takeover(old).kept() == {}
    assert takeover(old).drop_kept() == {}
    upgrade_in_place(takeover(old))
    rows = old.rows()
    assert takeover(old).kept() == KEPT
    assert takeover(old).drop_kept() == KEPT
    assert takeover(old).kept() == {}
    assert old.rows() == rows
    assert old.problems() == []


def test_a_table_of_somebody_elses_with_such_a_name_is_not_dropped(new_store: NewStore, engine: str) -> None:
    ours = new_store(engine)
    ours.create()
    ours.sql("CREATE TABLE legacy_components (mine int)", "INSERT INTO legacy_components VALUES (1)")
    assert (takeover(ours).kept(), takeover(ours).drop_kept()) == ({}, {})
    assert ours.sql("SELECT mine FROM legacy_components") == [(1,)]


def test_a_new_database_and_one_of_another_program_are_left_alone(new_store: NewStore, engine: str) -> None:
    ours, foreign = new_store(engine), new_store(engine)
    ours.fill(sample())
    if isinstance(foreign, SqliteStore):
        assert upgrade_in_place(takeover(foreign)) is None
        assert not foreign.path.exists()
        foreign.path.touch()
    foreign.sql("CREATE TABLE components (name text)")
    for store in (ours, foreign):
        before = state(store)
        files = sorted(store.path.parent.iterdir()) if isinstance(store, SqliteStore) else []
        assert upgrade_in_place(takeover(store)) is None
        assert (takeover(store).kept(), takeover(store).drop_kept()) == ({}, {})
        assert state(store) == before
        if isinstance(store, SqliteStore):
            assert {path.name for path in store.path.parent.iterdir()} - {path.name for path in files} <= {
                f"{store.path.name}.wlock"
            }


def test_it_is_not_upgraded_unasked(old: Store) -> None:
    before = state(old)
    for _ in range(2):
        with pytest.raises(SchemaOutdatedError):
            old.engine()
    assert state(old) == before


def test_rows_that_cannot_be_held_are_listed_and_the_database_stays_as_it_was(old: Store) -> None:
    insert_component(old, "n" * 256, "llm", {})
    insert_component(old, "fine", "llm", {"model": "m"})
    insert_session(old, "s" * 256, {})
    before = state(old)
    with pytest.raises(MisfitError) as refused:
        upgrade_in_place(takeover(old))
    assert [reason.partition(":")[0] for reason in refused.value.reasons] == [
        f"components ('{'n' * 256}')",
        f"sessions ('{'s' * 256}')",
    ]
    assert state(old) == before


def test_a_name_that_is_taken_is_told_and_nothing_is_changed(old: Store) -> None:
    old.sql("CREATE TABLE legacy_sessions (mine int)")
    before = state(old)
    with pytest.raises(StorageError, match="legacy_sessions already"):
        upgrade_in_place(takeover(old))
    assert state(old) == before


def test_a_row_that_is_changed_on_its_way_is_found_and_undone(old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(old)
    kind = SqliteTarget if isinstance(old, SqliteStore) else PostgresMoveTarget
    load = kind.load

    def load_and_meddle(self: Any, table: Table, lines: Iterable[bytes]) -> None:
        load(self, table, lines)
        self._connection.execute("UPDATE messages SET document = '{}' WHERE seq = 1 AND session_id = 'chat-minimal'")

    monkeypatch.setattr(kind, "load", load_and_meddle)
    with pytest.raises(VerificationError, match=r"messages \('chat-minimal', 1\) is changed"):
        upgrade_in_place(takeover(old))
    assert state(old) == before


def test_eight_processes_at_once_upgrade_it_once(old: Store) -> None:
    outcomes = [said[-1] for said in all_at_once("take-over", [[told(old)]] * 8, kind=Upgrader)]
    assert sorted(outcomes, key=str) == [*[None] * 7, MOVED]
    assert old.problems() == []
    assert takeover(old).kept() == KEPT


@pytest.mark.parametrize("rows", [1, 40, 300, 500, 700])
def test_a_kill_at_any_row_leaves_it_as_it_was_and_the_next_try_succeeds(old: Store, rows: int) -> None:
    before = state(old)
    with Upgrader("take-over", told(old)) as worker:
        assert worker.line() == "ready"
        worker.go()
        for _ in range(rows):
            assert isinstance(worker.line(), list)
        worker.kill()
    assert state(old) == before
    assert upgrade_in_place(takeover(old)) is not None
    assert {name: len(rows) for name, rows in old.rows().items()} == MOVED
    assert old.problems() == []


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(new_store: NewStore) -> None:
    for part in (None, 0.02, 0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1):
        old = frozen(new_store, "sqlite")
        before = state(old)
        with Upgrader("take-over", told(old)) as worker:
            assert worker.line() == "ready"
            started = time.monotonic()
            worker.go()
            if part is None:
                worker.wait()
                whole = time.monotonic() - started
            else:
                time.sleep(part * whole)
                worker.kill()
        if old.sql("SELECT 1 FROM sqlite_master WHERE name = 'store_meta'"):
            assert {name: len(rows) for name, rows in old.rows().items()} == MOVED
            assert takeover(old).kept() == KEPT
        else:
            assert state(old) == before


def test_on_sqlite_a_backup_is_made_and_only_the_owner_reads_both(new_store: NewStore, tmp_path: Path) -> None:
    old = frozen(new_store, "sqlite")
    assert isinstance(old, SqliteStore)
    old.path.chmod(0o644)
    before = original(old)
    upgrade_in_place(takeover(old))
    backup = old.path.with_name(old.path.name + ".schema-0.4.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == stat.S_IMODE(old.path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert original(SqliteStore(backup)) == before
    again = tmp_path / "again.db"
    shutil.copyfile(backup, again)
    assert upgrade_in_place(takeover(SqliteStore(again))) is not None
    assert SqliteStore(again).rows() == old.rows()


def test_rows_that_an_old_program_wrote_and_left_in_a_hot_wal_come_along(new_store: NewStore) -> None:
    old = frozen(new_store, "sqlite")
    assert isinstance(old, SqliteStore)
    with ForeignProgram() as program:
        program.sql(old.path, "PRAGMA journal_mode = wal")
        program.sql(old.path, "INSERT INTO agent_history VALUES (7, 'A', 'late', '2025-06-01 12:00:00', 'user', '\"x\"')")
        assert old.path.with_name(old.path.name + "-wal").stat().st_size > 0
        upgrade_in_place(takeover(old))
        assert program.sql(old.path, "SELECT message_count FROM sessions WHERE session_id = 'late'") == [[1]]
    assert old.problems() == []


def test_on_postgresql_the_names_of_indexes_and_sequences_are_those_of_a_new_database(new_store: NewStore) -> None:
    old, new = frozen(new_store, "postgresql"), new_store("postgresql", schema=True)
    upgrade_in_place(takeover(old))
    query = (
        "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('i', 'S')"
    )
    there = set(old.sql(query))
    assert {name for name, _ in there if not name.startswith("legacy_")} == {name for name, _ in new.sql(query)}
    assert ("legacy_components_pkey", "i") in there
    assert ("legacy_agent_history_id_seq", "S") in there
    takeover(old).drop_kept()
    assert sorted(old.sql(query)) == sorted(new.sql(query))


def test_on_postgresql_a_role_that_does_not_own_the_tables_is_told_so(new_store: NewStore) -> None:
    old = frozen(new_store, "postgresql")
    assert isinstance(old, PostgresStore)
    role = f"weak_{old.target.dbname}"
    old.sql(f"CREATE ROLE {role} LOGIN", f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
    for table in OLD:
        old.sql(f"GRANT ALL ON {table} TO {role}")
    before = state(old)
    try:
        weak = PostgresStore(replace(old.target, user=role))
        with pytest.raises(StorageError, match="permission"):
            upgrade_in_place(takeover(weak))
    finally:
        old.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert state(old) == before
