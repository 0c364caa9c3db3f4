"""Reading the session files of Aurite 0.4: one ``<session id>.json`` per session, rewritten whole after each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aurite.errors import InvalidValueError
from aurite.model.jsontext import JsonValue, decode, encode
from aurite.model.names import check_name
from aurite.model.records import Message, NewMessage, NewRun, NewSession, Run, RunEnd, RunStatus, Session
from aurite.storage.session_log import State, end_line, head_line, message_line, run_line, write_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RESULT_KEYS = ("conversation_history", "step_results", "node_results")
_STATUS: dict[str, RunStatus] = {
    "success": "completed",
    "completed": "completed",
    "error": "failed",
    "failed": "failed",
    "max_iterations_reached": "max_iterations_reached",
}


@dataclass(frozen=True, slots=True)
class LegacySession:
    """A session of 0.4 as records of today: one run, and the messages of its conversation."""

    session: Session
    messages: tuple[Message, ...]
    run: Run


def read_legacy(data: bytes, *, session_id: str, modified_at: int) -> LegacySession:
    """The session that a file holds.

    Args:
        data: the content of the file.
        session_id: the name of the file without ``.json``.
        modified_at: when the file was written, in microseconds; for files that do not say.

    Raises:
        InvalidValueError: the content is not a session, or belongs to another id.
    """
    document = decode(data)
    if not isinstance(document, dict):
        raise InvalidValueError("not a session: not an object")
    if document.get("session_id", session_id) != session_id:
        raise InvalidValueError(f"holds session {document['session_id']!r}, but its name is that of another one")
    result = _execution_result(document)
    history = result.get("conversation_history") or []
    if not isinstance(history, list):
        raise InvalidValueError("conversation_history is not a list")
    active_at = _instant(document, "last_updated", modified_at)
    session = _session(document, result, check_name(session_id, "session id"), active_at, len(history))
    return LegacySession(session, _messages(session, history), _run(session, result))


def as_log(legacy: LegacySession) -> bytes:
    """The same session in today's file format."""
    session, run = legacy.session, legacy.run
    kind: JsonValue = session.kind
    new = NewSession(session.session_id, kind, session.name, session.base_session_id, session.parent_session_id, session.title)
    status: JsonValue = run.status
    ended_at = session.active_at
    lines = [
        head_line(new, session.created_at),
        run_line(NewRun(run.run_id), run.started_at),
        *(message_line(_new_message(message), message.seq, message.created_at) for message in legacy.messages),
        end_line(run.run_id, RunEnd(status, run.error, run.result), ended_at),
    ]
    return write_of(lines, State(messages=len(legacy.messages), status=session.status, active_at=ended_at))


def _execution_result(document: dict[str, JsonValue]) -> dict[str, JsonValue]:
    result = document.get("execution_result")
    if isinstance(result, str):
        result = decode(result)
    if result is None and any(key in document for key in _RESULT_KEYS):
        result = document
    if not isinstance(result, dict):
        raise InvalidValueError("not a session: it has no execution_result")
    return result


def _session(
    document: dict[str, JsonValue], result: dict[str, JsonValue], session_id: str, active_at: int, messages: int
) -> Session:
    workflow_name = result.get("workflow_name")
    is_workflow = document.get("is_workflow") or document.get("result_type") == "workflow" or workflow_name
    name = document.get("name") or workflow_name or result.get("agent_name") or session_id
    base = document.get("base_session_id") or session_id
    if not isinstance(name, str) or not isinstance(base, str):
        raise InvalidValueError("name or base_session_id is not text")
    return Session(
        session_id=session_id,
        base_session_id=base,
        parent_session_id=base if session_id.startswith(f"{base}-") else None,
        kind="workflow" if is_workflow else "agent",
        name=name,
        status=_STATUS.get(str(result.get("status")), "completed"),
        title=None,
        message_count=messages,
        created_at=_instant(document, "created_at", active_at),
        active_at=active_at,
    )


def _messages(session: Session, history: list[JsonValue]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for seq, item in enumerate(history, start=1):
        role = item.get("role") if isinstance(item, dict) else None
        if not isinstance(role, str):
            raise InvalidValueError(f"conversation_history[{seq - 1}] is not a message with a role")
        run_id = _run_id(session.session_id)
        messages.append(Message(session.session_id, seq, role, encode(item), None, None, run_id, session.created_at))
    return tuple(messages)


def _run(session: Session, result: dict[str, JsonValue]) -> Run:
    error = result.get("error_message") or result.get("error")
    kept = {key: value for key, value in result.items() if key != "conversation_history"}
    return Run(
        run_id=_run_id(session.session_id),
        session_id=session.session_id,
        status=session.status,
        started_at=session.created_at,
        ended_at=session.active_at,
        error=error if error is None or isinstance(error, str) else encode(error),
        result=encode(kept),
        usage=None,
        owner=None,
    )


def _run_id(session_id: str) -> str:
    return f"{session_id}-0.4"


def _new_message(message: Message) -> NewMessage:
    return NewMessage(message.role, message.document, run_id=message.run_id)


def _instant(document: dict[str, JsonValue], field: str, otherwise: int) -> int:
    """Microseconds since 1970; 0.4 wrote UTC without saying so."""
    written = document.get(field)
    if written is None:
        return otherwise
    try:
        instant = datetime.fromisoformat(written)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{field} is not a time: {written!r}") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)
