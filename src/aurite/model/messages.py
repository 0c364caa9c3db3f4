"""Messages as every client and reader knows them: OpenAI-style documents with a role, content and tool calls.

A document is a plain dict. The model library's own form lies beside it in the store, see ``runtime/transcript.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aurite.model.jsontext import JsonValue

Document: TypeAlias = dict[str, JsonValue]
"""One message: ``role`` and ``content``, and by role ``tool_calls``, or ``tool_call_id`` and ``name``."""

INTERRUPTED_RESULT = "The tool call was interrupted; its result is not known."


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asks of a tool."""

    id: str
    name: str
    """As people know it: ``server-tool``."""
    arguments: str
    """JSON text, as the model wrote it."""

    def document(self) -> Document:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


def system(text: str) -> Document:
    return {"role": "system", "content": text}


def user(text: str, *, name: str | None = None) -> Document:
    """A message of the user; ``name`` says who spoke where it was not the user."""
    document: Document = {"role": "user", "content": text}
    if name is not None:
        document["name"] = name
    return document


def assistant(text: str | None, calls: Sequence[ToolCall] = (), *, interrupted: bool = False) -> Document:
    """What the model said and asked for; ``interrupted`` marks a text that was cut off."""
    document: Document = {"role": "assistant", "content": text}
    if calls:
        document["tool_calls"] = [call.document() for call in calls]
    if interrupted:
        document["interrupted"] = True
    return document


def tool(call_id: str, name: str, content: str) -> Document:
    """The result of a tool call."""
    return {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}


def text_of(document: Document) -> str:
    """The text of a message, also where its content is a list of parts; empty where it has none."""
    content = document.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""


def calls_of(document: Document) -> tuple[ToolCall, ...]:
    """The tool calls of an assistant's message, those that can be read as one."""
    calls = document.get("tool_calls")
    found: list[ToolCall] = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(call.get("id"), str) and isinstance(function.get("name"), str):
            arguments = function.get("arguments")
            found.append(ToolCall(call["id"], function["name"], arguments if isinstance(arguments, str) else "{}"))
    return tuple(found)
