"""Python's own sqlite3 in the process of Aurite: looking into the database, or editing it, loses nothing."""

from __future__ import annotations

import fcntl
import gc
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aurite.config.manager import ConfigManager
from aurite.errors import StoreBusyError
from aurite.model.jsontext import decode
from aurite.model.records import Author
from aurite.storage.components import SqlComponentStore
from aurite.storage.sqlite import database as sqlite
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing.samples import llm_document

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="this system has no locks of an open file description")

COUNT = "UPDATE store_meta SET config_version = config_version + 1"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "aurite.db")
    yield opened
    opened.close()


def _write_ahead_log(database: SqliteDatabase) -> Path:
    return database.path.with_name(database.path.name + "-wal")


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_edits_in_the_same_process_and_own_writes_see_each_other(database: SqliteDatabase) -> None:
    config = ConfigManager(SqlComponentStore(database), author=Author("python"), root=database.path.parent)
    for number in range(5):
        by_hand, own = llm_document(f"by hand {number}"), llm_document(f"own {number}")
        with closing(sqlite3.connect(database.path)) as other:
            other.execute("INSERT INTO components (type, name, document) VALUES ('llm', ?, ?)", (f"by hand {number}", by_hand))
            other.commit()
        assert config.get_config("llm", f"by hand {number}") == decode(by_hand)
        config.create_component("llm", decode(own))
        with closing(sqlite3.connect(database.path)) as other:
            assert other.execute("SELECT count(*) FROM components").fetchall() == [(2 * number + 2,)]
    database.close()
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT count(*) FROM components").fetchall() == [(10,)]
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_log_stays_as_long_as_one_of_two_uses_it_and_goes_with_the_last(database: SqliteDatabase) -> None:
    second = SqliteDatabase(database.path)
    database.close()
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT config_version FROM store_meta").fetchall() == [(0,)]
    second.write(COUNT)
    assert _write_ahead_log(database).exists()
    second.close()
    assert not _write_ahead_log(database).exists()


def test_a_database_that_is_dropped_without_being_closed_leaves_no_log(tmp_path: Path) -> None:
    dropped = SqliteDatabase(tmp_path / "dropped.db")
    log = _write_ahead_log(dropped)
    assert log.exists()
    del dropped
    gc.collect()
    assert not log.exists()


def test_a_write_waits_for_a_transaction_of_the_other_library(database: SqliteDatabase) -> None:
    with closing(sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute(COUNT)
        timer = threading.Timer(0.2, other.execute, ["COMMIT"])
        timer.start()
        database.write(COUNT)
        timer.join()
    assert database.config_version() == 2


def test_a_write_gives_up_where_the_other_library_does_not_end_its_transaction(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 50)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="locked"):
            database.write(COUNT)
        other.execute("ROLLBACK")
    database.write(COUNT)
    assert database.config_version() == 1


def test_opening_and_closing_many_databases_keeps_few_files_open(tmp_path: Path) -> None:
    SqliteDatabase(tmp_path / "first.db").close()
    before = _open_files()
    for number in range(20):
        SqliteDatabase(tmp_path / f"{number}.db").close()
    assert _open_files() <= before + 2


def test_a_forked_child_leaves_the_locks_of_its_parent_alone(database: SqliteDatabase) -> None:
    child = os.fork()
    if child == 0:
        database.write(COUNT)
        database.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT config_version FROM store_meta").fetchall() == [(1,)]
    database.write(COUNT)
    assert _write_ahead_log(database).exists()
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT config_version FROM store_meta").fetchall() == [(2,)]
