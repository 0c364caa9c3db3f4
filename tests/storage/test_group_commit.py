"""Small writes of many threads share transactions, and each thread still hears what became of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aurite.errors import SessionNotFoundError, StoreFullError
from aurite.model.records import NewMessage, NewRun, NewSession
from aurite.storage.engine import Transaction
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.group_commit import GroupCommit


class Gate:
    """Transactions of a database that wait in front of a gate, and are counted."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.open = threading.Event()
        self.begun = threading.Event()
        self.count = 0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.database.transaction() as work:
            self.count += 1
            self.begun.set()
            assert self.open.wait(10)
            yield work


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "a.db")
    with database.transaction() as work:
        work.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT) STRICT")
    yield database
    database.close()


def insert(number: int) -> Callable[[Transaction], int]:
    def work(transaction: Transaction) -> int:
        transaction.run("INSERT INTO notes VALUES (?1, 'x')", number)
        return number

    return work


def refuse(transaction: Transaction) -> None:
    transaction.run("INSERT INTO notes VALUES (99, 'never kept')")
    raise SessionNotFoundError("gone")


def run_behind_the_first(gate: Gate, group: GroupCommit, works: list[Callable[[Transaction], object]]) -> list[object]:
    """What came of writes that gathered while a first one was under way: results or errors, the first one's in front."""
    outcomes: dict[int, object] = {}

    def write(place: int, work: Callable[[Transaction], object]) -> None:
        try:
            outcomes[place] = group.write(work)
        except (SessionNotFoundError, StoreFullError) as error:
            outcomes[place] = error

    threads = [threading.Thread(target=write, args=(place, work)) for place, work in enumerate(works)]
    threads[0].start()
    assert gate.begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(group._queue) < len(works) - 1:
        pass
    gate.open.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return [outcomes[place] for place in range(len(works))]


def test_writes_that_come_while_one_is_under_way_share_the_next_transaction(database: SqliteDatabase) -> None:
    gate = Gate(database)
    outcomes = run_behind_the_first(gate, GroupCommit(gate.transaction), [insert(number) for number in range(8)])
    assert outcomes == list(range(8))
    assert gate.count == 2
    assert database.read("SELECT count(*) FROM notes") == [(8,)]


def test_a_write_that_is_refused_takes_no_other_with_it(database: SqliteDatabase) -> None:
    gate = Gate(database)
    outcomes = run_behind_the_first(gate, GroupCommit(gate.transaction), [insert(0), insert(1), refuse, insert(3)])
    assert isinstance(outcomes[2], SessionNotFoundError)
    assert [outcomes[place] for place in (0, 1, 3)] == [0, 1, 3]
    assert database.read("SELECT id FROM notes ORDER BY id") == [(0,), (1,), (3,)]


def test_where_nothing_can_be_committed_every_thread_hears_of_it(database: SqliteDatabase) -> None:
    gate = Gate(database)

    @contextmanager
    def full() -> Iterator[Transaction]:
        with gate.transaction() as work:
            yield work
            raise StoreFullError("no space left")

    outcomes = run_behind_the_first(gate, GroupCommit(full), [insert(number) for number in range(3)])
    assert [type(outcome) for outcome in outcomes] == [StoreFullError] * 3
    assert database.read("SELECT count(*) FROM notes") == [(0,)]


def test_a_thread_that_is_interrupted_while_it_waits_hands_its_turn_on(database: SqliteDatabase) -> None:
    gate = Gate(database)
    group = GroupCommit(gate.transaction)
    first = threading.Thread(target=group.write, args=(insert(0),))
    first.start()
    assert gate.begun.wait(10)

    class Interrupted:
        """A lock whose holder is stopped by Ctrl-C just as its turn comes."""

        def __init__(self, lock: threading.Lock) -> None:
            self.lock = lock

        def acquire(self) -> None:
            self.lock.acquire()
            raise KeyboardInterrupt

        def release(self) -> None:
            self.lock.release()

    def interrupted_write() -> None:
        with pytest.raises(KeyboardInterrupt):
            group.write(insert(1))

    wait = group._wait

    def wait_interrupted(write: object) -> None:
        write.turn = Interrupted(write.turn)  # type: ignore[attr-defined]  # the one place where Ctrl-C can be put in
        wait(write)  # type: ignore[arg-type]  # the same object

    group._wait = wait_interrupted  # type: ignore[method-assign]  # for one write
    second = threading.Thread(target=interrupted_write)
    second.start()
    while not group._queue:
        pass
    group._wait = wait  # type: ignore[method-assign]  # as it was
    third = threading.Thread(target=group.write, args=(insert(2),))
    third.start()
    while len(group._queue) < 2:
        pass
    gate.open.set()
    for thread in (first, second, third):
        thread.join(10)
        assert not thread.is_alive()
    assert database.read("SELECT id FROM notes ORDER BY id") == [(0,), (2,)]


def test_threads_that_append_to_sessions_lose_nothing_when_one_session_is_gone(tmp_path: Path) -> None:
    store = SqlSessionStore(SqliteDatabase(tmp_path / "a.db"))
    for number in range(4):
        store.start_run(NewSession(f"agent-{number}", "agent", "A"), NewRun(f"run-{number}"))
    refused = []

    def append(name: str) -> None:
        for _ in range(50):
            try:
                store.append(name, [NewMessage("user", "{}")])
            except SessionNotFoundError as error:
                refused.append(error)

    threads = [threading.Thread(target=append, args=(f"agent-{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 50
    assert [len(store.messages(f"agent-{number}")) for number in range(4)] == [50] * 4
    store.close()


def test_how_long_writers_wait_for_their_turn_is_known(database: SqliteDatabase) -> None:
    begun, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with database.transaction():
            begun.set()
            enough.wait(10)

    before = database.seconds_waited
    holder = threading.Thread(target=hold)
    holder.start()
    assert begun.wait(10)
    threading.Timer(0.1, enough.set).start()
    with database.transaction() as work:
        work.run("INSERT INTO notes VALUES (1, 'late')")
    holder.join(10)
    assert 0.05 < database.seconds_waited - before < 5
