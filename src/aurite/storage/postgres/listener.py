"""Hearing of changes: the newest counter that this process knows of, kept by NOTIFY with polling as the net underneath.

A notification says only that something changed; the counter itself is read from the database, so a notification that is lost,
repeated or meant for another schema does no harm.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from aurite.errors import AuriteError
from aurite.storage.postgres.connections import Connection, connect
from aurite.storage.postgres.target import PostgresTarget

CHANNEL = "aurite_config"
POLL_EVERY = 2.0
"""Seconds between two looks at the counter, whether or not notifications arrive."""

_PROBE = 1.0
_RETRY = (0.1, 2.0)
"""Seconds between attempts to connect: the first, and the longest."""


class Listener:
    """The counter of component changes as this process knows it.

    Args:
        target: where to listen, on a connection outside the pool.
        ask: reads the counter from the database, through the pool.
        watch: listen in a thread, started at the first look; without it the counter is asked for when it is two seconds old.
    """

    def __init__(self, target: PostgresTarget, ask: Callable[[], int], *, watch: bool) -> None:
        self._target = target
        self._ask = ask
        self._watch = watch
        self._guard = threading.Lock()
        self._forget()

    _process: int
    _version: int
    _seen_at: float
    _thread: threading.Thread | None
    _stopping: threading.Event
    _ready: threading.Event
    _sleep_end: int
    _wake_end: int

    @property
    def known(self) -> int:
        """The newest counter heard of, without asking."""
        return self._version

    def version(self) -> int:
        """The counter, at most a moment old.

        Raises:
            StorageError: it was never read, and cannot be read now.
        """
        if self._process != os.getpid():
            self._forget()
        if self._watch:
            if self._thread is None:
                self._start()
        elif time.monotonic() - self._seen_at > POLL_EVERY:
            self._ask()
        return self._version

    def note(self, version: int) -> None:
        """Take over a counter read or written elsewhere in this process."""
        self._version = version
        self._seen_at = time.monotonic()

    def close(self) -> None:
        """End the thread and its connection."""
        with self._guard:
            thread, self._thread = self._thread, None
            if thread is not None and self._process == os.getpid():
                self._stopping.set()
                os.write(self._wake_end, b"x")
        if thread is not None and self._process == os.getpid():
            thread.join()
            os.close(self._wake_end)
            os.close(self._sleep_end)

    def _forget(self) -> None:
        self._process = os.getpid()
        self._version = -1
        self._seen_at = float("-inf")
        self._thread = None
        self._stopping = threading.Event()
        self._ready = threading.Event()

    def _start(self) -> None:
        with self._guard:
            if self._thread is None:
                self._ask()
                self._sleep_end, self._wake_end = os.pipe()
                self._thread = threading.Thread(target=self._run, name="aurite-listener", daemon=True)
                self._thread.start()
        self._ready.wait(timeout=self._target.connect_timeout)

    def _run(self) -> None:
        delay = _RETRY[0]
        while not self._stopping.is_set():
            try:
                if self._target.pgbouncer:  # LISTEN does not live beyond a transaction there
                    self._poll_only()
                    continue
                with connect(self._target) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    hears = self._probe(connection)
                    self._refresh(connection)
                    self._ready.set()
                    delay = _RETRY[0]
                    if hears:
                        self._listen(connection)
                    else:
                        self._poll_only()
            except (AuriteError, psycopg.Error, OSError):
                # The readers' own statements say what is wrong; this thread only comes back as soon as it can, and polls meanwhile.
                self._ready.set()
                with suppress(AuriteError):
                    self._ask()
                self._sleep(delay)
                delay = min(delay * 2, _RETRY[1])

    def _listen(self, connection: Connection) -> None:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._sleep_end, select.POLLIN)
        while not self._stopping.is_set():
            poll.poll(POLL_EVERY * 1000)
            for _ in connection.notifies(timeout=0):
                pass
            self._refresh(connection)

    def _poll_only(self) -> None:
        self._ready.set()
        while not self._stopping.is_set():
            with suppress(AuriteError):
                self._ask()
            self._sleep(POLL_EVERY)

    def _probe(self, connection: Connection) -> bool:
        connection.execute(f"NOTIFY {CHANNEL}")
        return any(True for _ in connection.notifies(timeout=_PROBE, stop_after=1))

    def _refresh(self, connection: Connection) -> None:
        row = connection.execute("SELECT config_version FROM store_meta").fetchone()
        if row is not None:
            self.note(row[0])

    def _sleep(self, seconds: float) -> None:
        self._stopping.wait(seconds)
