"""Small writes of many threads, carried out in common transactions: while one is brought to disk, the next ones gather.

A thread that finds nobody writing goes first, without waiting. Those that come meanwhile queue; the first of them then carries
out the writes of all and wakes them once they are committed. Where one of them is refused, all are taken back and each is tried by
itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from aurite.errors import AuriteError, OutcomeUnknownError
from aurite.storage.engine import Transaction

T = TypeVar("T")

_MOST = 64
"""Writes in one transaction; more would make the first wait for the last."""


class GroupCommit:
    """One queue of writes for all threads of a process.

    Args:
        transaction: begins a transaction, and commits it at the end of its block.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._transaction = transaction
        self._guard = threading.Lock()
        self._queue: deque[_Write] = deque()
        self._led = False

    def write(self, work: Callable[[Transaction], T]) -> T:
        """What ``work`` returned, once it is committed.

        Args:
            work: what to write. Another thread may carry it out, and twice where the first attempt was taken back.

        Raises:
            What ``work`` raised, and then nothing of it was kept; or what kept it from being committed.
        """
        with self._guard:
            write = _Write(work) if self._led else None
            self._led = True
            if write is not None:
                self._queue.append(write)
        if write is None:
            return self._write_first(work)
        self._wait(write)
        if not write.done:
            self._lead()
        if write.error is not None:
            raise write.error
        result: T = write.result
        return result

    def _write_first(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._transaction() as transaction:
                return work(transaction)
        finally:
            with self._guard:
                self._hand_on()

    def _wait(self, write: _Write) -> None:
        try:
            write.turn.acquire()
        except BaseException:  # Ctrl-C: leave the queue, and hand on a turn that has just come
            with self._guard:
                if write in self._queue:
                    self._queue.remove(write)
                    if write.leads:
                        self._hand_on()
            raise

    def _lead(self) -> None:
        with self._guard:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _MOST))]
        try:
            if len(batch) == 1 or not self._carried_out(batch):
                for write in batch:
                    self._carry_out(write)
        finally:
            with self._guard:
                for write in batch:
                    write.done = True
                    if not write.leads:
                        write.turn.release()
                self._hand_on()

    def _hand_on(self) -> None:
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].turn.release()
        else:
            self._led = False

    def _carried_out(self, batch: list[_Write]) -> bool:
        try:
            with self._transaction() as work:
                results = [write.work(work) for write in batch]
        except AuriteError:
            return False
        for write, result in zip(batch, results, strict=True):
            write.result, write.error = result, None
        return True

    def _carry_out(self, write: _Write) -> None:
        try:
            with self._transaction() as work:
                result = write.work(work)
        except AuriteError as error:
            write.error = error
        else:
            write.result, write.error = result, None


class _Write:
    """One write in the queue."""

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: AuriteError | None = OutcomeUnknownError(
            "the thread that wrote for several was interrupted; this write may or may not be there",
            next_step="Look whether it is there, then try again",
        )
        self.done = False
        self.leads = False
        """It is its turn to carry out the queue."""
        self.turn = threading.Lock()
        """Released when it leads, or is done."""
        self.turn.acquire()
