"""A process that is killed at any moment leaves the database as before or as after, and the next one works without repair."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from aurite.model.jsontext import decode
from aurite.model.records import Author, Put
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing.samples import llm_document
from tests.processes.programs import Worker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aurite.db"


def put(database: SqliteDatabase, name: str) -> None:
    SqlComponentStore(database).write([Put("llm", name, llm_document(name))], author=Author("python"))


def what_is_there(path: Path) -> tuple[int, int]:
    """The last number in the components and in the messages, both proven to be whole."""
    database = SqliteDatabase(path)
    try:
        assert database.check() == []
        snapshot = SqlComponentStore(database).load()
        values = {found.config()["v"] for found in snapshot.components.values()}
        assert len(values) <= 1, "two components that are written together differ"
        assert {found.revision for found in snapshot.components.values()} <= {snapshot.version}
        messages = SqlSessionStore(database).messages("agent-churn")
        contents = [decode(found.document)["content"][:2] for found in messages]
        assert len(contents) % 2 == 0, "half of what is appended together is there"
        assert [part for _, part in contents] == [0, 1] * (len(contents) // 2)
        assert [first for first, _ in contents[::2]] == [second for second, _ in contents[1::2]]
        return values.pop() if values else -1, contents[-1][0] if contents else -1
    finally:
        database.close()


def test_a_kill_in_mid_write_leaves_the_database_as_before_or_after(path: Path) -> None:
    chance = random.Random(4)
    end = time.monotonic() + 8
    stored, rounds = -1, 0
    while time.monotonic() < end:
        with Worker("churn", path, stored + 1) as worker:
            assert worker.line() == "ready"
            time.sleep(chance.uniform(0, 0.2))
            reported = worker.kill()
        acknowledged = reported[-1] if reported else stored
        components, messages = what_is_there(path)
        assert acknowledged <= messages <= components <= acknowledged + 1
        stored, rounds = components, rounds + 1
    assert rounds >= 5


def test_a_kill_while_the_database_is_made_leaves_one_that_the_next_process_can_use(path: Path) -> None:
    chance = random.Random(5)
    end = time.monotonic() + 4
    for attempt in range(100):
        fresh = path.with_name(f"{attempt}.db")
        with Worker("open-database", fresh) as worker:
            assert worker.line() == "ready"
            worker.go()
            time.sleep(chance.uniform(0, 0.03))
            worker.kill()
        database = SqliteDatabase(fresh)
        put(database, "a")
        assert database.check() == []
        database.close()
        if time.monotonic() > end:
            return


def test_the_write_lock_of_a_killed_process_is_free_at_once(path: Path) -> None:
    database = SqliteDatabase(path)
    done = threading.Event()

    def write() -> None:
        put(database, "a")
        done.set()

    writer = threading.Thread(target=write)
    with Worker("hold", path) as holder:
        assert holder.line() == "ready"
        writer.start()
        assert not done.wait(0.3), "a writer did not wait for the one before it"
        assert database.config_version() == 0, "a reader waited for a writer, or saw what was not committed"
        holder.kill()
        assert done.wait(2), "the lock of a dead process was not given back"
    writer.join()
    assert database.config_version() == 1
    database.close()


def test_a_forked_child_uses_the_database_beside_its_parent(path: Path) -> None:
    with Worker("fork", path, 20) as worker:
        assert worker.wait() == [0], "the child used a connection of its parent"
    database = SqliteDatabase(path)
    names = {name for _, name in SqlComponentStore(database).load().components}
    assert names == {"before", "after", *(f"{who}-{number}" for who in ("parent", "child") for number in range(20))}
    assert database.check() == []
    database.close()


def test_a_child_does_not_keep_the_write_lock_of_its_killed_parent(path: Path) -> None:
    database = SqliteDatabase(path)
    done = threading.Event()

    def write() -> None:
        put(database, "a")
        done.set()

    writer = threading.Thread(target=write)
    with Worker("fork-while-writing", path) as worker:
        assert worker.line() == "forked"
        worker.process.kill()
        writer.start()
        assert done.wait(2), "the lock lives on in the child"
    writer.join()
    assert database.config_version() == 1
    database.close()
