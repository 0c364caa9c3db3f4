"""Messages of a session as people read them, and as ``--json`` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aurite.cli.instants import for_people, iso, iso_or_none
from aurite.cli.output import on_one_line
from aurite.model.jsontext import decode

if TYPE_CHECKING:
    from aurite.model.records import Message, Run, Session
    from aurite.storage.ports import SessionStore

_SHORT = 500
_PAGE = 500


def all_messages(store: SessionStore, session_id: str) -> Iterator[Message]:
    """The messages of a session, oldest first, read page by page."""
    after = 0
    while page := store.messages(session_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].seq


def readable(message: Message) -> str:
    """A heading with number, role and time, then the text, tool calls as ``-> name(arguments)`` and tool results as ``<- text``."""
    document = decode(message.document)
    return "\n".join([f"[{message.seq}] {message.role}  {for_people(message.created_at)}", *_body(document)])


def _body(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return [f"  {document}"]
    mark = "<- " if document.get("role") == "tool" else ""
    lines = [f"  {mark}{line}" for line in text_of(document.get("content")).split("\n") if line or not mark]
    calls = document.get("tool_calls")
    lines += [f"  -> {_call(call)}" for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [line for line in lines if line.strip()] or ["  (no text)"]


def _call(call: dict[str, Any]) -> str:
    function = call.get("function")
    if not isinstance(function, dict):
        return str(call.get("id"))
    return f"{function.get('name')}({on_one_line(str(function.get('arguments', '')))})"


def text_of(content: Any) -> str:
    """The text of a message's ``content``: itself, or its text parts; other parts by their type."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return str(content)
    return "\n".join(str(part.get("text", f"({part.get('type')})")) if isinstance(part, dict) else str(part) for part in content)


def shortened(text: str) -> str:
    """The text on one line, cut where it is long."""
    line = on_one_line(text)
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}..."


def session_document(session: Session) -> dict[str, Any]:
    """A session as ``--json`` prints it."""
    return {
        "session_id": session.session_id,
        "base_session_id": session.base_session_id,
        "parent_session_id": session.parent_session_id,
        "kind": session.kind,
        "name": session.name,
        "status": session.status,
        "title": session.title,
        "message_count": session.message_count,
        "created_at": iso(session.created_at),
        "active_at": iso(session.active_at),
        "tags": list(session.tags),
    }


def message_document(message: Message) -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    return {**message_fields(message), "message": decode(message.document)}


def message_fields(message: Message) -> dict[str, Any]:
    """What is known about a message beside itself."""
    return {
        "seq": message.seq,
        "role": message.role,
        "created_at": iso(message.created_at),
        "run_id": message.run_id,
        "provider": message.provider,
    }


def run_document(run: Run) -> dict[str, Any]:
    """A run as ``--json`` prints it."""
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": iso(run.started_at),
        "ended_at": iso_or_none(run.ended_at),
        "error": run.error,
        "usage": decode(run.usage) if run.usage else None,
    }
