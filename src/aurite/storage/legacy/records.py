"""What Aurite 0.4 kept, as records of today: the same for its databases and its session files.

A session of 0.4 holds one document, ``execution_result``. Here it becomes one run and a message for each item of its
``conversation_history``; what is not in messages is kept in the run's result, so that ``model.history`` can give the document back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from aurite.errors import InvalidValueError
from aurite.model.history import LEGACY_VERSION
from aurite.model.jsontext import JsonValue, decode, encode
from aurite.model.records import Component, Message, Run, RunStatus, Session
from aurite.storage.components import BY_HAND, misfit

WRITER = "migrate"
"""Recorded as the writer of components that were taken over and fit their type."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROVENANCE = ("_source_file", "_context_path", "_context_level", "_project_name", "_workspace_name")
_STATUS: dict[str, RunStatus] = {
    "success": "completed",
    "completed": "completed",
    "error": "failed",
    "failed": "failed",
    "max_iterations_reached": "max_iterations_reached",
}


@dataclass(frozen=True, slots=True)
class OldSession:
    """A session as 0.4 kept it, in a row or a file."""

    session_id: str
    base_session_id: str | None
    name: str
    result_type: str
    is_workflow: bool
    message_count: int | None
    result: JsonValue
    """The execution_result: an object, unless somebody else wrote it."""
    agents_involved: JsonValue
    created_at: int
    last_updated: int


@dataclass(frozen=True, slots=True)
class LegacySession:
    """A session of 0.4 as records of today: one run, and the messages of its conversation."""

    session: Session
    messages: tuple[Message, ...]
    run: Run


def session_of(old: OldSession) -> LegacySession:
    """The session, its messages and its run; the run has the id of the session.

    A conversation in which something is no message with a role stays in the run's result as a whole.
    """
    base = old.base_session_id or old.session_id
    result = old.result if isinstance(old.result, dict) else {}
    messages = _messages(old, result.get("conversation_history"))
    status = _STATUS.get(str(result.get("status")), "completed")
    session = Session(
        session_id=old.session_id,
        base_session_id=base,
        parent_session_id=base if old.session_id.startswith(f"{base}-") else None,
        kind="workflow" if old.is_workflow or old.result_type == "workflow" else "agent",
        name=old.name,
        status=status,
        title=None,
        message_count=len(messages),
        created_at=old.created_at,
        active_at=old.last_updated,
    )
    error = result.get("error_message") or result.get("error")
    run = Run(
        run_id=old.session_id,
        session_id=old.session_id,
        status=status,
        started_at=old.created_at,
        ended_at=old.last_updated,
        error=error if error is None or isinstance(error, str) else encode(error),
        result=_kept_result(old, result | {"conversation_history": []} if messages else old.result),
        usage=None,
        owner=None,
    )
    return LegacySession(session, messages, run)


@dataclass(frozen=True, slots=True)
class OldMessage:
    """A row of ``agent_history``, in which versions before the sessions kept one message each."""

    role: str
    content: str
    """JSON text: what the message says, without its role."""
    timestamp: int


def session_of_history(session_id: str, agent: str, rows: Sequence[OldMessage], *, known_as: str) -> LegacySession:
    """The session that the rows of one agent in one old session make.

    Args:
        session_id: its id today.
        rows: at least one, oldest first.
        known_as: the id under which the rows stand.
    """
    messages = tuple(
        Message(session_id, seq, row.role, _message_text(row), None, None, session_id, row.timestamp)
        for seq, row in enumerate(rows, start=1)
    )
    old = OldSession(
        session_id=session_id,
        base_session_id=None,
        name=agent,
        result_type="agent",
        is_workflow=False,
        message_count=len(rows),
        result={"conversation_history": [], "session_id": known_as, "agent_name": agent},
        agents_involved=None,
        created_at=min(row.timestamp for row in rows),
        last_updated=max(row.timestamp for row in rows),
    )
    plain = session_of(old)
    return LegacySession(msgspec.structs.replace(plain.session, message_count=len(messages)), messages, plain.run)


def _message_text(row: OldMessage) -> str:
    decode(row.content)  # raises where it is not JSON
    return f'{{"role":{encode(row.role)},"content":{row.content}}}'


def component_of(type_: str, name: str, config: str, *, created_at: int, updated_at: int) -> Component:
    """A component of 0.4, at revision 1.

    The keys by which 0.4 noted where it came from become its provenance; all else stays, byte for byte where there were none.
    One that does not fit its type gets the writer of edits by hand: it is then examined whenever it is loaded, and reported.

    Raises:
        InvalidValueError: the config is not JSON.
    """
    value = decode(config)
    provenance = None
    if isinstance(value, dict):
        found = {key: value[key] for key in _PROVENANCE if key in value}
        lacking = {key: known for key, known in (("name", name), ("type", type_)) if key not in value}
        if found or lacking:
            config = encode(lacking | {key: kept for key, kept in value.items() if key not in found})
        if found:
            provenance = encode({key.removeprefix("_"): kept for key, kept in found.items()})
    component = Component(type_, name, config, 1, created_at, updated_at, WRITER, provenance)
    if misfit(component):
        return Component(type_, name, config, 1, created_at, updated_at, BY_HAND, provenance)
    return component


def instant_of(written: object, field: str) -> int:
    """Microseconds since 1970; 0.4 wrote UTC without saying so.

    Raises:
        InvalidValueError: it is no time.
    """
    try:
        instant = datetime.fromisoformat(written)  # type: ignore[arg-type]  # what is no text is refused like any other
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{field} is not a time: {written!r}") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def not_a_message(history: list[JsonValue]) -> int | None:
    """The place of the first item that is no message with a role."""
    for place, item in enumerate(history):
        if not (isinstance(item, dict) and isinstance(item.get("role"), str)):
            return place
    return None


def _messages(old: OldSession, history: JsonValue) -> tuple[Message, ...]:
    if not isinstance(history, list) or not_a_message(history) is not None:
        return ()
    return tuple(
        Message(old.session_id, seq, item["role"], encode(item), None, None, old.session_id, old.created_at)
        for seq, item in enumerate(history, start=1)
    )


def _kept_result(old: OldSession, result: JsonValue) -> str:
    # An empty conversation_history marks the place where the messages belong; what only 0.4's row says stands beside the result.
    return encode(
        {
            "recorded_by": LEGACY_VERSION,
            "result_type": old.result_type,
            "is_workflow": old.is_workflow,
            "message_count": old.message_count,
            "agents_involved": old.agents_involved,
            "base_session_id": old.base_session_id,
            "execution_result": result,
        }
    )
