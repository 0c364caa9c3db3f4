"""The traps of SQLite and apsw that were measured before the store was written; each test fails where one is stepped into."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from aurite.errors import InvalidValueError, StoreBusyError, StoreUnavailableError
from aurite.model.jsontext import decode
from aurite.model.records import Author, Create, NewMessage, NewRun, NewSession, Put, Snapshot
from aurite.storage.components import SqlComponentStore
from aurite.storage.schema import migrations, split
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite import database as sqlite
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.statements import statements
from aurite.testing.samples import agent_document, llm_document
from tests.processes.programs import ForeignError, ForeignProgram, Worker

AUTHOR = Author("python")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "aurite.db")
    yield opened
    opened.close()


@pytest.fixture
def store(database: SqliteDatabase) -> SqlComponentStore:
    return SqlComponentStore(database)


@pytest.fixture
def foreign() -> Iterator[ForeignProgram]:
    with ForeignProgram() as program:
        yield program


# Statements.


def test_a_statement_that_returns_rows_is_read_to_its_end_before_the_commit(database: SqliteDatabase) -> None:
    count_to_thousand = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n"
    with database.transaction() as work:
        assert work.row("UPDATE store_meta SET config_version = config_version + 1 RETURNING config_version") == (1,)
        assert work.row(count_to_thousand) == (1,)
        work.run(count_to_thousand)
        work.run_many("SELECT ?1 UNION ALL SELECT ?1 + 1", [(1,), (2,)])
        work.run("UPDATE store_meta SET config_version = config_version + 1 RETURNING config_version")
    assert database.config_version() == 2


def test_a_commit_beside_a_statement_that_was_left_half_way_is_what_the_reading_to_the_end_avoids(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "trap.db"))
    connection.execute("CREATE TABLE t (i)").fetchall()
    connection.execute("BEGIN IMMEDIATE").fetchall()
    left = connection.execute("INSERT INTO t VALUES (1), (2) RETURNING i")
    with pytest.raises(apsw.BusyError):
        connection.execute("COMMIT").fetchall()
    left.close(True)
    connection.close(True)


def test_each_named_statement_is_one_statement() -> None:
    named = [text for file in ("components", "sessions") for text in statements(file, "sqlite").values()]
    assert len(named) > 20
    for text in named:
        assert ";" not in text.strip().rstrip(";"), text
        assert apsw.complete(text.strip().rstrip(";") + ";")


def test_each_statement_of_a_migration_is_carried_out(database: SqliteDatabase) -> None:
    for migration in migrations("sqlite"):
        created = re.findall(r"^CREATE (?:TABLE|INDEX|UNIQUE INDEX|TRIGGER|VIEW) (\w+)", migration.script, re.MULTILINE)
        assert len(list(split(migration.script))) >= len(created) > 0
        with database.snapshot() as view:
            assert set(created) <= {name for (name,) in view.rows("SELECT name FROM sqlite_master")}


# Connections.


def connection_of(view: Any) -> int:
    """Which of apsw's connections a transaction runs on."""
    return id(view._connection)


def test_a_connection_is_leased_to_one_thread_at_a_time(database: SqliteDatabase) -> None:
    together = threading.Barrier(8)

    def connection(_: int) -> int:
        with database.snapshot() as view:
            together.wait(10)
            return connection_of(view)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert len(set(pool.map(connection, range(8)))) == 8


def test_connections_are_used_again(database: SqliteDatabase) -> None:
    def connection() -> int:
        with database.snapshot() as view:
            return connection_of(view)

    assert len({connection() for _ in range(20)}) == 1


def test_a_connection_comes_back_when_its_work_failed(database: SqliteDatabase) -> None:
    for _ in range(20):
        with suppress(LookupError), database.transaction() as work:
            work.run("UPDATE store_meta SET config_version = config_version + 1")
            raise LookupError
        with suppress(LookupError), database.snapshot():
            raise LookupError
    assert len(database._idle) <= 2
    assert database.config_version() == 0
    assert not any(connection.in_transaction for connection in database._idle)


@pytest.mark.parametrize(("synchronous", "expected"), [("OFF", 0), ("NORMAL", 1), ("FULL", 2), ("EXTRA", 3)])
def test_pragmas_are_set_on_every_connection(tmp_path: Path, synchronous: str, expected: int) -> None:
    database = SqliteDatabase(tmp_path / "aurite.db", synchronous=synchronous)
    with ExitStack() as opened:
        views = [opened.enter_context(database.snapshot()) for _ in range(4)]
        assert len({connection_of(view) for view in views}) == 4
        for view in views:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
            assert [view.row(f"PRAGMA {name}") for name in pragmas] == [("wal",), (expected,), (1,), (0,)]
    database.close()


