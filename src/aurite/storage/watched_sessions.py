"""Sessions whose abandoned runs are ended before anybody looks at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, cast

from aurite.errors import StorageError
from aurite.model.records import Run
from aurite.storage.ports import SessionStore

_LOOKS = frozenset({"start_run", "get", "find", "runs", "list", "count", "iterate"})
"""What shows the state of a run, or starts one."""
_PAUSE = 1.0
"""Seconds for which a look is not repeated."""


def watched(store: SessionStore, is_abandoned: Callable[[Run], bool]) -> SessionStore:
    """The store, in which a run that ``is_abandoned`` is ``interrupted`` at the next look by anyone.

    A store that cannot be written is read as it is.
    """
    return cast("SessionStore", _Watched(store, is_abandoned))


class _Watched:
    def __init__(self, store: SessionStore, is_abandoned: Callable[[Run], bool]) -> None:
        self._store = store
        self._is_abandoned = is_abandoned
        self._looking = threading.Lock()
        self._next = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in _LOOKS:
            return method

        @wraps(method)
        def after_a_look(*args: Any, **options: Any) -> Any:
            self._look()
            return method(*args, **options)

        return after_a_look

    def _look(self) -> None:
        if time.monotonic() < self._next or not self._looking.acquire(blocking=False):
            return
        try:
            with suppress(StorageError):  # the call itself tells what is wrong with the store
                self._store.end_abandoned_runs(self._is_abandoned)
            self._next = time.monotonic() + _PAUSE
        finally:
            self._looking.release()
