"""Between the store's messages and pydantic-ai's: what is written down of a run, and what a model is shown of it again.

A message is kept as an OpenAI-style document and, beside it, in pydantic-ai's own JSON. The latter is shown again to the same
provider only, because signatures and thinking mean nothing to another one; others get the message rebuilt from its document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryFeedbackPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_core import PydanticSerializationError

from aurite.model import messages as documents
from aurite.model.jsontext import decode
from aurite.model.messages import INTERRUPTED_RESULT, Document, ToolCall
from aurite.model.records import Message
from aurite.runtime.toolnames import ToolNames
from aurite.runtime.toolset import text_of

FEEDBACK_NAME = "aurite"
"""The name of a user message that the runtime wrote: what is wrong with an answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that is complete and can be stored."""

    role: str
    document: Document
    native: str | None = None


def system_entry(text: str) -> Entry:
    return Entry("system", documents.system(text))


def user_entry(text: str) -> Entry:
    return Entry("user", documents.user(text), _native(ModelRequest([UserPromptPart(text)])))


def feedback_entry(part: RetryFeedbackPart) -> Entry:
    """What the model was told about an answer that could not be used."""
    text = part.content if isinstance(part.content, str) else part.model_response()
    return Entry("user", documents.user(text, name=FEEDBACK_NAME), _native(ModelRequest([part])))


def assistant_entry(response: ModelResponse, names: ToolNames) -> Entry:
    """A complete answer of the model."""
    calls = tuple(
        ToolCall(part.tool_call_id, names.shown(part.tool_name), part.args_as_json_str())
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )
    return Entry("assistant", documents.assistant(said(response), calls), _native(response))


def interrupted_entry(response: ModelResponse) -> Entry | None:
    """The text that was there when an answer was cut off; None where there was none. Half a tool call is no call."""
    text = said(response)
    return Entry("assistant", documents.assistant(text, interrupted=True)) if text else None


def tool_entry(part: ToolReturnPart, names: ToolNames) -> Entry:
    """The result of a tool call, or what went wrong with it."""
    document = documents.tool(part.tool_call_id, names.shown(part.tool_name), told(part))
    return Entry("tool", document, _native(ModelRequest([part])))


def said(response: ModelResponse) -> str | None:
    """The text of an answer; None where it has none."""
    return "".join(part.content for part in response.parts if isinstance(part, TextPart)) or None


def told(part: ToolReturnPart) -> str:
    """What a tool's result tells, as text."""
    return text_of(part.content) if part.outcome == "success" else part.model_response_str()


def replay(stored: Sequence[Message], provider: str, names: ToolNames) -> list[ModelMessage]:
    """The session so far as a model of this provider is shown it, without system prompts.

    A tool call whose result was never stored gets one that says so, and a result without its call is left out: providers refuse
    a conversation in which they do not pair up.
    """
    shown: list[ModelMessage] = []
    waiting: dict[str, ToolCall] = {}
    for message in stored:
        document: Document = decode(message.document)
        if message.role == "tool":
            if waiting.pop(str(document.get("tool_call_id")), None) is None:
                continue
        else:
            _add(shown, _interrupted_results(waiting, names))
            waiting = {call.id: call for call in documents.calls_of(document)}
        _add(shown, _model_message(message, document, provider, names))
    _add(shown, _interrupted_results(waiting, names))
    return shown


def _add(shown: list[ModelMessage], message: ModelMessage | None) -> None:
    """Append a message; requests that follow each other become one, as when they were sent."""
    if message is None:
        return
    last = shown[-1] if shown else None
    if isinstance(last, ModelRequest) and isinstance(message, ModelRequest):
        shown[-1] = ModelRequest([*last.parts, *message.parts])
    else:
        shown.append(message)


def _interrupted_results(waiting: dict[str, ToolCall], names: ToolNames) -> ModelMessage | None:
    parts: list[ModelRequestPart] = [
        ToolReturnPart(names.called(call.name), INTERRUPTED_RESULT, call.id, outcome="interrupted") for call in waiting.values()
    ]
    return ModelRequest(parts) if parts else None


def _model_message(message: Message, document: Document, provider: str, names: ToolNames) -> ModelMessage | None:
    if message.native is not None and message.provider == provider:
        try:
            return ModelMessagesTypeAdapter.validate_json(message.native)[0]
        except (ValidationError, IndexError):
            pass  # written by a version of the library that this one does not read: its document says the same
    return _from_document(message.role, document, names)


def _from_document(role: str, document: Document, names: ToolNames) -> ModelMessage | None:
    text = documents.text_of(document)
    match role:
        case "user":
            return ModelRequest([UserPromptPart(text)])
        case "tool":
            name = names.called(str(document.get("name", "")))
            return ModelRequest([ToolReturnPart(name, text, str(document.get("tool_call_id")))])
        case "assistant":
            parts: list[ModelResponsePart] = [TextPart(text)] if text else []
            parts += [ToolCallPart(names.called(call.name), call.arguments, call.id) for call in documents.calls_of(document)]
            return ModelResponse(parts) if parts else None
        case _:
            return None


def _native(message: ModelMessage) -> str | None:
    try:
        return ModelMessagesTypeAdapter.dump_json([message]).decode()
    except PydanticSerializationError:
        return None  # a lone surrogate in a text: the document keeps it, the library cannot
