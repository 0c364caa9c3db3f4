"""Sessions as text that leaves the store: lines of JSON for programs, Markdown for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aurite.cli.conversation import all_messages, message_fields, run_document, session_document, text_of
from aurite.cli.instants import iso
from aurite.cli.output import counted, json_line, printable
from aurite.errors import SessionNotFoundError
from aurite.model.jsontext import decode, encode
from aurite.model.messages import calls_of

if TYPE_CHECKING:
    from aurite.model.records import Message, Session
    from aurite.storage.ports import SessionStore

_TICKS = re.compile(r"`+")


def as_json_lines(store: SessionStore, session: Session) -> Iterator[str]:
    """The session, its messages in their order, then its runs: each an object on a line, told apart by ``type``.

    Raises:
        SessionNotFoundError: it was deleted meanwhile.
    """
    yield json_line(encode({"type": "session", **session_document(session)}))
    for message in _messages(store, session):
        fields = encode({"type": "message", "session_id": message.session_id, **message_fields(message)})
        # The document as it is stored: neither its numbers nor its keys are read and written anew.
        yield json_line(f'{fields[:-1]},"document":{message.document}}}')
    for run in store.runs(session.session_id):
        yield json_line(encode({"type": "run", "session_id": session.session_id, **run_document(run)}))


def as_markdown(store: SessionStore, session: Session) -> Iterator[str]:
    """The conversation in paragraphs, each of some lines. What was said is quoted, so that it can pass for nothing else.

    Raises:
        SessionNotFoundError: it was deleted meanwhile.
    """
    yield f"# Session {_code(session.session_id)}\n"
    yield "\n".join(f"* {line}" for line in _facts(session)) + "\n"
    for message in _messages(store, session):
        yield from _message(message)
    for run in store.runs(session.session_id):
        if run.error:
            yield f"Run {_code(run.run_id)} {run.status}:\n\n{_fenced(run.error)}\n"


def _messages(store: SessionStore, session: Session) -> Iterator[Message]:
    """As many messages as the session had when it was found; what came later belongs to a later export."""
    last = 0
    for message in all_messages(store, session.session_id):
        if message.seq > session.message_count:
            break
        last = message.seq
        yield message
    if last < session.message_count:
        raise SessionNotFoundError(
            f"session {session.session_id!r} was deleted while it was read", next_step="See: aurite sessions list"
        )


def _facts(session: Session) -> Iterator[str]:
    yield f"{session.kind} {_code(session.name)}, {session.status}, {counted(session.message_count, 'message')}"
    yield f"made {_time(session.created_at)}, last active {_time(session.active_at)}"
    if session.parent_session_id is not None:
        yield f"step of {_code(session.parent_session_id)}"
    if session.title is not None:
        yield f"title: {_code(session.title)}"
    if session.tags:
        yield f"tags: {', '.join(map(_code, session.tags))}"


def _message(message: Message) -> Iterator[str]:
    document: Any = decode(message.document)
    if not isinstance(document, dict):
        document = {"content": encode(document)}
    name = f" {_code(str(document['name']))}" if document.get("name") else ""
    role = message.role if message.role.isalpha() else _code(message.role)
    yield f"## {message.seq}. {role}{name}, {_time(message.created_at)}\n"
    text = text_of(document.get("content"))
    if text.strip():
        yield (_fenced(text) if message.role == "tool" else _quoted(text)) + "\n"
    for call in calls_of(document):
        yield f"Calls {_code(call.name)} with:\n\n{_fenced(call.arguments, language='json')}\n"
    if document.get("interrupted") is True:
        yield "(interrupted)\n"


def _quoted(text: str) -> str:
    """Markdown as a model writes it, in a quotation that it cannot leave; verbatim where it holds what may be HTML."""
    if "<" in text:
        return _fenced(text)
    return "\n".join(f"> {line}".rstrip() for line in _lines(text))


def _fenced(text: str, *, language: str = "text") -> str:
    """The text verbatim, between fences that are longer than any in it."""
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return "\n".join([f"{fence}{language}", *_lines(text), fence])


def _code(text: str) -> str:
    """The text verbatim, inside of a line."""
    ticks = "`" * (_longest_ticks(text) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{blank}{printable(text)}{blank}{ticks}"


def _longest_ticks(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def _lines(text: str) -> list[str]:
    return printable(text.replace("\r\n", "\n"), keep_lines=True).split("\n")


def _time(instant: int) -> str:
    return f"{iso(instant)[:19].replace('T', ' ')} UTC"
