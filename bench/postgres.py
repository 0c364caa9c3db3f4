"""The rows of PostgreSQL: psycopg alone beside ours, on a server of our own that writes to disk as a server does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import psycopg
from tests.clusters import Cluster

from aurite.model.jsontext import encode
from aurite.model.records import NewMessage, Put, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from bench import bare, material, starting
from bench.measuring import Budget, Measured, at_least, at_most, by_turns
from bench.scale import Scale

Connection = psycopg.Connection[Any]

_DURABLE = {"fsync": "on", "full_page_writes": "on", "max_wal_size": "4GB", "shared_buffers": "512MB"}
_WRITERS = 8
_POLLS = 5
"""Changes that are waited for where each may take two seconds."""
_KEPT = ["sessions", "session_tags", "runs", "messages"]
_SECONDARY_INDEXES = (
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid"
    " WHERE relname = ANY (ARRAY['sessions', 'session_tags', 'runs', 'messages']) AND NOT indisprimary"
)


def load(scale: Scale, folder: Path) -> Iterator[Measured]:  # noqa: ARG001 - a server has a folder of its own
    """All components into memory."""
    with _server() as cluster:
        for size in scale.indexes:
            target = cluster.target(cluster.create_database())
            store = SqlComponentStore(PostgresDatabase(target, watch=False))
            store.write(material.components(size), author=material.AUTHOR)
            connection = _connect(target)
            floor, ours = by_turns(partial(_bare_load, connection), store.load, rounds=scale.loads)
            yield Measured(f"PostgreSQL: load an index of {size:,}", floor, ours, "seconds", at_most(1.3))
            connection.close()
            store.close()


def coherence(scale: Scale, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """From the commit of a change in one manager's store to the moment at which another hears of it."""
    with _server() as cluster:
        target = cluster.target(cluster.create_database())
        writer, reader = (SqlComponentStore(PostgresDatabase(target)) for _ in range(2))
        reader.version()
        bare_writer, bare_reader = _connect(target), _connect(target)
        bare_reader.execute("LISTEN bench")
        taken: list[float] = []
        floors: list[float] = []
        for number in range(scale.appends):
            taken.append(_heard_after(writer, reader, number))
            started = perf_counter()
            bare_writer.execute("NOTIFY bench")
            next(bare_reader.notifies(timeout=5, stop_after=1))
            floors.append(perf_counter() - started)
        for share, most in ((0.50, 0.010), (0.99, 0.100)):
            name = f"PostgreSQL: see another process's change, p{share * 100:.0f}"
            floor, ours = _percentile(floors, share), _percentile(taken, share)
            yield Measured(name, floor, ours, "seconds", Budget("value", most=most))
        polling = SqlComponentStore(PostgresDatabase(replace(target, pgbouncer=True)))
        polling.version()
        slow = sorted(_heard_after(writer, polling, number) for number in range(1000, 1000 + _POLLS))
        name = "PostgreSQL: see another process's change by polling, as behind PgBouncer, worst"
        yield Measured(name, floors[-1], slow[-1], "seconds", Budget("value", most=3.0))
        heard = []
        for number in range(2000, 2000 + _POLLS):
            _cut_listeners(bare_writer)
            heard.append(_heard_after(writer, reader, number))
        name = "PostgreSQL: see another process's change with the listener just cut, worst"
        yield Measured(name, floors[-1], max(heard), "seconds", Budget("value", most=3.0))
        for each in (bare_writer, bare_reader, writer, reader, polling):
            each.close()


def start(scale: Scale, folder: Path) -> Iterator[Measured]:
    """``aurite list agents`` on PostgreSQL beside an empty click program, as whole processes."""
    with _server() as cluster:
        target = cluster.target(cluster.create_database())
        store = SqlComponentStore(PostgresDatabase(target, watch=False))
        store.write(material.components(starting.COMPONENTS), author=material.AUTHOR)
        store.close()
        settings = {
            "AURITE_DB_TYPE": "postgresql",
            "AURITE_DB_HOST": target.host,
            "AURITE_DB_PORT": str(target.port),
            "AURITE_DB_USER": target.user,
            "AURITE_DB_NAME": target.dbname,
        }
        floor, ours = by_turns(starting.empty(folder), starting.listing(folder, settings), rounds=scale.starts)
        yield Measured("aurite list agents, PostgreSQL", floor, ours, "seconds", at_most(6.0))


