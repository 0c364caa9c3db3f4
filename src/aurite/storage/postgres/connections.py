"""The connections of one process to one database: made when needed, reused, looked at before each use.

A connection is made in the thread that asks for it, so that what is wrong is told at once and in its own words, and a server that
came back is found by the next caller (see docs/explanation/decisions.md for the pool that was turned down).
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from aurite.errors import StoreBusyError, StoreUnavailableError
from aurite.storage.postgres.errors import translate_connecting
from aurite.storage.postgres.target import PostgresTarget

Connection = psycopg.Connection[Any]

_ASK_AFTER = 30.0
"""Seconds of idleness after which a connection is asked whether it still works: a half-open one shows no other sign."""

_abandoned: list[Connection] = []
"""Connections of a parent process: closing them here would end the parent's sessions."""


def connect(target: PostgresTarget) -> Connection:
    """A new connection in autocommit mode, with the target's schema and time-out set.

    Raises:
        StorageError: with the reason in the guide's words, within the connect time-out.
    """
    try:
        connection: Connection = psycopg.connect(
            **target.connect_arguments(),
            autocommit=True,
            prepare_threshold=None if target.pgbouncer else 5,
            cursor_factory=psycopg.RawCursor,
            client_encoding="utf8",
        )
    except psycopg.Error as error:
        raise translate_connecting(error, target) from error
    if not target.pgbouncer:
        statement, values = local_settings(target, is_local=False)
        if statement:
            connection.execute(statement, values)
    return connection


def local_settings(target: PostgresTarget, *, is_local: bool) -> tuple[str, list[object]]:
    """The statement that sets schema and statement time-out, for the session or for one transaction; empty where neither is set."""
    parts: list[str] = []
    values: list[object] = []
    if target.schema is not None:
        values.append(target.schema)
        parts.append(f"set_config('search_path', quote_ident(${len(values)}::text), {is_local})")
    if target.statement_timeout:
        values.append(str(round(target.statement_timeout * 1000)))
        parts.append(f"set_config('statement_timeout', ${len(values)}::text, {is_local})")
    return (f"SELECT {', '.join(parts)}" if parts else ""), values


class Connections:
    """At most ``pool_size`` connections, each leased to one thread at a time; the one used last goes out first."""

    def __init__(self, target: PostgresTarget) -> None:
        self.target = target
        self.seconds_waited = 0.0
        """How long callers have waited for a connection, taken together."""
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._free = threading.BoundedSemaphore(self.target.pool_size)
        self._idle: list[tuple[Connection, float]] = []
        self._leased: list[object] = []
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many are leased at this moment."""
        return len(self._leased)

    @contextmanager
    def lease(self) -> Iterator[Connection]:
        """A working connection for the length of the block.

        Raises:
            StoreBusyError: all are in use and none came back in time.
            StorageError: no connection can be made.
        """
        if self._process != os.getpid():
            _abandoned.extend(connection for connection, _ in self._idle)
            self._start()
        if self._closed:
            raise StoreUnavailableError(f"the connections to {self.target.location} were closed")
        came = time.monotonic()
        free = self._free.acquire(timeout=self.target.pool_timeout)
        self.seconds_waited += time.monotonic() - came
        if not free:
            raise StoreBusyError(
                f"all {self.target.pool_size} connections to {self.target.location} are in use",
                next_step="Try again, or raise AURITE_DB_POOL_SIZE or AURITE_DB_POOL_TIMEOUT",
            )
        lease = object()
        self._leased.append(lease)
        try:
            connection = self._working() or connect(self.target)
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._leased.remove(lease)
            self._free.release()

    def close(self) -> None:
        """Close the idle connections; leased ones are closed when they come back."""
        self._closed = True
        if self._process == os.getpid():
            while self._idle:
                self._idle.pop()[0].close()

    def _working(self) -> Connection | None:
        while self._idle:
            with suppress(IndexError):  # another thread took it
                connection, since = self._idle.pop()
                if _is_working(connection, idle=time.monotonic() - since):
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            return
        if connection.info.transaction_status != TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                connection.rollback()
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))


def _is_working(connection: Connection, *, idle: float) -> bool:
    if connection.closed:
        return False
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        readable = poll.poll(0)
        if readable:  # an idle connection hears nothing, unless the server ends it
            connection.pgconn.consume_input()
        if readable or idle > _ASK_AFTER:
            connection.execute("SELECT 1")
    except (psycopg.Error, OSError, ValueError):
        return False
    return True
