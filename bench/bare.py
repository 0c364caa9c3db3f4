"""The floor: apsw and msgspec alone, on the same tables, with the same pragmas and the same durability."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from aurite.model.records import NewMessage

BUSY_TIMEOUT = 30_000

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

INSERT_MESSAGE = (
    "INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
)
MESSAGES = (
    "SELECT session_id, seq, role, document, native, provider, run_id, created_at FROM messages WHERE session_id = ?1 ORDER BY seq"
)
LAST_MESSAGES = f"{MESSAGES} DESC LIMIT ?2"
INSERT_SESSION = (
    "INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at,"
    " active_at) VALUES (?1, ?2, NULL, 'agent', ?3, 'running', NULL, ?4, ?5, ?5)"
)
INSERT_RUN = "INSERT INTO runs (run_id, session_id, status, started_at, owner) VALUES (?1, ?2, 'running', ?3, NULL)"
LOAD = "SELECT type, name, document, revision, created_at, updated_at, writer, provenance FROM components ORDER BY type, name"
INSERT_COMPONENT = (
    "INSERT INTO components (type, name, document, revision, created_at, updated_at, writer, provenance)"
    " VALUES (?1, ?2, ?3, 1, ?4, ?4, 'bench', ?5)"
)
INSERT_REVISION = (
    "INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at)"
    " VALUES (1, ?1, ?2, 'create', ?3, ?5, 'bench', NULL, ?4)"
)


def connect(path: Path, *, synchronous: int = 2) -> apsw.Connection:
    """A connection set up as Aurite's are."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_TIMEOUT)
    connection.pragma("synchronous", synchronous)
    connection.pragma("foreign_keys", 1)
    connection.pragma("trusted_schema", 0)
    return connection


def insert_message(connection: apsw.Connection, session_id: str, seq: int, message: NewMessage) -> None:
    """One row; a transaction of its own where none is open."""
    values = (session_id, seq, message.role, message.document, message.native, message.provider, message.run_id, seq)
    connection.execute(INSERT_MESSAGE, values).fetchall()


def insert_session(connection: apsw.Connection, session_id: str, messages: list[NewMessage]) -> None:
    """A session with its run and messages: one transaction."""
    connection.execute("BEGIN IMMEDIATE").fetchall()
    connection.execute(INSERT_SESSION, (session_id, session_id, "Weather Agent", len(messages), 1)).fetchall()
    connection.execute(INSERT_RUN, (f"run-{session_id}", session_id, 1)).fetchall()
    for seq, message in enumerate(messages, 1):
        insert_message(connection, session_id, seq, message)
    connection.execute("COMMIT").fetchall()


def load(connection: apsw.Connection) -> list[Any]:
    """All components, each document decoded, with the collector off."""
    with collector_off():
        return _decoded(connection.execute(LOAD).fetchall(), 2)


def messages(connection: apsw.Connection, session_id: str) -> list[Any]:
    """The messages of a session, each decoded."""
    return _decoded(connection.execute(MESSAGES, (session_id,)).fetchall(), 3)


def last_messages(connection: apsw.Connection, session_id: str, count: int) -> list[Any]:
    """The last messages of a session, each decoded, oldest first."""
    return _decoded(connection.execute(LAST_MESSAGES, (session_id, count)).fetchall()[::-1], 3)


def _decoded(rows: list[Any], column: int) -> list[Any]:
    return [decode(row[column]) for row in rows]


@contextmanager
def collector_off() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
