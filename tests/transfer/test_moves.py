"""What was in the source is in the target, whatever it was, in every direction; and the target works from then on."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from aurite.config.manager import ConfigManager
from aurite.model.records import Author, Create, NewMessage, NewRun, NewSession
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing.samples import llm_document
from aurite.transfer.migrate import MoveReport, migrate
from tests.clusters import Server
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, PostgresStore, Rows, SqliteStore, Store, in_order, sample
from tests.transfer.strategies import databases

AUTHOR = Author("python")


def digests(report: MoveReport) -> dict[str, str]:
    return {table.table: table.digest for table in report.tables}


def counts(report: MoveReport) -> dict[str, tuple[int, int, int]]:
    return {table.table: (table.read, table.written, table.verified) for table in report.tables}


def filled(new_store: NewStore, engine: str, rows: Rows | None = None, *, version: int = 7) -> Store:
    store = new_store(engine, schema=True)
    store.fill(sample() if rows is None else rows, version=version)
    return store


def meta(store: Store) -> tuple[int, str]:
    version, identity = store.sql("SELECT config_version, store_id FROM store_meta")[0]
    return version, identity


@pytest.mark.parametrize("schema", [False, True], ids=["into nothing", "into an empty schema"])
def test_everything_arrives_and_is_accounted_for(new_store: NewStore, engine: str, other_engine: str, schema: bool) -> None:
    source, target = filled(new_store, engine), new_store(other_engine, schema=schema)
    report = migrate(source.movable, target.movable)
    assert target.rows() == source.rows() == sample()
    assert counts(report) == {name: (len(rows),) * 3 for name, rows in sample().items()}
    assert (report.verified, report.dry_run, dict(report.conflicts)) == (True, False, {})
    assert dict(report.target_rows) == dict.fromkeys(EMPTY, 0)
    assert (report.source, report.target) == (source.movable.location, target.movable.location)
    assert target.problems() == []


def test_any_database_goes_there_and_back(postgres_server: Server, postgres_template: str) -> None:
    name = postgres_server.create_database(template=postgres_template)
    server = PostgresStore(postgres_server.target(name))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(databases())
    def there_and_back(rows: Rows) -> None:
        server.clear()
        with TemporaryDirectory() as folder:
            first, last = SqliteStore(Path(folder) / "first.db"), SqliteStore(Path(folder) / "last.db")
            first.fill(rows)
            there = migrate(first.movable, server.movable)
            assert server.rows() == rows
            back = migrate(server.movable, last.movable)
            assert last.rows() == rows
            assert digests(there) == digests(back)

    there_and_back()
    postgres_server.drop_database(name)


def test_digests_depend_on_the_content_alone(new_store: NewStore) -> None:
    reports = [migrate(filled(new_store, engine).movable, new_store("sqlite").movable) for engine in ("sqlite", "postgresql")]
    other = sample()
    other["sessions"][0] = (*other["sessions"][0][:6], "", *other["sessions"][0][7:])
    changed = migrate(filled(new_store, "sqlite", other).movable, new_store("sqlite").movable)
    assert digests(reports[0]) == digests(reports[1])
    assert {name for name, digest in digests(changed).items() if digest != digests(reports[0])[name]} == {"sessions"}


def test_an_empty_database_moves_too(new_store: NewStore, engine: str, other_engine: str) -> None:
    target = new_store(other_engine)
    report = migrate(filled(new_store, engine, EMPTY).movable, target.movable)
    assert target.rows() == EMPTY
    assert report.config_version == meta(target)[0] == 8


def test_the_first_create_and_the_first_append_work_afterwards(new_store: NewStore, engine: str, other_engine: str) -> None:
    target = new_store(other_engine)
    migrate(filled(new_store, engine).movable, target.movable)
    database = target.engine()
    components, sessions = SqlComponentStore(database), SqlSessionStore(database)
    written = components.write([Create("llm", "new", llm_document("new"))], author=AUTHOR)
    assert sessions.append("agent-a", [NewMessage("user", "{}")]) == 41
    sessions.start_run(NewSession("agent-new", "agent", "x"), NewRun("run-new"), [NewMessage("user", "{}")])
    assert written.version == 9
    assert {component.revision for component in components.load().components.values()} == {1, 2, 3, 4, 9}
    assert [revision.writer for revision in components.history("agent", "m")] == ["export"]
    assert database.check() == []
    database.close()


@pytest.mark.parametrize(("of_source", "of_target"), [(7, 3), (3, 7)])
def test_the_counter_becomes_the_higher_one_plus_one(
    new_store: NewStore, engine: str, other_engine: str, of_source: int, of_target: int
) -> None:
    source = filled(new_store, engine, version=of_source)
    target = filled(new_store, other_engine, EMPTY, version=of_target)
    report = migrate(source.movable, target.movable)
    assert report.config_version == meta(target)[0] == 8
    assert meta(source)[0] == of_source


def test_the_identity_of_a_store_and_marks_of_writers_stay_behind(new_store: NewStore, engine: str, other_engine: str) -> None:
    source, target = filled(new_store, engine), new_store(other_engine)
    target.create()
    before = meta(target)[1]
    if engine == "sqlite":
        source.sql("UPDATE store_meta SET writer = 'left over'")
    migrate(source.movable, target.movable)
    assert meta(target)[1] == before != meta(source)[1]
    if other_engine == "sqlite":
        assert target.sql("SELECT writer FROM store_meta") == [(None,)]
    by_hand = "INSERT INTO components (type, name, document) VALUES ('llm', 'by hand', '{}')"
    target.sql(by_hand)  # the triggers for edits by hand are awake again
    assert target.sql("SELECT writer, revision FROM components WHERE name = 'by hand'") == [("sql", 9)]


def test_a_process_that_listens_hears_of_the_move(new_store: NewStore, postgres: PostgresTarget) -> None:
    database = PostgresDatabase(postgres)
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    assert manager.list_configs("llm") == []
    migrate(filled(new_store, "sqlite").movable, PostgresStore(postgres).movable)
    deadline = time.monotonic() + 5
    while not manager.list_configs("llm") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {config["name"] for config in manager.list_configs("llm")} == {"m", "M", "\U0001f600"}
    database.close()


@pytest.mark.parametrize("there", ["schema", "empty file"])
def test_a_process_that_has_the_target_open_sees_the_move(new_store: NewStore, tmp_path: Path, there: str) -> None:
    path = tmp_path / "open.db"
    if there == "empty file":
        path.touch()
        migrate(filled(new_store, "postgresql").movable, SqliteStore(path).movable)
        assert SqliteStore(path).rows() == sample()
        return
    database = SqliteDatabase(path)
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    assert manager.list_configs("llm") == []
    migrate(filled(new_store, "postgresql").movable, SqliteStore(path).movable)
    assert len(manager.list_configs("llm")) == 3
    database.close()


def test_a_dry_run_tells_and_changes_nothing(new_store: NewStore, engine: str, other_engine: str) -> None:
    source, target = filled(new_store, engine), new_store(other_engine)
    report = migrate(source.movable, target.movable, dry_run=True)
    assert counts(report) == {name: (len(rows), 0, 0) for name, rows in sample().items()}
    assert (report.dry_run, report.verified) == (True, False)
    assert target.rows() == EMPTY
    if isinstance(target, SqliteStore):
        assert not target.path.exists()
    there = filled(new_store, other_engine, sample(prefix="there-"))
    before = there.rows(), meta(there)
    assert migrate(source.movable, there.movable, dry_run=True).target_rows["messages"] == 41
    assert (there.rows(), meta(there)) == before


def test_without_the_proof_the_report_says_so(new_store: NewStore, engine: str, other_engine: str) -> None:
    target = new_store(other_engine)
    report = migrate(filled(new_store, engine).movable, target.movable, verify=False)
    assert target.rows() == sample()
    assert report.verified is False
    assert counts(report)["messages"] == (41, 41, 0)


def test_progress_tells_each_table_and_its_end(new_store: NewStore, engine: str) -> None:
    told: list[tuple[str, str, int, int]] = []
    source = filled(new_store, "sqlite", sample(messages=1200))
    migrate(source.movable, new_store(engine).movable, progress=lambda *said: told.append(said))
    assert [said for said in told if said[1] == "messages"] == [
        (what, "messages", done, 1201) for what in ("copy", "verify") for done in (500, 1000, 1201)
    ]
    assert {said[1] for said in told if said[0] == "verify"} == set(EMPTY)


def test_a_move_to_a_schema_of_a_database_leaves_the_other_schemas(postgres: PostgresTarget, new_store: NewStore) -> None:
    default, own = PostgresStore(postgres), PostgresStore(replace(postgres, schema='odd "name"'))
    default.fill(sample(prefix="x-"))
    migrate(default.movable, own.movable)
    own_rows = own.rows()
    migrate(filled(new_store, "sqlite").movable, own.movable, on_conflict="skip")
    assert default.rows() == own_rows == sample(prefix="x-")
    assert len(own.rows()["messages"]) == 82


def test_files_of_a_new_target_are_for_its_owner_alone(new_store: NewStore, tmp_path: Path) -> None:
    target = SqliteStore(tmp_path / "not" / "yet" / "there.db")
    migrate(filled(new_store, "postgresql").movable, target.movable)
    assert target.rows() == in_order(sample())
    assert {file.name: file.stat().st_mode & 0o777 for file in target.path.parent.iterdir()} == {"there.db": 0o600}
    assert target.sql("PRAGMA journal_mode") == [("wal",)]
