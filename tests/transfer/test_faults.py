"""Whatever breaks, wherever: the target is as before or complete, the error tells, and the same move works afterwards."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aurite.errors import (
    AuriteError,
    InvalidValueError,
    OutcomeUnknownError,
    StorageError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
)
from aurite.storage.postgres.target import PostgresTarget
from aurite.transfer.migrate import migrate
from tests.clusters import Cluster, Server
from tests.transfer.conftest import NewStore
from tests.transfer.cutting import CutLine
from tests.transfer.databases import EMPTY, PostgresStore, Rows, SqliteStore, Store, sample
from tests.transfer.programs import Mover

CUTS = 24


@pytest.fixture
def server_port(postgres_server: Server, postgres: PostgresTarget) -> int:
    assert isinstance(postgres_server, Cluster) or str(postgres.host) in {"127.0.0.1", "localhost"}
    return int(postgres.port)


def digests_of(source: Store, new_store: NewStore) -> dict[str, str]:
    report = migrate(source.movable, new_store("sqlite").movable)
    return {table.table: table.digest for table in report.tables}


def settled(store: Store) -> Rows:
    """What it holds once the server has noticed that its client is gone."""
    if isinstance(store, PostgresStore):
        deadline = time.monotonic() + 10
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while store.sql(others) != [(0,)] and time.monotonic() < deadline:
            time.sleep(0.02)
    return store.rows()


def places(total: int) -> list[int]:
    """Where to cut: all over, and closely at the end, where the 12 bytes of COMMIT pass."""
    return [*range(1, total, total // CUTS + 1), *range(max(total - 130, 2), total + 1, 9)]


def through(store: PostgresStore, line: CutLine) -> PostgresStore:
    return PostgresStore(replace(store.target, host="127.0.0.1", port=line.port))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_line_that_is_cut_anywhere_leaves_the_target_empty_or_complete(new_store: NewStore, server_port: int, way: str) -> None:
    source = new_store("sqlite", schema=True)
    source.fill(sample())
    expected = digests_of(source, new_store)
    whole = new_store("postgresql")
    assert isinstance(whole, PostgresStore)
    with CutLine(server_port) as line:
        migrate(source.movable, through(whole, line).movable)
        total = line.passed[way]
    target, outcomes = new_store("postgresql"), set()
    assert isinstance(target, PostgresStore)
    for place in places(total):
        with CutLine(server_port, up=place if way == "up" else None, down=place if way == "down" else None) as line:
            error: AuriteError | None = None
            try:
                migrate(source.movable, through(target, line).movable)
            except StorageError as raised:
                error = raised
        there = settled(target)
        outcomes.add(type(error).__name__)
        if error is None:
            assert there == sample()
        elif isinstance(error, OutcomeUnknownError):
            assert there in (EMPTY, sample())
        else:
            assert isinstance(error, StoreUnavailableError)
            assert there == EMPTY, f"cut at byte {place} of {total}: {error}"
        again = migrate(source.movable, target.movable, on_conflict="replace")
        assert there != EMPTY or {table.table: table.digest for table in again.tables} == expected
        assert target.rows()["messages"] == sample()["messages"]
        target.sql("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert {"StoreUnavailableError", "OutcomeUnknownError"} <= outcomes


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_line_to_the_source_that_is_cut_anywhere_leaves_no_target(
    new_store: NewStore, server_port: int, tmp_path: Path, way: str
) -> None:
    source = new_store("postgresql", schema=True)
    assert isinstance(source, PostgresStore)
    source.fill(sample())
    target = SqliteStore(tmp_path / "cut" / "target.db")
    with CutLine(server_port) as line:
        migrate(through(source, line).movable, SqliteStore(tmp_path / "whole.db").movable)
        total = line.passed[way]
    failed = 0
    for place in places(total):
        with CutLine(server_port, up=place if way == "up" else None, down=place if way == "down" else None) as line:
            try:
                migrate(through(source, line).movable, target.movable)
            except StoreUnavailableError as error:
                failed += str(line.port) in error.message
                assert not target.path.exists()
                assert not target.path.parent.exists() or list(target.path.parent.iterdir()) == []
            else:
                assert target.rows() == sample()
                target.path.unlink()
    assert failed > CUTS - 4
    migrate(source.movable, target.movable)
    assert target.rows() == sample()


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True], ids=["empty target", "target that holds something"])
def test_a_move_that_is_killed_at_any_row_leaves_the_target_as_before_or_complete(
    new_store: NewStore, engine: str, other_engine: str, held: bool
) -> None:
    source = new_store(engine, schema=True)
    source.fill(sample(messages=20))
    own = sample(prefix="own-", messages=2)["sessions"] if held else []
    complete = sorted([*own, *sample(messages=20)["sessions"]])
    outcomes = set()
    for row in (0, 1, 13, 30, 45, 70, 77, 78, 150):  # of 39 rows copied and 39 verified; where rows are staged, verified twice
        target = new_store(other_engine, schema=held)
        if held:
            target.fill({"sessions": own})
        with Mover("move", source, target) as mover:
            assert mover.line() == "ready"
            mover.go()
            for _ in range(row):
                mover.line()
            mover.kill()
        there = settled(target)["sessions"]
        outcomes.add(len(there))
        assert there in (own, complete)
        report = migrate(source.movable, target.movable, on_conflict="skip")
        assert target.rows()["sessions"] == complete
        assert target.rows()["messages"] == sample(messages=20)["messages"]
        if not held and there == own:
            assert all(table.verified == table.read for table in report.tables)
            if isinstance(target, SqliteStore):
                assert [file for file in target.path.parent.iterdir() if file.name.endswith(".draft")] == [], "what was left over"
    assert outcomes == {len(own), len(complete)}


ON_THE_30TH = "NEW.session_id = 'agent-a' AND NEW.seq = 30"


FAILURES: dict[str, tuple[type[AuriteError], str]] = {
    "53100": (StoreFullError, "the disk of"),
    "57014": (StoreBusyError, "took longer than the statement time-out"),
    "23514": (InvalidValueError, "refused a row of"),
    "P0001": (StorageError, "failed (SQLSTATE P0001)"),
    "XX000": (StorageError, "failed (SQLSTATE XX000)"),
}


@pytest.mark.parametrize("state", FAILURES)
@pytest.mark.parametrize("held", [False, True], ids=["empty target", "target that holds something"])
def test_a_server_that_fails_at_the_30th_row_keeps_nothing(new_store: NewStore, engine: str, state: str, held: bool) -> None:
    error, words = FAILURES[state]
    source, target = new_store(engine, schema=True), new_store("postgresql", schema=True)
    source.fill(sample())
    if held:
        target.fill(sample(prefix="own-"))
    before = target.rows()
    target.sql(
        "CREATE FUNCTION evil() RETURNS TRIGGER LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'the row says %', NEW.document USING ERRCODE = '{state}'; END $$",
        f"CREATE TRIGGER evil BEFORE INSERT ON messages FOR EACH ROW WHEN ({ON_THE_30TH}) EXECUTE FUNCTION evil()",
    )
    with pytest.raises(error) as raised:
        migrate(source.movable, target.movable, on_conflict="replace")
    assert words in raised.value.message
    assert "the row says" not in str(raised.value)
    assert target.rows() == before
    target.sql("DROP TRIGGER evil ON messages")
    migrate(source.movable, target.movable, on_conflict="replace")
    assert [row for row in target.rows()["messages"] if row[0] == "agent-a"] == sample()["messages"][:-1]


@pytest.mark.parametrize("held", [False, True], ids=["empty target", "target that holds something"])
def test_a_file_that_fails_at_the_30th_row_keeps_nothing(new_store: NewStore, engine: str, held: bool) -> None:
    source, target = new_store(engine, schema=True), new_store("sqlite", schema=True)
    source.fill(sample())
    if held:
        target.fill(sample(prefix="own-"))
    before = target.rows()
    target.sql(f"CREATE TRIGGER evil BEFORE INSERT ON messages WHEN {ON_THE_30TH} BEGIN SELECT RAISE(ABORT, 'evil'); END")
    with pytest.raises(InvalidValueError) as raised:
        migrate(source.movable, target.movable, on_conflict="replace")
    assert f"the database {target.movable.location} refused a row" in raised.value.message
    assert target.rows() == before
    target.sql("DROP TRIGGER evil")
    migrate(source.movable, target.movable, on_conflict="replace")
    assert [row for row in target.rows()["messages"] if row[0] == "agent-a"] == sample()["messages"][:-1]


def test_a_statement_that_takes_too_long_is_ended_and_keeps_nothing(new_store: NewStore, engine: str) -> None:
    source, target = new_store(engine, schema=True), new_store("postgresql", schema=True)
    source.fill(sample())
    target.sql(
        "CREATE FUNCTION slow() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$",
        "CREATE TRIGGER slow BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    assert isinstance(target, PostgresStore)
    hurried = PostgresStore(replace(target.target, statement_timeout=0.3))
    with pytest.raises(StoreBusyError, match="statement time-out"):
        migrate(source.movable, hurried.movable)
    assert target.rows() == EMPTY


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Makes disks of so many KiB."""
    with TemporaryDirectory() as name:
        mounted: list[Path] = []

        def make(size: int) -> Path:
            place = Path(name) / f"disk-{size}"
            place.mkdir()
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", place], check=False, capture_output=True, text=True
            )
            if done.returncode:
                pytest.skip(f"mounting needs root's powers: {done.stderr.strip()}")
            mounted.append(place)
            return place

        yield make
        for place in mounted:
            subprocess.run(["umount", "--lazy", place], check=True)


def test_a_disk_that_is_full_at_any_moment_keeps_nothing(new_store: NewStore, small_disk: Callable[[int], Path]) -> None:
    source = new_store("sqlite", schema=True)
    source.fill(sample(messages=400))
    outcomes = []
    for size in range(64, 2600, 92):
        target = SqliteStore(small_disk(size) / "target.db")
        try:
            migrate(source.movable, target.movable)
        except StoreFullError as error:
            outcomes.append("target.db" not in error.message)
            assert list(target.path.parent.iterdir()) == []
        else:
            outcomes.append(True)
            assert target.rows() == sample(messages=400)
            assert target.problems() == []
    assert outcomes == sorted(outcomes)
    assert {*outcomes} == {False, True}