def disk(scale: Scale, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Bytes of a session of 20 messages: tables with their keys alone beside ours, with all indexes."""
    with _server() as cluster:
        sizes = []
        for bare_tables in (True, False):
            target = cluster.target(cluster.create_database())
            store = SqlSessionStore(PostgresDatabase(target, watch=False))
            connection = _connect(target)
            if bare_tables:
                for (index,) in connection.execute(_SECONDARY_INDEXES).fetchall():
                    connection.execute(f"DROP INDEX {index}")
            before = _bytes(connection)
            for number in range(scale.kept_sessions):
                material.start(store, f"agent-{number:06d}-0123456789ab", 20)
            sizes.append((_bytes(connection) - before) / scale.kept_sessions)
            connection.close()
            store.close()
        yield Measured("PostgreSQL: disk for a session of 20 messages", sizes[0], sizes[1], "bytes", at_most(1.2))


def sessions(scale: Scale, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Appending, starting, reading and listing."""
    with _server() as cluster:
        target = cluster.target(cluster.create_database())
        store = SqlSessionStore(PostgresDatabase(target, watch=False))
        connection = _connect(target)
        yield from _append(store, connection, scale)
        yield from _start(store, connection, scale)
        yield from _read(store, connection, scale)
        yield from _list(store, connection, scale)
        connection.close()
        store.close()


def threads(scale: Scale, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Eight threads append to sessions of their own: bare connections beside one store for all."""
    with _server() as cluster:
        target = cluster.target(cluster.create_database())
        store = SqlSessionStore(PostgresDatabase(target, watch=False))
        for number in range(_WRITERS):
            for side in ("floor", "ours"):
                material.start(store, f"{side}-{number}")
        connections = [_connect(target) for _ in range(_WRITERS)]
        seqs = [count(1) for _ in range(_WRITERS)]
        message = material.message()

        def bare_write(number: int) -> None:
            _bare_insert(connections[number], f"floor-{number}", next(seqs[number]), message)

        def write(number: int) -> None:
            store.append(f"ours-{number}", [message])

        floor, _ = _rate(bare_write, scale.writing_seconds)
        ours, fairness = _rate(write, scale.writing_seconds)
        yield Measured("PostgreSQL: 8 threads append to own sessions", floor, ours, "per second", at_least(0.7))
        yield Measured("PostgreSQL: 8 threads: the slowest by the fastest", fairness, fairness, "share", Budget("value", least=0.8))
        for connection in connections:
            connection.close()
        store.close()


def _heard_after(writer: SqlComponentStore, reader: SqlComponentStore, number: int) -> float:
    """Seconds from a change's commit to the moment at which another store hears of it."""
    document = encode({**material.agent(0), "temperature": number})
    written = writer.write([Put("agent", material.name(0), document)], author=material.AUTHOR).version
    started = perf_counter()
    while reader.version() != written:
        sleep(0.00005)
    return perf_counter() - started


def _cut_listeners(connection: Connection) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN aurite%' OR query LIKE 'SELECT config_version%'"
    )


def _bytes(connection: Connection) -> int:
    row = connection.execute("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname = ANY ($1)", [_KEPT]).fetchone()
    return int(row[0]) if row else 0


def _append(store: SqlSessionStore, connection: Connection, scale: Scale) -> Iterator[Measured]:
    material.start(store, "floor-long", scale.long_session)
    material.start(store, "long", scale.long_session)
    for number in range(scale.appends):
        material.start(store, f"floor-new-{number}")
        material.start(store, f"new-{number}")
    message = material.message()
    floor_new, new, seq = count(), count(), count(scale.long_session + 1)
    floor, ours, floor_long, ours_long = by_turns(
        lambda: _bare_insert(connection, f"floor-new-{next(floor_new)}", 1, message),
        lambda: store.append(f"new-{next(new)}", [message]),
        lambda: _bare_insert(connection, "floor-long", next(seq), message),
        lambda: store.append("long", [message]),
        rounds=scale.appends,
    )
    length = f"N = {scale.long_session:,}"
    yield Measured("PostgreSQL: append a message, N = 0", floor, ours, "seconds", at_most(1.5))
    yield Measured(f"PostgreSQL: append a message, {length}", floor_long, ours_long, "seconds", at_most(1.5))
    yield Measured(f"PostgreSQL: append a message, N = 0 beside {length}", ours, ours_long, "seconds", at_most(1.1))


def _start(store: SqlSessionStore, connection: Connection, scale: Scale) -> Iterator[Measured]:
    four = material.messages(4)
    floor_number, number = count(), count()
    floor, ours = by_turns(
        lambda: _bare_start(connection, f"floor-session-{next(floor_number)}", four),
        lambda: material.start(store, f"session-{next(number)}", 4),
        rounds=scale.new_sessions,
    )
    yield Measured(f"PostgreSQL: one of {scale.new_sessions:,} new sessions of 4", floor, ours, "seconds", at_most(1.5))


def _read(store: SqlSessionStore, connection: Connection, scale: Scale) -> Iterator[Measured]:
    length = scale.session_length
    material.start(store, "read", length)
    floor, ours, floor_end, end = by_turns(
        lambda: _bare_read(connection, bare.MESSAGES, "read"),
        lambda: store.messages("read"),
        lambda: _bare_read(connection, bare.LAST_MESSAGES, "read", 20),
        lambda: store.last_messages("read", 20),
        rounds=scale.lists,
    )
    yield Measured(f"PostgreSQL: read a session of {length:,}", floor, ours, "seconds", at_most(1.0))
    yield Measured("PostgreSQL: its last 20", floor_end, end, "seconds", at_most(1.3))


def _list(store: SqlSessionStore, connection: Connection, scale: Scale) -> Iterator[Measured]:
    statement = (
        "SELECT session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at"
        " FROM sessions ORDER BY created_at DESC, session_id LIMIT 50"
    )
    floor, ours, by_agent = by_turns(
        lambda: connection.execute(statement).fetchall(),
        lambda: store.list(SessionFilter(), limit=50),
        lambda: store.list(SessionFilter(agent="Weather Agent"), limit=50),
        rounds=scale.lists,
    )
    yield Measured("PostgreSQL: list the 50 newest", floor, ours, "seconds", at_most(3))
    yield Measured("PostgreSQL: list the 50 newest, by agent", floor, by_agent, "seconds", at_most(3))


@contextmanager
def _server() -> Iterator[Cluster]:
    cluster = Cluster(settings=_DURABLE).start()
    try:
        yield cluster
    finally:
        cluster.remove()


def _connect(target: PostgresTarget) -> Connection:
    return psycopg.connect(**target.connect_arguments(), autocommit=True, cursor_factory=psycopg.RawCursor)


def _dollars(statement: str) -> str:
    return statement.replace("?", "$")


def _bare_load(connection: Connection) -> list[Any]:
    with bare.collector_off():
        return [bare.decode(row[2]) for row in connection.execute(bare.LOAD).fetchall()]


def _bare_insert(connection: Connection, session_id: str, seq: int, message: NewMessage) -> None:
    values = [session_id, seq, message.role, message.document, message.native, message.provider, message.run_id, seq]
    connection.execute(_dollars(bare.INSERT_MESSAGE), values)


def _bare_start(connection: Connection, session_id: str, messages: Sequence[NewMessage]) -> None:
    """The rows of a session in one transaction, sent together as a pipeline: the least that a driver can do."""
    with connection.transaction(), connection.pipeline():
        values = [session_id, session_id, "Weather Agent", len(messages), 1]
        connection.execute(_dollars(bare.INSERT_SESSION), values)
        connection.execute(_dollars(bare.INSERT_RUN), [f"run-{session_id}", session_id, 1])
        for seq, message in enumerate(messages, 1):
            _bare_insert(connection, session_id, seq, message)


def _bare_read(connection: Connection, statement: str, *values: Any) -> list[Any]:
    return [bare.decode(row[3]) for row in connection.execute(_dollars(statement), values).fetchall()]


def _rate(write: Callable[[int], None], seconds: float) -> tuple[float, float]:
    """Writes per second of eight threads, and the slowest's share of the fastest's."""
    done = [0] * _WRITERS
    stop = threading.Event()

    def work(number: int) -> None:
        while not stop.is_set():
            write(number)
            done[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(_WRITERS)]
    started = perf_counter()
    for worker in workers:
        worker.start()
    sleep(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    return sum(done) / (perf_counter() - started), min(done) / max(done)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