def test_a_commit_is_on_disk_by_default(database: SqliteDatabase) -> None:
    with database.snapshot() as view:
        assert view.row("PRAGMA synchronous") == (2,)


def test_a_pragma_that_is_not_taken_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sqlite._SYNCHRONOUS, "FULL", 7)  # no such value: SQLite takes another one and says nothing
    with pytest.raises(StoreUnavailableError, match="synchronous"):
        SqliteDatabase(tmp_path / "aurite.db")


def test_a_foreign_key_holds_on_every_connection(database: SqliteDatabase) -> None:
    with pytest.raises(InvalidValueError, match="foreign key"), database.alone() as connection:
        connection.execute(
            "INSERT INTO runs (run_id, session_id, status, started_at) VALUES ('r', 'none', 'running', 1)"
        ).fetchall()


# Files and locks.


def test_all_files_of_a_database_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = SqliteDatabase(tmp_path / "deep" / "aurite.db")
        SqlComponentStore(database).write([Create("llm", "a", llm_document("a"))], author=AUTHOR)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in database.path.parent.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("aurite.db", "aurite.db-wal", "aurite.db-shm", "aurite.db.wlock"), 0o600)


def test_a_foreign_program_that_holds_the_database_is_waited_for_and_then_named(
    database: SqliteDatabase, foreign: ForeignProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 300)
    patient = SqliteDatabase(database.path)
    store = SqlComponentStore(patient)
    store.write([Create("llm", "a", llm_document("a", v=1))], author=AUTHOR)
    foreign.sql(database.path, "BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(StoreBusyError):
        store.write([Put("llm", "a", llm_document("a", v=2))], author=AUTHOR)
    assert 0.25 <= time.monotonic() - started < 3
    assert store.load().components["llm", "a"].document == llm_document("a", v=1), "readers wait for nobody"
    foreign.sql(database.path, "COMMIT")
    store.write([Put("llm", "a", llm_document("a", v=3))], author=AUTHOR)
    assert patient.check() == []
    patient.close()


def test_a_write_goes_on_when_a_foreign_program_lets_go_in_time(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    foreign.sql(database.path, "BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, foreign.sql, (database.path, "COMMIT"))
    timer.start()
    store.write([Create("llm", "a", llm_document("a"))], author=AUTHOR)
    timer.join()
    assert store.version() == 1


def test_a_foreign_program_that_reads_stops_no_writer(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    foreign.sql(database.path, "BEGIN")
    assert foreign.sql(database.path, "SELECT count(*) FROM components") == [[0]]
    started = time.monotonic()
    store.write([Create("llm", "a", llm_document("a"))], author=AUTHOR)
    assert time.monotonic() - started < 2
    assert foreign.sql(database.path, "SELECT count(*) FROM components") == [[0]]
    foreign.sql(database.path, "COMMIT")
    assert foreign.sql(database.path, "SELECT count(*) FROM components") == [[1]]


def test_writers_queue_at_the_lock_before_they_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 100)
    database = SqliteDatabase(tmp_path / "aurite.db")
    store = SqlComponentStore(database)
    with Worker("hold", database.path) as holder, ThreadPoolExecutor(1) as pool:
        assert holder.line() == "ready"
        writing = pool.submit(store.write, [Create("llm", "a", llm_document("a"))], author=AUTHOR)
        time.sleep(0.5)
        assert not writing.done(), "the writer polled the busy database, and gave up"
        holder.kill()
        assert writing.result(10).created == (("llm", "a"),)
    database.close()


# Edits by hand, with Python's own sqlite3.


INSERT = "INSERT INTO components (type, name, document) VALUES (?, ?, ?)"


def history(database: SqliteDatabase, name: str) -> list[tuple[object, ...]]:
    """Revision, change, writer and value of each change of a component."""
    with database.snapshot() as view:
        return view.rows("SELECT revision, change, writer, document FROM component_revisions WHERE name = ?1 ORDER BY 1", name)


def seen(store: SqlComponentStore, since: Snapshot) -> Snapshot:
    """What the store holds now, the same by reading everything and by reading what changed."""
    now = store.load()
    assert store.load_changes(since) == now
    return now


def test_an_edit_by_hand_is_seen_counts_once_and_is_kept(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    documents = [llm_document("a", v=version) for version in range(3)]
    empty = store.load()
    foreign.sql(database.path, INSERT, "llm", "a", documents[0])
    first = seen(store, empty)
    foreign.sql(database.path, "UPDATE components SET document = ? WHERE name = 'a'", documents[1])
    second = seen(store, first)
    foreign.sql(database.path, "DELETE FROM components WHERE name = 'a'")
    third = seen(store, second)
    foreign.sql(database.path, "INSERT OR REPLACE INTO components (type, name, document) VALUES ('llm', 'a', ?)", documents[2])
    fourth = seen(store, third)
    assert [snapshot.version for snapshot in (empty, first, second, third, fourth)] == [0, 1, 2, 3, 4]
    assert [[found.document for found in snapshot.components.values()] for snapshot in (first, second, third, fourth)] == [
        [documents[0]],
        [documents[1]],
        [],
        [documents[2]],
    ]
    assert history(database, "a") == [
        (1, "create", "sql", documents[0]),
        (2, "update", "sql", documents[1]),
        (3, "delete", "sql", None),
        (4, "create", "sql", documents[2]),
    ]
    (component,) = fourth.components.values()
    assert (component.revision, component.writer) == (4, "sql")
    assert abs(component.updated_at - time.time_ns() // 1000) < 10_000_000
    assert database.check() == []


def test_an_edit_by_hand_of_what_aurite_wrote_is_seen_and_the_other_way_round(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    store.write([Create("llm", "a", llm_document("a", v=1)), Create("llm", "b", llm_document("b"))], author=AUTHOR)
    before = store.load()
    foreign.sql(database.path, "UPDATE components SET document = json_set(document, '$.v', 2) WHERE name = 'a'")
    by_hand = seen(store, before)
    assert by_hand.components["llm", "a"].config()["v"] == 2
    assert by_hand.components["llm", "b"] == before.components["llm", "b"]
    store.write([Put("llm", "a", llm_document("a", v=3))], author=AUTHOR)
    after = seen(store, by_hand)
    assert (after.version, after.components["llm", "a"].writer) == (3, "python")
    assert [row[:3] for row in history(database, "a")] == [(1, "create", "python"), (2, "update", "sql"), (3, "update", "python")]


def test_an_upsert_and_a_rename_by_hand_are_seen(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    store.write([Create("llm", "a", llm_document("a", v=1))], author=AUTHOR)
    before = store.load()
    upsert = INSERT + " ON CONFLICT (type, name) DO UPDATE SET document = excluded.document"
    foreign.sql(database.path, upsert, "llm", "a", llm_document("a", v=2))
    upserted = seen(store, before)
    assert upserted.version == 2
    foreign.sql(database.path, "UPDATE components SET name = 'b', document = json_set(document, '$.name', 'b') WHERE name = 'a'")
    renamed = seen(store, upserted)
    assert renamed.version == 3
    assert {key: found.config() for key, found in renamed.components.items()} == {("llm", "b"): decode(llm_document("b", v=2))}
    assert [row[1] for row in history(database, "a")] == ["create", "update", "delete"]
    assert [row[1] for row in history(database, "b")] == ["create"]


def test_an_edit_by_hand_of_many_rows_is_seen_whole(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    store.write([Create("llm", f"m{number}", llm_document(f"m{number}")) for number in range(5)], author=AUTHOR)
    before = store.load()
    foreign.sql(database.path, "UPDATE components SET document = json_set(document, '$.model', 'n') WHERE type = 'llm'")
    after = seen(store, before)
    assert after.version > before.version
    assert {found.config()["model"] for found in after.components.values()} == {"n"}
    foreign.sql(database.path, "DELETE FROM components")
    assert not seen(store, after).components


def test_an_edit_by_hand_that_is_rolled_back_leaves_no_trace(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    foreign.sql(database.path, "BEGIN")
    foreign.sql(database.path, INSERT, "llm", "a", llm_document("a"))
    foreign.sql(database.path, "ROLLBACK")
    assert store.load() == Snapshot(version=0)
    assert history(database, "a") == []


def test_text_that_is_no_json_is_refused_by_the_database_itself(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram
) -> None:
    store.write([Create("llm", "a", llm_document("a"))], author=AUTHOR)
    before = store.load()
    for text in ("", "{", "name: a", '{"a": NaN}', "{'a': 1}"):
        with pytest.raises(ForeignError, match="IntegrityError"):
            foreign.sql(database.path, INSERT, "llm", "b", text)
        with pytest.raises(ForeignError, match="IntegrityError"):
            foreign.sql(database.path, "UPDATE components SET document = ?", text)
    assert store.load() == before


MISFITS: dict[str, tuple[str, str, str, str]] = {
    "a document that lacks a field": ("llm", "bad", '{"type":"llm","name":"bad","provider":"p"}', "model"),
    "a document of another name": ("llm", "bad", llm_document("other"), "other"),
    "a document of another type": ("agent", "bad", llm_document("bad"), "type"),
    "an unknown type": ("robot", "bad", '{"type":"robot","name":"bad"}', "robot"),
    "a document that is no object": ("llm", "bad", "[1, 2]", "list"),
    "a document that is a number out of range": (
        "llm",
        "bad",
        '{"type":"llm","name":"bad","provider":"p","model":"m","x":1e999}',
        "1e999",
    ),
    "a document without a name": ("llm", "bad", '{"type":"llm","provider":"p","model":"m"}', "name"),
    "a name that is not allowed": ("llm", "bad\n", llm_document("bad"), "control"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_misfit_by_hand_becomes_a_problem_and_hides_no_other(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram, case: str
) -> None:
    type_, name, document, reason = MISFITS[case]
    good = {("llm", "a"), ("llm", "z"), ("agent", "a")}
    store.write(
        [Create("llm", "a", llm_document("a")), Create("llm", "z", llm_document("z")), Create("agent", "a", agent_document("a"))],
        author=AUTHOR,
    )
    before = store.load()
    foreign.sql(database.path, INSERT, type_, name, document)
    snapshot = seen(store, before)
    assert set(snapshot.components) == good
    (problem,) = snapshot.problems
    assert (problem.type, problem.name) == (type_, name)
    assert reason in problem.reason
    assert "components" in problem.where
    foreign.sql(
        database.path, "UPDATE components SET type = 'llm', name = 'bad', document = ? WHERE name = ?", llm_document("bad"), name
    )
    mended = seen(store, snapshot)
    assert mended.problems == ()
    assert set(mended.components) == good | {("llm", "bad")}


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        pytest.param("UPDATE components SET document = CAST(document AS BLOB) WHERE name = 'b'", (), id="a document as bytes"),
        pytest.param("UPDATE components SET name = x'62' WHERE name = 'b'", (), id="a name as bytes"),
        pytest.param(
            "UPDATE components SET document = CAST(x'7b226e616d65223a2262ff227d' AS TEXT) WHERE name = 'b'", (), id="not UTF-8"
        ),
        pytest.param("UPDATE components SET provenance = CAST(x'22ff22' AS TEXT) WHERE name = 'b'", (), id="provenance not UTF-8"),
        pytest.param("UPDATE components SET revision = 'x', created_at = 'y' WHERE name = 'b'", (), id="instants as text"),
    ],
)
def test_a_value_of_another_kind_by_hand_is_refused_or_hides_no_other(
    store: SqlComponentStore, database: SqliteDatabase, foreign: ForeignProgram, statement: str, values: tuple[str, ...]
) -> None:
    store.write([Create("llm", name, llm_document(name)) for name in ("a", "b", "c")], author=AUTHOR)
    before = store.load()
    try:
        foreign.sql(database.path, statement, *values)
    except ForeignError:
        assert store.load() == before
        return
    snapshot = seen(store, before)
    assert {("llm", "a"), ("llm", "c")} <= set(snapshot.components)
    for component in snapshot.components.values():
        assert isinstance(component.document, str)
        assert isinstance(component.created_at, int)


def test_a_session_deleted_by_hand_takes_its_rows_along(database: SqliteDatabase, foreign: ForeignProgram) -> None:
    sessions = SqlSessionStore(database)
    for session_id in ("agent-x", "agent-y"):
        sessions.start_run(NewSession(session_id, "agent", "weather"), NewRun(f"run-{session_id}"))
        sessions.append(session_id, [NewMessage("user", "{}")])
        sessions.tag(session_id, add=["t"])
    foreign.sql(database.path, "DELETE FROM sessions WHERE session_id = 'agent-x'")
    assert (sessions.messages("agent-x"), sessions.runs("agent-x")) == ([], [])
    assert len(sessions.messages("agent-y")) == 1
    assert database.check() == []


def test_writing_sessions_leaves_the_counter_of_components_alone(database: SqliteDatabase) -> None:
    sessions = SqlSessionStore(database)
    sessions.start_run(NewSession("agent-x", "agent", "weather"), NewRun("r"))
    sessions.append("agent-x", [NewMessage("user", "{}")])
    sessions.delete(["agent-x"])
    assert database.config_version() == 0
