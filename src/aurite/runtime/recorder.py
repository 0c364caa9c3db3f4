"""Writes a run into its session while it goes on: each message as soon as it is complete, and how the run ended."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aurite.errors import AuriteError, SessionNotFoundError, StorageError
from aurite.model.jsontext import MAX_MESSAGE_BYTES, JsonValue, check, encode
from aurite.model.messages import Document
from aurite.model.names import check_name
from aurite.model.records import Message, NewMessage, NewRun, NewSession, RunEnd, RunStatus, SessionKind
from aurite.runtime.bridge import Bridge
from aurite.runtime.owner import this_process
from aurite.storage.ports import SessionStore

if TYPE_CHECKING:
    from aurite.runtime.transcript import Entry

_PREFIXES: Mapping[SessionKind, tuple[str, ...]] = {"agent": ("agent-", "workflow-"), "workflow": ("workflow-",)}
"""What an id may begin with already; an agent can go on with the session of a workflow's step."""

_NEWEST = 50
"""Messages among which the last system prompt is looked for; where it lies further back and is not the first, it is kept again."""


def session_id_for(given: str | None, kind: SessionKind = "agent") -> str:
    """The id of a session: ``agent-`` or ``workflow-`` before what was given, or before 8 hex digits.

    Raises:
        InvalidValueError: what was given is not allowed as an id.
    """
    if given is None:
        return f"{kind}-{secrets.token_hex(4)}"
    check_name(given, "session id")
    return check_name(given if given.startswith(_PREFIXES[kind]) else f"{kind}-{given}", "session id")


class Recorder:
    """One run of a session. Without a session nothing is stored, and the messages are only collected."""

    def __init__(self, store: SessionStore, bridge: Bridge, session: NewSession | None, *, provider: str | None = None) -> None:
        self.documents: list[Document] = []
        self._store = store
        self._bridge = bridge
        self._session = session
        self._provider = provider
        self._run_id = secrets.token_hex(16)
        self._status: RunStatus = "completed"
        self._error: str | None = None
        self._result: str | None = None
        self._usage: str | None = None

    @property
    def session_id(self) -> str | None:
        return self._session.session_id if self._session else None

    @asynccontextmanager
    async def running(self, opening: Sequence[Entry]) -> AsyncIterator[None]:
        """Start the run with its first messages, and end it whatever happens inside.

        Raises:
            SessionExistsError: the session belongs to another agent or workflow.
            StorageError: the store failed.
        """
        self.documents += [entry.document for entry in opening]
        if self._session:
            await self._start(self._session, opening)
        end = RunEnd("failed", error="the program stopped the run")
        try:
            yield
            end = RunEnd(self._status, error=self._error)
        except asyncio.CancelledError:
            end = RunEnd("cancelled")
            raise
        except AuriteError as error:
            end = RunEnd("failed", error=str(error))
            raise
        finally:
            await self._finish(end)

    async def _start(self, session: NewSession, opening: Sequence[Entry]) -> None:
        run = NewRun(self._run_id, owner=this_process())
        try:
            await self._bridge.call(self._store.start_run, session, run, self._new_messages(opening))
        except asyncio.CancelledError:
            await self._finish(RunEnd("cancelled"))  # the bridge has waited for the write, so the run is there
            raise

    async def stored(self) -> list[Message]:
        """The session so far."""
        if self._session is None:
            return []
        return await self._bridge.call(self._store.messages, self._session.session_id)

    async def edges(self) -> list[Message]:
        """The first message of the session and its newest ones: enough to know what its last system prompt was, most likely."""
        if self._session is None:
            return []
        return await self._bridge.call(self._edges, self._session.session_id)

    def _edges(self, session_id: str) -> list[Message]:
        return [*self._store.messages(session_id, limit=1), *self._store.last_messages(session_id, _NEWEST)]

    async def add(self, *entries: Entry) -> None:
        """Store messages that are complete, all of them together."""
        self.documents += [entry.document for entry in entries]
        if self._session is None or not entries:
            return
        await self._bridge.call(self._store.append, self._session.session_id, self._new_messages(entries))

    def used(self, usage: dict[str, JsonValue]) -> None:
        """Note tokens and requests so far; stored when the run ends."""
        self._usage = encode(usage)

    def ended(self, status: RunStatus, *, error: str | None = None) -> None:
        """Note in which way the run will have come to its end, where that is not simply its completion."""
        self._status = status
        self._error = error

    def returned(self, result: JsonValue) -> None:
        """Note what the run gives back beyond its messages; stored when the run ends, however it does."""
        self._result = encode(result)

    def _new_messages(self, entries: Sequence[Entry]) -> list[NewMessage]:
        return [
            NewMessage(
                role=entry.role,
                document=check(entry.document, what="message", max_bytes=MAX_MESSAGE_BYTES),
                native=entry.native,
                provider=self._provider if entry.native is not None else None,
                run_id=self._run_id,
            )
            for entry in entries
        ]

    async def _finish(self, end: RunEnd) -> None:
        if self._session is None:
            return
        end = RunEnd(end.status, error=end.error, result=self._result, usage=self._usage)
        finish = self._bridge.call(self._store.end_run, self._session.session_id, self._run_id, end)
        if end.status in ("failed", "cancelled"):
            # What ended the run is what the caller has to hear; that its end could not be written down comes second.
            with contextlib.suppress(SessionNotFoundError, StorageError):
                await finish
        else:
            await finish
