"""Reading the session files of Aurite 0.4: one ``<session id>.json`` per session, rewritten whole after each run."""

from __future__ import annotations

from aurite.errors import InvalidValueError
from aurite.model.jsontext import JsonValue, decode
from aurite.model.names import check_name
from aurite.model.records import Message, NewMessage, NewRun, NewSession, RunEnd
from aurite.storage.legacy.records import LegacySession, OldSession, instant_of, not_a_message, session_of
from aurite.storage.session_files.log import State, end_line, head_line, message_line, run_line, write_of

_RESULT_KEYS = ("conversation_history", "step_results", "node_results")


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
    return session_of(_old_session(document, check_name(session_id, "session id"), modified_at))


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


def _old_session(document: dict[str, JsonValue], session_id: str, modified_at: int) -> OldSession:
    result = _execution_result(document)
    history = result.get("conversation_history") or []
    if not isinstance(history, list):
        raise InvalidValueError("conversation_history is not a list")
    wrong = not_a_message(history)
    if wrong is not None:
        raise InvalidValueError(f"conversation_history[{wrong}] is not a message with a role")
    workflow_name = result.get("workflow_name")
    is_workflow = bool(document.get("is_workflow") or document.get("result_type") == "workflow" or workflow_name)
    name = document.get("name") or workflow_name or result.get("agent_name") or session_id
    base, count = document.get("base_session_id"), document.get("message_count")
    if not isinstance(name, str) or not isinstance(base, str | None):
        raise InvalidValueError("name or base_session_id is not text")
    last_updated = _instant(document, "last_updated", modified_at)
    return OldSession(
        session_id=session_id,
        base_session_id=base,
        name=name,
        result_type=str(document.get("result_type") or ("workflow" if is_workflow else "agent")),
        is_workflow=is_workflow,
        message_count=count if isinstance(count, int) else len(history),
        result=result,
        agents_involved=document.get("agents_involved"),
        created_at=_instant(document, "created_at", last_updated),
        last_updated=last_updated,
    )


def _new_message(message: Message) -> NewMessage:
    return NewMessage(message.role, message.document, run_id=message.run_id)


def _instant(document: dict[str, JsonValue], field: str, otherwise: int) -> int:
    written = document.get(field)
    return otherwise if written is None else instant_of(written, field)
