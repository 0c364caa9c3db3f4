"""A backup holds everything, proves itself, notices a single flipped byte, and comes back into either database."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import apsw
import pytest
from hypothesis import HealthCheck, given, settings

from aurite.errors import (
    NotAuriteDatabaseError,
    SameStoreError,
    StorageError,
    StoreUnavailableError,
    TargetNotEmptyError,
    VerificationError,
)
from aurite.storage.backup.file import BackupFile, Draft
from aurite.storage.backup.manifest import Manifest
from aurite.storage.backup.seal import seal_of
from aurite.storage.tables import TABLES
from aurite.transfer import backup as backups
from aurite.transfer.backup import BackupReport, back_up, check_backup, restore
from aurite.transfer.migrate import migrate
from tests.clusters import Server
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, PostgresStore, Rows, SqliteStore, Store, in_order, sample
from tests.transfer.programs import Mover
from tests.transfer.strategies import databases

DATA = Path(__file__).parents[1] / "data"


class Backer(Mover):
    module: ClassVar[str] = "tests.transfer.backup_worker"


def made(store: Store, path: Path, *, overwrite: bool = False) -> BackupReport:
    engine = "sqlite" if isinstance(store, SqliteStore) else "postgresql"
    return back_up(store.movable, BackupFile(path), engine=engine, overwrite=overwrite)


def filled(new_store: NewStore, engine: str, rows: Rows | None = None) -> Store:
    store = new_store(engine, schema=True)
    store.fill(sample() if rows is None else rows)
    return store


def differences(path: Path) -> tuple[str, ...]:
    return check_backup(BackupFile(path)).differences


def noted(manifest: Manifest) -> dict[str, int]:
    return {entry.table.name: entry.rows for entry in manifest.tables}


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_everything_is_in_the_backup_and_comes_back(new_store: NewStore, engine: str, other_engine: str, tmp_path: Path) -> None:
    source, target, path = filled(new_store, engine), new_store(other_engine), tmp_path / "kept" / "backup.db"

    report = made(source, path)

    assert {entry.table.name: entry.rows for entry in report.manifest.tables} == {
        name: len(rows) for name, rows in sample().items()
    }
    assert (report.manifest.engine, report.manifest.location) == (engine, source.movable.location)
    assert names_in(path.parent) == {"backup.db"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert differences(path) == ()

    restored = restore(BackupFile(path), target.movable)

    assert target.rows() == source.rows() == sample()
    assert restored.verified
    assert restored.source == str(path)
    assert target.problems() == []
    assert differences(path) == ()
    assert names_in(path.parent) == {"backup.db"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=databases())
def test_any_database_comes_back_as_it_was(rows: Rows, postgres_server: Server, postgres_template: str) -> None:
    with TemporaryDirectory() as folder:
        source, first, path = SqliteStore(Path(folder) / "a.db"), SqliteStore(Path(folder) / "b.db"), Path(folder) / "backup.db"
        name = postgres_server.create_database(template=postgres_template)
        try:
            second = PostgresStore(postgres_server.target(name))
            source.fill(rows)
            made(source, path)
            assert differences(path) == ()
            restore(BackupFile(path), second.movable)
            made(second, path, overwrite=True)
            restore(BackupFile(path), first.movable)
            assert first.rows() == second.rows() == rows
        finally:
            postgres_server.drop_database(name)


def test_a_backup_is_a_database_that_can_be_used_and_stays_the_same_while_it_is_only_read(
    new_store: NewStore, engine: str, tmp_path: Path
) -> None:
    path = tmp_path / "backup.db"
    made(filled(new_store, engine), path)
    before = path.read_bytes()
    used = SqliteStore(path)

    assert used.problems() == []
    assert used.rows() == sample()
    assert path.read_bytes() == before
    assert differences(path) == ()

    used.sql("UPDATE store_meta SET writer = 'test'", "DELETE FROM session_tags")
    assert differences(path) != ()


def test_every_flipped_byte_is_found_and_refused(tmp_path: Path) -> None:
    source, path, damaged = SqliteStore(tmp_path / "a.db"), tmp_path / "backup.db", tmp_path / "damaged.db"
    source.fill(sample(messages=5))
    made(source, path)
    whole = path.read_bytes()
    places = [*range(0, 128, 3), *range(128, len(whole), len(whole) // 300)]
    for place in places:
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x04]) + whole[place + 1 :])
        target = SqliteStore(tmp_path / "target.db")
        with pytest.raises(StorageError):
            restore(BackupFile(damaged), target.movable)
        assert not target.path.exists()
        with suppress(NotAuriteDatabaseError):  # not even its manifest can be read, which is found, too
            assert differences(damaged), f"byte {place}"
    assert differences(path) == ()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE messages SET document = '{\"x\": 1}' WHERE seq = 7", "messages ('agent-a', 7) is changed"),
        ("UPDATE components SET document = upper(document) WHERE name = 'M'", "components ('llm', 'M') is changed"),
        ("UPDATE runs SET error = 'x' WHERE run_id = 'run-2'", "runs ('run-2') is changed"),
        ("DELETE FROM messages WHERE seq = 7", "messages ('agent-a', 1) is the first of up to 1,000, of which 1 is missing"),
        ("INSERT INTO session_tags VALUES ('agent-a', 'new', 1)", "session_tags ('agent-a', 'new') is changed"),
    ],
)
def test_a_tampered_row_is_named_by_table_and_key(tmp_path: Path, statement: str, told: str) -> None:
    source, path = SqliteStore(tmp_path / "a.db"), tmp_path / "backup.db"
    source.fill(sample())
    made(source, path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE store_meta SET writer = 'test'").fetchall()
    connection.execute(statement).fetchall()
    connection.close()

    assert differences(path) == (told,)
    with pytest.raises(VerificationError) as caught:
        restore(BackupFile(path), SqliteStore(tmp_path / "target.db").movable)
    assert caught.value.differences == (told,)
    assert "aurite migrate --source-path" in str(caught.value)
    assert not (tmp_path / "target.db").exists()


def test_damage_is_found_in_the_middle_of_many_rows(tmp_path: Path) -> None:
    source, path = SqliteStore(tmp_path / "a.db"), tmp_path / "backup.db"
    source.fill(sample(messages=3500))
    made(source, path)
    SqliteStore(path).sql(
        "UPDATE messages SET created_at = 1 WHERE seq = 1001", "DELETE FROM messages WHERE seq BETWEEN 2400 AND 2402"
    )
    assert differences(path) == (
        "messages ('agent-a', 1001) is changed",
        "messages ('agent-a', 2001) is the first of up to 1,000, of which 3 are missing",
    )


def test_the_seal_is_the_same_in_whichever_pieces_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, word = tmp_path / "file", "0123456789abcdef" * 4
    path.write_bytes(b"x" * 1000 + word.encode() + b"y" * 700)
    whole = seal_of(path, word)
    assert whole
    for step in (63, 64, 65, 100, 999, 1000, 1001, 1064):
        monkeypatch.setattr("aurite.storage.backup.seal._STEP", step)
        assert seal_of(path, word) == whole
        path.write_bytes(path.read_bytes() * 2)
        assert seal_of(path, word) is None  # it cannot be told which of the two is the seal
        path.write_bytes(b"x" * 1000 + word.encode() + b"y" * 700)
    path.write_bytes(b"x" * 1000 + word.encode() + b"y" * 699 + b"z")
    assert seal_of(path, word) != whole


def test_what_is_no_backup_is_refused(tmp_path: Path, new_store: NewStore) -> None:
    plain = SqliteStore(tmp_path / "plain.db")
    plain.fill(sample())
    text, empty = tmp_path / "text", tmp_path / "empty"
    text.write_text("not a database " * 100)
    empty.touch()
    cases: Mapping[Path, tuple[type[StorageError], str]] = {
        plain.path: (NotAuriteDatabaseError, "aurite migrate --source-path"),
        text: (NotAuriteDatabaseError, "damaged backup"),
        empty: (NotAuriteDatabaseError, "no manifest"),
        tmp_path / "nothing": (StoreUnavailableError, "there is no backup"),
        tmp_path: (StoreUnavailableError, "no file"),
    }
    for path, (kind, words) in cases.items():
        with pytest.raises(kind, match=words):
            check_backup(BackupFile(path))
        with pytest.raises(kind, match=words):
            restore(BackupFile(path), new_store("sqlite").movable)
    assert not (tmp_path / "nothing").exists()


def test_a_file_that_is_there_is_replaced_only_where_asked(tmp_path: Path) -> None:
    source, path = SqliteStore(tmp_path / "a.db"), tmp_path / "backup.db"
    source.fill(sample())
    path.write_text("mine")
    with pytest.raises(StoreUnavailableError, match="--overwrite"):
        made(source, path)
    assert path.read_text() == "mine"
    made(source, path, overwrite=True)
    assert differences(path) == ()
    with pytest.raises(StoreUnavailableError, match="folder"):
        made(source, tmp_path, overwrite=True)


def test_a_backup_never_takes_the_place_of_its_source(tmp_path: Path) -> None:
    source = SqliteStore(tmp_path / "a.db")
    source.fill(sample())
    (tmp_path / "link").symlink_to(source.path)
    os.link(source.path, tmp_path / "hard")
    for name in ("a.db", "link", "hard", "./b/../a.db"):
        (tmp_path / "b").mkdir(exist_ok=True)
        with pytest.raises(SameStoreError):
            made(source, tmp_path / name, overwrite=True)
    assert source.rows() == sample()


def test_a_backup_that_is_in_use_as_a_database_is_not_replaced(tmp_path: Path) -> None:
    source, path = SqliteStore(tmp_path / "a.db"), tmp_path / "backup.db"
    source.fill(sample())
    made(source, path)
    with SqliteStore(path).connection() as user:
        user.execute("SELECT count(*) FROM components").fetchall()
        with pytest.raises(StoreUnavailableError, match="in use"):
            made(source, path, overwrite=True)
    made(source, path, overwrite=True)


def test_a_database_that_is_not_empty_is_merged_only_where_asked(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    made(filled(new_store, "sqlite"), path)
    other = sample(prefix="other ")
    target = filled(new_store, engine, other)

    with pytest.raises(TargetNotEmptyError):
        restore(BackupFile(path), target.movable)
    assert target.rows() == other
    looked = restore(BackupFile(path), target.movable, on_conflict="skip", dry_run=True)
    assert looked.dry_run
    assert target.rows() == other

    restore(BackupFile(path), target.movable, on_conflict="skip")
    assert target.rows()["messages"] == in_order({"messages": [*other["messages"], *sample()["messages"]]})["messages"]


def test_a_backup_of_an_older_schema_comes_back(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    """As an earlier version made it: with the tables of its time."""
    frozen, path = tmp_path / "frozen.db", tmp_path / "old-backup.db"
    shutil.copyfile(DATA / "schema-1" / "database.sqlite", frozen)
    place = BackupFile(path)
    draft = Draft(frozen, place, overwrite=False)
    with draft.proving() as proof:
        assert proof.schema_version() == 1
        old = [table for table in TABLES.values() if table.name != "evaluation_results"]
        tables = tuple(backups._proven(proof, table, 0, lambda *_: None) for table in old)
        manifest = Manifest(1, "0", "sqlite", "there", 1, tables)
        proof.note(manifest)
    draft.seal()
    before = path.read_bytes()

    assert differences(path) == ()
    target = new_store(engine)
    restore(place, target.movable)

    assert path.read_bytes() == before
    rows = target.rows()
    assert noted(manifest) == {name: len(rows[name]) for name in noted(manifest)}
    assert rows["evaluation_results"] == []
    assert target.problems() == []


def test_a_backup_holds_both_or_neither_of_what_was_committed_together(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    source = new_store(engine, schema=True)
    with Mover("write-pairs", source, "components") as writer:
        assert writer.line() == "ready"
        for attempt in range(6):
            while writer.line() < 20 * (attempt + 1):
                pass
            path = tmp_path / f"{attempt}.db"
            made(source, path)
            names = {row[1] for row in SqliteStore(path).rows()["components"]}
            assert len(names) >= 40
            assert {name[2:] for name in names if name[0] == "a"} == {name[2:] for name in names if name[0] == "b"}
            assert differences(path) == ()


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "over another"])
def test_a_backup_killed_at_any_moment_leaves_no_half_file(tmp_path: Path, overwrite: bool) -> None:
    source, path = SqliteStore(tmp_path / "a.db"), tmp_path / "kept" / "backup.db"
    source.fill(sample())
    path.parent.mkdir()
    if overwrite:
        made(source, path)
    before = path.read_bytes() if overwrite else None
    ended = 0
    for moment in range(28):
        with Backer("back_up", source, str(path), "overwrite" if overwrite else "new") as worker:
            assert worker.line() == "ready"
            worker.go()
            for _ in range(moment * 8):
                if worker.line() is None:
                    break
            time.sleep((moment % 5) / 1000)
            worker.kill()
        if path.exists() and (before is None or path.read_bytes() != before):
            ended += 1
            assert differences(path) == ()
            if not overwrite:
                path.unlink()
    assert source.rows() == sample()
    made(source, path, overwrite=overwrite)
    assert names_in(path.parent) == {"backup.db"}
    assert differences(path) == ()
    assert 0 < ended < 28


@pytest.mark.slow
def test_a_restore_killed_at_any_moment_leaves_the_database_complete_or_untouched(
    new_store: NewStore, engine: str, tmp_path: Path
) -> None:
    path, ended = tmp_path / "backup.db", 0
    made(filled(new_store, "sqlite"), path)
    for moment in range(16):
        target = new_store(engine)
        with Backer("restore", str(path), target) as worker:
            assert worker.line() == "ready"
            worker.go()
            for _ in range(moment * 15):
                if worker.line() is None:
                    break
            time.sleep((moment % 4) / 1000)
            worker.kill()
        if isinstance(target, PostgresStore):
            time.sleep(0.1)  # the server may be about to commit
        if target.rows() != EMPTY:
            ended += 1
            assert target.rows() == sample()
        else:
            restore(BackupFile(path), target.movable)
            assert target.rows() == sample()
    assert 0 < ended < 16
    assert differences(path) == ()


def test_a_move_out_of_a_backup_leaves_its_manifest_behind(new_store: NewStore, tmp_path: Path) -> None:
    path, target = tmp_path / "backup.db", new_store("sqlite")
    made(filled(new_store, "sqlite"), path)
    migrate(SqliteStore(path).movable, target.movable)
    assert target.rows() == sample()
    assert isinstance(target, SqliteStore)
    tables = {name for (name,) in target.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not {name for name in tables if name.startswith("backup")}
