"""Targets as they are found: made where they are missing, and refused and left as they are where they belong to something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aurite.errors import AuriteError, NotAuriteDatabaseError, SchemaOutdatedError, SchemaTooNewError, StoreUnavailableError
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sqlite.moving import SqliteMovable
from aurite.transfer.migrate import migrate
from tests.transfer.conftest import NewStore
from tests.transfer.databases import PostgresStore, SqliteStore, Store, sample
from tests.transfer.programs import Mover, outcome
from tests.transfer.test_sources import OF_0_4, another_program, folder, newer, of_0_4, pipe, text_file


@pytest.fixture
def source(new_store: NewStore) -> Store:
    store = new_store("sqlite", schema=True)
    store.fill(sample())
    return store


def wal_left_over(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"changes of a database that is gone")


def journal_left_over(path: Path) -> None:
    path.with_name(path.name + "-journal").write_bytes(b"changes of a database that is gone")


def file_in_place_of_a_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


REFUSED: dict[Callable[[Path], None], tuple[type[AuriteError], str]] = {
    folder: (StoreUnavailableError, "is a folder, not a database file"),
    pipe: (StoreUnavailableError, "is a device or a pipe, not a database file"),
    text_file: (NotAuriteDatabaseError, "is not a sound SQLite database"),
    another_program: (NotAuriteDatabaseError, "belongs to another program (its tables: bookmarks)"),
    of_0_4: (SchemaOutdatedError, "was written by Aurite 0.4"),
    newer: (SchemaTooNewError, "has schema 1000, newer than this version"),
    wal_left_over: (StoreUnavailableError, "-wal is left over from a database that is gone"),
    journal_left_over: (StoreUnavailableError, "-journal is left over from a database that is gone"),
    file_in_place_of_a_folder: (StoreUnavailableError, "cannot be used"),
}


def contents(place: Path) -> dict[str, bytes]:
    """Everything below a place, but SQLite's own files beside a database that was looked at."""
    return {
        str(file): file.read_bytes()
        for file in [place, *place.rglob("*")]
        if file.is_file() and not file.name.endswith(("-shm", ".db-wal", ".wlock"))
    }


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dry_run", [False, True], ids=["move", "dry run"])
def test_what_is_something_else_is_refused_and_left(
    source: Store, tmp_path: Path, kind: Callable[[Path], None], dry_run: bool
) -> None:
    error, words = REFUSED[kind]
    place = tmp_path / "here"
    place.mkdir()
    path = place / "target.db"
    kind(path)
    before = contents(place)
    if dry_run and kind is file_in_place_of_a_folder:
        return  # a dry run makes nothing, so it does not find out
    with pytest.raises(error) as raised:
        migrate(source.movable, SqliteMovable(path), on_conflict="replace", dry_run=dry_run)
    assert words in raised.value.message
    assert raised.value.next_step
    assert contents(place) == before


def test_a_server_with_tables_of_others_is_refused_and_left(source: Store, empty_postgres: PostgresTarget) -> None:
    target = PostgresStore(empty_postgres)
    target.sql(OF_0_4)
    with pytest.raises(SchemaOutdatedError, match=r"was written by Aurite 0\.4"):
        migrate(source.movable, target.movable, on_conflict="replace")
    target.sql("ALTER TABLE components DROP COLUMN component_type")
    with pytest.raises(StoreUnavailableError, match="has tables of another program with the names that Aurite needs"):
        migrate(source.movable, target.movable, on_conflict="replace")
    assert target.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("components",)]


def test_a_newer_schema_of_a_server_is_refused(source: Store, postgres: PostgresTarget) -> None:
    target = PostgresStore(postgres)
    target.sql("INSERT INTO schema_migrations VALUES (1000, 'from_the_future', 0)")
    with pytest.raises(SchemaTooNewError, match="has schema 1000"):
        migrate(source.movable, target.movable)


def test_a_target_may_be_a_link_to_a_file_that_is_there_or_not(source: Store, tmp_path: Path) -> None:
    for name in ("missing", "empty", "schema"):
        real, link = tmp_path / "real" / f"{name}.db", tmp_path / f"{name}-link.db"
        real.parent.mkdir(exist_ok=True)
        link.symlink_to(real)
        if name == "empty":
            real.touch()
        if name == "schema":
            SqliteStore(real).create()
        migrate(source.movable, SqliteMovable(link))
        assert link.is_symlink()
        assert SqliteStore(real).rows() == sample()


def test_a_path_with_anything_in_it_is_a_path(source: Store, tmp_path: Path) -> None:
    for name in ("a b.db", "a?mode=memory&x#y.db", "%41.db", "'\";.db", "\u00e9\U0001f600.db", "x" * 200 + ".db"):
        middle, last = SqliteStore(tmp_path / name), SqliteStore(tmp_path / f"2-{name}")
        migrate(source.movable, middle.movable)
        migrate(middle.movable, last.movable)
        assert last.rows() == sample()


@pytest.mark.parametrize("there", [False, True], ids=["missing file", "read-only file"])
def test_a_read_only_place_is_told_and_left(tmp_path: Path, source: Store, there: bool) -> None:
    with TemporaryDirectory(dir="/tmp") as name:
        place = Path(name) / "read-only"
        place.mkdir()
        readable, target = SqliteStore(Path(name) / "source.db"), SqliteStore(place / "target.db")
        readable.fill(sample())
        if there:
            target.create()
            target.path.chmod(0o444)
        for open_path, mode in ((Path(name), 0o777), (readable.path, 0o644), (place, 0o555)):
            open_path.chmod(mode)
        before = contents(place)
        with Mover("move-as-nobody", readable, target) as mover:
            said = outcome(mover)
        assert said["error"] == "StoreReadOnlyError"
        assert str(target.path) in said["message"]
        assert contents(place) == before
        place.chmod(0o755)


def test_a_file_that_another_program_makes_meanwhile_is_left(source: Store, tmp_path: Path) -> None:
    path = tmp_path / "target.db"

    def make(*said: object) -> None:
        if not path.exists():
            path.write_text("somebody else's", encoding="utf-8")

    with pytest.raises(StoreUnavailableError, match="was made by another program meanwhile"):
        migrate(source.movable, SqliteMovable(path), progress=make)
    assert path.read_text(encoding="utf-8") == "somebody else's"
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith(".draft")] == []


def test_an_interrupted_move_leaves_the_target_as_it_was(new_store: NewStore, source: Store, engine: str) -> None:
    def interrupt(what: str, table: str, *_: int) -> None:
        if (what, table) == ("verify", "messages"):
            raise KeyboardInterrupt

    for held in (False, True):
        target = new_store(engine, schema=held)
        if held:
            target.fill(sample(prefix="own-"))
        before = target.rows()
        with pytest.raises(KeyboardInterrupt):
            migrate(source.movable, target.movable, on_conflict="skip", progress=interrupt)
        assert target.rows() == before
        migrate(source.movable, target.movable, on_conflict="skip")
