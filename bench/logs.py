"""Sessions one at a time: appending to them, starting them, reading them, and the room they take."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import apsw

from aurite.model.jsontext import decode
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from bench import bare, material
from bench.measuring import Measured, at_most, by_turns
from bench.scale import Scale

_SYNCHRONOUS = {"FULL": 2, "NORMAL": 1}


def append(scale: Scale, folder: Path) -> Iterator[Measured]:
    """One message: a bare insert of its row beside ``append``, which also counts it and finds its number."""
    for synchronous, budget in (("FULL", 1.3), ("NORMAL", 3.0)):
        floor_path, path = material.empty_store(folder / f"floor-{synchronous}.db"), folder / f"{synchronous}.db"
        floor_store, store = (SqlSessionStore(SqliteDatabase(p, synchronous=synchronous)) for p in (floor_path, path))
        for each in (floor_store, store):
            material.start(each, "long", scale.long_session)
            for number in range(scale.appends):
                material.start(each, f"new-{number}")
        connection = bare.connect(floor_path, synchronous=_SYNCHRONOUS[synchronous])
        floor_store.close()  # not before: the last one to close removes the WAL, and growing a new one costs more than reusing it
        yield from _append(store, connection, scale, synchronous, budget)
        connection.close()
        store.close()


def _append(
    store: SqlSessionStore, connection: apsw.Connection, scale: Scale, synchronous: str, budget: float
) -> Iterator[Measured]:
    message = material.message()
    floor_new, new, seq = count(), count(), count(scale.long_session + 1)
    floor, ours, floor_long, ours_long = by_turns(
        lambda: bare.insert_message(connection, f"new-{next(floor_new)}", 1, message),
        lambda: store.append(f"new-{next(new)}", [message]),
        lambda: bare.insert_message(connection, "long", next(seq), message),
        lambda: store.append("long", [message]),
        rounds=scale.appends,
    )
    yield Measured(f"append a message, {synchronous}, N = 0", floor, ours, "seconds", at_most(budget))
    length = f"N = {scale.long_session:,}"
    yield Measured(f"append a message, {synchronous}, {length}", floor_long, ours_long, "seconds", at_most(budget))
    yield Measured(f"append a message, {synchronous}, N = 0 beside {length}", ours, ours_long, "seconds", at_most(1.1))


def start(scale: Scale, folder: Path) -> Iterator[Measured]:
    """New sessions of four messages: the same rows, inserted in one transaction each, beside ``start_run``."""
    connection = bare.connect(material.empty_store(folder / "floor-start.db"))
    store = SqlSessionStore(SqliteDatabase(folder / "start.db"))
    four = material.messages(4)
    floor_number, number = count(), count()
    floor, ours = by_turns(
        lambda: bare.insert_session(connection, f"session-{next(floor_number)}", four),
        lambda: material.start(store, f"session-{next(number)}", 4),
        rounds=scale.new_sessions,
    )
    yield Measured(f"one of {scale.new_sessions:,} new sessions of 4", floor, ours, "seconds", at_most(1.5))
    connection.close()
    store.close()


def read(scale: Scale, folder: Path) -> Iterator[Measured]:
    """A session and its end: rows and parsed documents beside messages, whose documents stay text until asked for."""
    path = folder / "read.db"
    store = SqlSessionStore(SqliteDatabase(path))
    length = scale.session_length
    material.start(store, "long", length)
    connection = bare.connect(path)
    floor, ours, parsed, floor_end, end, end_parsed = by_turns(
        lambda: bare.messages(connection, "long"),
        lambda: store.messages("long"),
        lambda: [decode(message.document) for message in store.messages("long")],
        lambda: bare.last_messages(connection, "long", 20),
        lambda: store.last_messages("long", 20),
        lambda: [decode(message.document) for message in store.last_messages("long", 20)],
        rounds=scale.lists,
    )
    yield Measured(f"read a session of {length:,}", floor, ours, "seconds", at_most(1.0))
    yield Measured(f"read a session of {length:,}, and parse it", floor, parsed, "seconds")
    yield Measured("its last 20", floor_end, end, "seconds", at_most(1.3))
    yield Measured("its last 20, and parse them", floor_end, end_parsed, "seconds")
    connection.close()
    store.close()


def disk(scale: Scale, folder: Path) -> Iterator[Measured]:
    """Bytes of a session of 20 messages: tables with their keys alone beside ours, with all indexes."""
    store = SqlSessionStore(SqliteDatabase(folder / "disk.db", synchronous="OFF"))
    empty = _bytes(folder / "disk.db")
    for number in range(scale.kept_sessions):
        material.start(store, f"agent-{number:06d}-0123456789ab", 20)
    ours = _bytes(folder / "disk.db") - empty
    floor_path = material.empty_store(folder / "floor-disk.db")
    connection = bare.connect(floor_path)
    for (index,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall():
        connection.execute(f'DROP INDEX "{index}"').fetchall()
    connection.execute("VACUUM").fetchall()
    empty = _bytes(floor_path)
    for number in range(scale.kept_sessions):
        bare.insert_session(connection, f"agent-{number:06d}-0123456789ab", material.messages(20))
    floor = _bytes(floor_path) - empty
    yield Measured(
        "disk for a session of 20 messages", floor / scale.kept_sessions, ours / scale.kept_sessions, "bytes", at_most(1.2)
    )
    connection.close()
    store.close()


def _bytes(path: Path) -> int:
    connection = bare.connect(path)
    pages: int = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").get
    connection.close()
    return pages
