"""The queue in front of a store's writers: one at a time, across threads and processes, and none starves.

``BEGIN IMMEDIATE`` with a busy time-out polls: of eight hot writers some wait for seconds. An ``flock`` wakes the next one at once,
and the kernel gives it back when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aurite.storage.file_errors import storage_error


class WriteLock:
    """An exclusive lock on a file of its own (0600), taken in order of arrival within a process.

    Raises:
        StorageError: the lock file cannot be made; the place is read-only, or full.
    """

    _guard: threading.Lock
    _waiting: deque[threading.Lock]
    _taken: bool
    _holder: int | None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.seconds_waited = 0.0
        """How long the writers of this process have waited for their turn, taken together."""
        self._be_free()
        _locks.add(self)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lock for the length of the block; a thread that holds it already goes on."""
        me = threading.get_ident()
        if self._holder == me:
            yield
            return
        came = time.perf_counter()
        self._take_turn()
        try:
            fcntl.flock(self._open(), fcntl.LOCK_EX)
            self._holder = me
            self.seconds_waited += time.perf_counter() - came
            try:
                yield
            finally:
                self._holder = None
                if self._descriptor is not None:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._pass_turn()

    def close(self) -> None:
        """Give the lock file's descriptor back; it is opened again when needed."""
        with self._guard:
            if self._descriptor is not None and not self._taken:
                os.close(self._descriptor)
                self._descriptor = None

    def forget_parent(self) -> None:
        """In a forked child: hold nothing. With the parent's descriptor open, the lock would outlive a parent that is killed."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._be_free()

    def _be_free(self) -> None:
        self._guard = threading.Lock()
        self._waiting = deque()
        self._taken = False
        self._holder = None

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise storage_error(error, self._path) from error
        return self._descriptor

    def _take_turn(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:  # Ctrl-C: leave the queue, or pass on a turn that has just come
            with self._guard:
                waiting = turn in self._waiting
                if waiting:
                    self._waiting.remove(turn)
            if not waiting:
                self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


_locks: weakref.WeakSet[WriteLock] = weakref.WeakSet()


def _forget_parent() -> None:
    for lock in _locks:
        lock.forget_parent()


os.register_at_fork(after_in_child=_forget_parent)
