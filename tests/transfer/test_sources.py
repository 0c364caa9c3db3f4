"""Sources as they are found: sound ones are read without a byte changed, all others are refused by what they are."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aurite.errors import (
    AuriteError,
    NotAuriteDatabaseError,
    SameStoreError,
    SchemaTooNewError,
    StorageError,
    StoreUnavailableError,
)
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.moving import SqliteMovable
from aurite.transfer.migrate import migrate
from tests.clusters import Cluster, Server
from tests.processes.programs import ForeignProgram
from tests.transfer.conftest import NewStore
from tests.transfer.databases import EMPTY, PostgresStore, SqliteStore, sample
from tests.transfer.programs import Mover, outcome

OF_0_4 = "CREATE TABLE components (id VARCHAR PRIMARY KEY, component_type VARCHAR, config JSON)"


def digest(*files: Path) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()]


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def text_file(path: Path) -> None:
    path.write_text("type = 'project'\n" * 500, encoding="utf-8")


def empty_file(path: Path) -> None:
    path.touch()


def another_program(path: Path) -> None:
    with ForeignProgram() as program:
        program.sql(made(path), "CREATE TABLE bookmarks (url TEXT)")


def of_0_4(path: Path) -> None:
    with ForeignProgram() as program:
        program.sql(made(path), OF_0_4)


def newer(path: Path) -> None:
    store = SqliteStore(path)
    store.fill(sample())
    store.sql("INSERT INTO schema_migrations VALUES (1000, 'from_the_future', 0)")


def truncated(path: Path) -> None:
    SqliteStore(path).fill(sample(messages=200))
    os.truncate(path, path.stat().st_size // 2)


def cut_in_its_header(path: Path) -> None:
    SqliteStore(path).fill(sample())
    os.truncate(path, 60)


def damaged_page(path: Path) -> None:
    SqliteStore(path).fill(sample(messages=200))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))


def made(path: Path) -> Path:
    path.touch()
    return path


REFUSED: dict[Callable[[Path], None], tuple[type[AuriteError], str]] = {
    missing: (StoreUnavailableError, "there is no database at"),
    folder: (StoreUnavailableError, "is a folder, not a database file"),
    pipe: (StoreUnavailableError, "is a device or a pipe, not a database file"),
    text_file: (NotAuriteDatabaseError, "is not a sound SQLite database"),
    empty_file: (NotAuriteDatabaseError, "is empty"),
    another_program: (NotAuriteDatabaseError, "belongs to another program (its tables: bookmarks)"),
    newer: (SchemaTooNewError, "has schema 1000, newer than this version"),
    truncated: (NotAuriteDatabaseError, ""),
    cut_in_its_header: (NotAuriteDatabaseError, "is not a sound SQLite database"),
    damaged_page: (NotAuriteDatabaseError, "is damaged"),
}


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_a_file_that_is_no_sound_database_of_ours_is_refused_and_left(
    new_store: NewStore, tmp_path: Path, engine: str, kind: Callable[[Path], None]
) -> None:
    error, words = REFUSED[kind]
    place = tmp_path / "here"
    place.mkdir()
    path, target = place / "source.db", new_store(engine)
    kind(path)
    before = digest(path) if path.is_file() else path.exists()
    with pytest.raises(error) as raised:
        migrate(SqliteMovable(path), target.movable)
    assert words in raised.value.message
    assert str(path) in raised.value.message
    assert raised.value.next_step
    assert (digest(path) if path.is_file() else path.exists()) == before
    assert target.rows() == EMPTY
    if isinstance(target, SqliteStore):
        assert not target.path.exists()


def test_no_cut_of_a_source_moves_as_if_it_were_whole(tmp_path: Path) -> None:
    whole = SqliteStore(tmp_path / "whole.db")
    whole.fill(sample(messages=60))
    for number, size in enumerate(range(0, whole.path.stat().st_size, 4096 + 512)):
        cut = tmp_path / f"cut-{number}.db"
        shutil.copyfile(whole.path, cut)
        os.truncate(cut, size)
        with pytest.raises(StorageError):
            migrate(SqliteMovable(cut), SqliteStore(tmp_path / "target.db").movable)
        assert not (tmp_path / "target.db").exists()


def test_one_bad_byte_of_a_source_is_found_or_moves_as_it_is(tmp_path: Path, new_store: NewStore) -> None:
    whole = SqliteStore(tmp_path / "whole.db")
    whole.fill(sample(messages=30))
    content = bytearray(whole.path.read_bytes())
    for number, place in enumerate(range(4096, len(content), 4096 * 3 + 1013)):
        bad, target = tmp_path / f"bad-{number}.db", SqliteStore(tmp_path / f"target-{number}.db")
        bad.write_bytes(bytes([*content[:place], content[place] ^ 0x80, *content[place + 1 :]]))
        try:
            migrate(SqliteMovable(bad), target.movable)
        except AuriteError:
            assert not target.path.exists()
        else:
            assert target.rows() == SqliteStore(bad).rows()


def test_a_source_is_read_without_a_byte_changed(new_store: NewStore, engine: str) -> None:
    source = new_store("sqlite", schema=True)
    assert isinstance(source, SqliteStore)
    source.fill(sample())
    before = digest(source.path), source.path.stat().st_mtime_ns
    migrate(source.movable, new_store(engine).movable)
    assert (digest(source.path), source.path.stat().st_mtime_ns) == before


def test_rows_that_lie_in_the_wal_of_a_killed_writer_move_too(new_store: NewStore, engine: str) -> None:
    source, target = new_store("sqlite", schema=True), new_store(engine)
    assert isinstance(source, SqliteStore)
    with Mover("write-pairs", source, "components") as writer:
        assert [writer.line() for _ in range(6)] == ["ready", 0, 1, 2, 3, 4]
        writer.kill()
    wal = source.path.with_name(source.path.name + "-wal")
    assert wal.stat().st_size > 0
    before = digest(source.path, wal)
    migrate(source.movable, target.movable)
    assert {row[1] for row in target.rows()["components"]} >= {f"{half}-00000{n}" for half in "ab" for n in range(5)}
    assert digest(source.path, wal) == before


def test_a_source_moves_while_a_writer_is_in_the_middle_of_a_transaction(new_store: NewStore, engine: str) -> None:
    source, target = new_store("sqlite", schema=True), new_store(engine)
    assert isinstance(source, SqliteStore)
    source.fill(sample())
    database = SqliteDatabase(source.path)
    with database.transaction() as work:
        work.run("DELETE FROM sessions")
        migrate(source.movable, target.movable)
    database.close()
    assert target.rows() == sample()
    assert source.rows()["sessions"] == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("beside", ["nothing", "wal", "wal and shm"])
def test_a_source_that_can_only_be_read_moves(open_folder: Path, beside: str) -> None:
    place, to = open_folder / "read-only", open_folder
    place.mkdir()
    source, target = SqliteStore(place / "source.db"), SqliteStore(to / "target.db")
    source.fill(sample())
    if beside != "nothing":
        with source.connection() as connection:
            connection.execute("INSERT INTO session_tags VALUES ('agent-a', 'in the wal', 1)").fetchall()
            for suffix in ("", "-wal", "-shm"):
                shutil.copyfile(f"{source.path}{suffix}", f"{source.path}{suffix}.copy")
        for suffix in ("", "-wal", "-shm") if beside == "wal and shm" else ("", "-wal"):
            Path(f"{source.path}{suffix}.copy").rename(f"{source.path}{suffix}")
    for file in place.iterdir():
        file.chmod(0o444)
    place.chmod(0o555)
    before = sorted(place.iterdir()), digest(*sorted(place.iterdir()))
    with Mover("move-as-nobody", source, target) as mover:
        assert "digests" in outcome(mover)
    assert (sorted(place.iterdir()), digest(*sorted(place.iterdir()))) == before
    assert ("agent-a", "in the wal", 1) in target.rows()["session_tags"] or beside == "nothing"
    assert target.rows()["messages"] == sample()["messages"]
    place.chmod(0o755)


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_source_that_may_not_be_read_is_told(open_folder: Path, closed: str) -> None:
    place = open_folder / "closed"
    place.mkdir()
    source = SqliteStore(place / "source.db")
    source.fill(sample())
    (source.path if closed == "file" else place).chmod(0)
    with Mover("move-as-nobody", source, SqliteStore(open_folder / "target.db")) as mover:
        said = outcome(mover)
    place.chmod(0o755)
    assert said == {
        "error": "StoreUnavailableError",
        "message": f"the database {source.path} cannot be read. Check the permissions of the file and of its folder",
    }
    assert not (open_folder / "target.db").exists()


def test_a_server_without_our_tables_is_no_source(new_store: NewStore, empty_postgres: PostgresTarget) -> None:
    source = PostgresStore(empty_postgres)
    with pytest.raises(NotAuriteDatabaseError, match="has no tables of Aurite"):
        migrate(source.movable, new_store("sqlite").movable)
    assert source.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_newer_schema_of_a_server_is_no_source(new_store: NewStore, postgres: PostgresTarget) -> None:
    source = PostgresStore(postgres)
    source.sql("INSERT INTO schema_migrations VALUES (1000, 'from_the_future', 0)")
    with pytest.raises(SchemaTooNewError, match="has schema 1000"):
        migrate(source.movable, new_store("sqlite").movable)


def test_a_server_that_is_not_there_is_told_before_anything_is_made(new_store: NewStore, postgres: PostgresTarget) -> None:
    source, target = new_store("sqlite", schema=True), new_store("sqlite")
    nobody = PostgresStore(replace(postgres, port=1))
    with pytest.raises(StoreUnavailableError, match="connection refused"):
        migrate(nobody.movable, target.movable)
    with pytest.raises(StoreUnavailableError, match="connection refused"):
        migrate(source.movable, nobody.movable)
    with pytest.raises(StoreUnavailableError, match="does not exist"):
        migrate(PostgresStore(replace(postgres, dbname="nowhere")).movable, target.movable)
    assert target.rows() == EMPTY


@pytest.mark.parametrize("spelling", ["the same", "relative", "..", "symlink", "link to the folder", "hard link"])
def test_a_file_is_not_moved_into_itself_under_any_spelling(
    new_store: NewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    source = SqliteStore(tmp_path / "place" / "source.db")
    source.fill(sample())
    before = digest(source.path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(source.path)
    (tmp_path / "folder").symlink_to(source.path.parent)
    (tmp_path / "hard.db").hardlink_to(source.path)
    other = {
        "the same": source.path,
        "relative": Path("place/source.db"),
        "..": tmp_path / "place" / ".." / "place" / "source.db",
        "symlink": tmp_path / "link.db",
        "link to the folder": tmp_path / "folder" / "source.db",
        "hard link": tmp_path / "hard.db",
    }[spelling]
    for one, two in ((source.path, other), (other, source.path)):
        with pytest.raises(SameStoreError, match="source and target are the same database"):
            migrate(SqliteMovable(one), SqliteMovable(two), on_conflict="replace")
    assert source.rows() == sample()
    assert digest(source.path) == before


def test_a_database_of_a_server_is_not_moved_into_itself_under_any_spelling(
    postgres: PostgresTarget, postgres_server: Server
) -> None:
    hosts = ["127.0.0.1", "localhost"]
    if isinstance(postgres_server, Cluster):
        hosts.append(str(postgres_server.folder))
    PostgresStore(postgres).fill(sample())
    spellings = [PostgresStore(replace(postgres, host=host)) for host in hosts] + [
        PostgresStore(replace(postgres, schema="public"))
    ]
    for other in spellings:
        with pytest.raises(SameStoreError):
            migrate(PostgresStore(postgres).movable, other.movable, on_conflict="replace")
    assert PostgresStore(postgres).rows() == sample()
