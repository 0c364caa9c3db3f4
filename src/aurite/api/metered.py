"""The store of sessions, with the tokens of each run counted when its end is written."""

from __future__ import annotations

from typing import Any

from aurite.api.metrics import Metrics
from aurite.model.jsontext import decode
from aurite.model.records import RunEnd
from aurite.storage.ports import SessionStore


class MeteredSessions:
    """A ``SessionStore`` that hands everything on to another one."""

    def __init__(self, store: SessionStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def end_run(self, session_id: str, run_id: str, end: RunEnd) -> None:
        """See ``SessionStore``."""
        self._store.end_run(session_id, run_id, end)
        usage = decode(end.usage) if end.usage else {}
        self._metrics.tokens_used(int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0))
