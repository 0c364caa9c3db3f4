"""Migrations with their proof: into PostgreSQL beside ``psql \\copy`` of the same rows, into SQLite beside constants."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.clusters import Cluster, programs

from aurite.storage.moving import Movable
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.moving import PostgresMovable
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.storage.sqlite.moving import SqliteMovable
from aurite.storage.tables import TABLES
from aurite.transfer.migrate import migrate as move
from bench import bare, material
from bench.measuring import Budget, Measured, at_least
from bench.scale import Scale

Place = Path | PostgresTarget

_LENGTH = 200
"""Messages of each session."""
_DURABLE = {"fsync": "on", "full_page_writes": "on", "max_wal_size": "4GB", "shared_buffers": "512MB"}
_MOST_MEMORY = 64 * 1024 * 1024
_TABLES = ("sessions", "messages")


@dataclass(frozen=True, slots=True)
class Moved:
    """What one migration took, in a process of its own."""

    seconds: float
    memory: tuple[int, int]
    """Bytes over the start: when a tenth of the messages was copied, and at the end."""


def migrate(scale: Scale, folder: Path) -> Iterator[Measured]:
    """The same messages both ways."""
    source = _store_of_messages(folder / "source.db", scale.moved)
    cluster = Cluster(settings=_DURABLE).start()
    try:
        target = cluster.target(cluster.create_database())
        yield from _into_postgres(source, target, cluster, scale, folder)
        yield from _into_sqlite(target, scale, folder)
    finally:
        cluster.remove()


def _into_postgres(source: Path, last: PostgresTarget, cluster: Cluster, scale: Scale, folder: Path) -> Iterator[Measured]:
    files = _copied_out(source, folder)

    def ours() -> Moved:
        with_psql = cluster.target(cluster.create_database())
        moved = _in_a_process(source, with_psql)
        cluster.drop_database(with_psql.dbname)
        return moved

    floors, moves = _by_turns(lambda: _psql(cluster, files), ours, rounds=scale.moves)
    _in_a_process(source, last)
    yield from _rows(f"migrate and prove {scale.moved:,} messages, SQLite to PostgreSQL", scale, floors, moves, least=0.6)


def _into_sqlite(source: PostgresTarget, scale: Scale, folder: Path) -> Iterator[Measured]:
    number = count()

    def ours() -> Moved:
        path = folder / f"moved-{next(number)}.db"
        moved = _in_a_process(source, path)
        path.unlink()
        return moved

    def floor() -> float:
        path = folder / f"floor-{next(number)}.db"
        seconds = _constants(material.empty_store(path), scale.moved)
        path.unlink()
        return seconds

    floors, moves = _by_turns(floor, ours, rounds=scale.moves)
    yield from _rows(f"migrate and prove {scale.moved:,} messages, PostgreSQL to SQLite", scale, floors, moves, least=0.4)


def _by_turns(floor: Callable[[], float], ours: Callable[[], Moved], *, rounds: int) -> tuple[list[float], list[Moved]]:
    floors: list[float] = []
    moves: list[Moved] = []
    for number in range(rounds):
        turns: list[Callable[[], None]] = [lambda: floors.append(floor()), lambda: moves.append(ours())]
        for turn in turns if number % 2 else reversed(turns):
            turn()
    return floors, moves


def _rows(work: str, scale: Scale, floors: list[float], moves: list[Moved], *, least: float) -> Iterator[Measured]:
    floor, ours = median(floors), median(move.seconds for move in moves)
    yield Measured(work, scale.moved / floor, scale.moved / ours, "per second", at_least(least))
    early, late = (max(move.memory[when] for move in moves) for when in (0, 1))
    yield Measured("its memory over the start: after a tenth, at the end", early, late, "bytes", Budget("value", most=_MOST_MEMORY))


def _psql(cluster: Cluster, files: dict[str, Path]) -> float:
    """Seconds of ``psql`` for the same rows into the same tables, keys and indexes included, in one transaction."""
    target = cluster.target(cluster.create_database())
    PostgresDatabase(target, watch=False).close()
    copies = [part for table, file in files.items() for part in ("-c", f"\\copy {table} from '{file}'")]
    address = ["-h", target.host, "-p", str(target.port), "-U", target.user, "-d", target.dbname]
    started = perf_counter()
    subprocess.run([programs() / "psql", "-q", "-X", "-1", *address, *copies], check=True)  # noqa: S603 - all of it is ours
    seconds = perf_counter() - started
    cluster.drop_database(target.dbname)
    return seconds


def _constants(path: Path, messages: int) -> float:
    """Seconds of bare inserts of one message over and over, in one transaction that is on disk at the end."""
    connection = bare.connect(path)
    message = material.message()
    started = perf_counter()
    connection.execute("BEGIN IMMEDIATE").fetchall()
    for number in range(0, messages, _LENGTH):
        session_id = _session_id(number)
        connection.execute(bare.INSERT_SESSION, (session_id, session_id, "W", _LENGTH, number)).fetchall()
        rows = ((session_id, seq, message.role, message.document, None, None, message.run_id, seq) for seq in range(1, _LENGTH + 1))
        for _ in connection.executemany(bare.INSERT_MESSAGE, rows):
            pass
    connection.execute("COMMIT").fetchall()
    connection.close()
    return perf_counter() - started


def _in_a_process(source: Place, target: Place) -> Moved:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_move, (source, target))


def _move(source: Place, target: Place) -> Moved:
    curve: list[int] = []

    def watch(what: str, table: str, done: int, total: int) -> None:
        if (what, table) == ("copy", "messages") and done >= total // 10 and not curve:
            curve.append(_memory())

    start = _memory()
    started = perf_counter()
    move(_movable(source), _movable(target), progress=watch)
    seconds = perf_counter() - started
    return Moved(seconds, (curve[0] - start, _memory() - start))


def _movable(place: Place) -> Movable:
    return SqliteMovable(place) if isinstance(place, Path) else PostgresMovable(place)


def _memory() -> int:
    """The most that this process had so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage() tells begins with the memory of the process that started this one
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _session_id(number: int) -> str:
    return f"agent-{number:09d}-0123456789ab"


def _store_of_messages(path: Path, messages: int) -> Path:
    database = SqliteDatabase(path, synchronous="OFF")
    written = [material.message(number) for number in range(_LENGTH)]
    with database.transaction() as work:
        for number in range(0, messages, _LENGTH):
            session_id = _session_id(number)
            work.run(bare.INSERT_SESSION, session_id, session_id, "W", _LENGTH, number)
            work.run_many(
                bare.INSERT_MESSAGE,
                (
                    (session_id, seq, message.role, message.document, message.native, message.provider, message.run_id, seq)
                    for seq, message in enumerate(written, start=1)
                ),
            )
    database.close()
    return path


def _copied_out(source: Path, folder: Path) -> dict[str, Path]:
    """The rows as files in the form that ``\\copy`` reads."""
    files = {}
    with SqliteMovable(source).source() as origin:
        for name in _TABLES:
            files[name] = folder / f"{name}.copy"
            with files[name].open("wb") as file:
                file.writelines(origin.lines(TABLES[name]))
    return files
