"""Many writers at once, each with a session of its own: threads of one process, and processes."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from time import perf_counter

import apsw

from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from bench import bare, material
from bench.measuring import Budget, Measured, at_least
from bench.scale import Scale

Write = Callable[[], object]
Barrier = threading.Barrier | ProcessBarrier
NONE_STARVED = 0.1
"""A writer is called starved where it gets through less often than this share of the fastest."""


def threads(scale: Scale, folder: Path) -> Iterator[Measured]:
    """Eight threads: a connection and bare inserts for each beside one store."""
    yield from _rows(scale, folder, "8 threads", 8, _count_in_threads, share=0.8, rate=1.0)


def processes(scale: Scale, folder: Path) -> Iterator[Measured]:
    """Four processes, likewise."""
    yield from _rows(scale, folder, "4 processes", 4, _count_in_processes, share=NONE_STARVED, rate=0.9)


@dataclass(frozen=True, slots=True)
class Contest:
    """What all writers of one round share."""

    path: Path
    seconds: float
    ours: bool


def _rows(
    scale: Scale,
    folder: Path,
    who: str,
    writers: int,
    run: Callable[[Contest, int], list[int]],
    *,
    share: float,
    rate: float,
) -> Iterator[Measured]:
    paths = {ours: _store(folder / f"{who}-{ours}.db", writers) for ours in (False, True)}
    kept_open = [bare.connect(path) for path in paths.values()]  # the last one to close removes the WAL; a new one grows slowly
    for connection in kept_open:
        _grow_wal(connection)
    counted: dict[bool, list[list[int]]] = {False: [], True: []}
    for number in range(scale.writing_rounds):
        for ours in (False, True) if number % 2 else (True, False):
            counted[ours].append(run(Contest(paths[ours], scale.writing_seconds, ours), writers))
    floor, total = (statistics.median(sum(counts) / scale.writing_seconds for counts in counted[ours]) for ours in (False, True))
    floor_share, our_share = (statistics.median(min(c) / max(c) for c in counted[ours]) for ours in (False, True))
    yield Measured(f"{who} append to own sessions, FULL", floor, total, "per second", at_least(rate))
    yield Measured(f"{who}: the slowest by the fastest", floor_share, our_share, "share", Budget("value", least=share))
    for connection in kept_open:
        connection.close()


def _grow_wal(connection: apsw.Connection) -> None:
    for number in range(500):
        bare.insert_session(connection, f"before-{number}", material.messages(4))


def _store(path: Path, writers: int) -> Path:
    store = SqlSessionStore(SqliteDatabase(path))
    for number in range(writers):
        material.start(store, f"session-{number}")
    store.close()
    return path


def _count_in_threads(contest: Contest, writers: int) -> list[int]:
    store = SqlSessionStore(SqliteDatabase(contest.path))
    barrier = threading.Barrier(writers)
    with ThreadPoolExecutor(writers) as pool:
        counts = list(pool.map(lambda number: _write(contest, number, barrier, store), range(writers)))
    store.close()
    return counts


def _count_in_processes(contest: Contest, writers: int) -> list[int]:
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(writers), spawn.SimpleQueue()
    started = [spawn.Process(target=_write_alone, args=(contest, number, barrier, results.put)) for number in range(writers)]
    for process in started:
        process.start()
    counts = [results.get() for _ in started]
    for process in started:
        process.join()
    return counts


def _write_alone(contest: Contest, number: int, barrier: Barrier, tell: Callable[[int], None]) -> None:
    store = SqlSessionStore(SqliteDatabase(contest.path))
    tell(_write(contest, number, barrier, store))
    store.close()


def _write(contest: Contest, number: int, barrier: Barrier, store: SqlSessionStore) -> int:
    message, session_id = material.message(), f"session-{number}"
    if contest.ours:
        return _often(lambda: store.append(session_id, [message]), barrier, contest.seconds)
    connection = bare.connect(contest.path)
    seq = count(1 + connection.execute("SELECT coalesce(max(seq), 0) FROM messages WHERE session_id = ?", (session_id,)).get)
    written = _often(lambda: bare.insert_message(connection, session_id, next(seq), message), barrier, contest.seconds)
    connection.close()
    return written


def _often(write: Write, barrier: Barrier, seconds: float) -> int:
    written = 0
    barrier.wait()
    until = perf_counter() + seconds
    while perf_counter() < until:
        write()
        written += 1
    return written
