"""The one way from async code to the synchronous stores: an executor of its own size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

WORKERS = 4
"""Storage calls that may be under way at once; more would only queue for the store's write lock."""


class Bridge:
    """Runs storage calls in threads, so that the event loop never waits for a disk."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="aurite-store")

    async def call(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What ``work`` returns. A call once begun is awaited to its end, also by a task that is cancelled meanwhile.

        Raises:
            Whatever ``work`` raises; CancelledError after ``work`` ended, where the task was cancelled.
        """
        future = asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await _ended(future)
            raise

    def close(self) -> None:
        """Wait for the calls under way; calling it twice is fine."""
        self._executor.shutdown()


async def _ended(future: asyncio.Future[_T]) -> None:
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue  # cancelled again: the write is still under way, and the first cancellation is raised after it
    if not future.cancelled():
        future.exception()  # looked at, so that asyncio does not report it as forgotten: the cancellation wins
