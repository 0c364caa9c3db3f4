"""The offline model: deterministic, without a network and without understanding. It says so.

It calls each tool that it is given once, with arguments that fit the tool's schema, and answers from what the tools return.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.tools import ToolDefinition

from aurite.model.jsontext import encode
from aurite.runtime.samples import fitting
from aurite.runtime.schemas import NoFitError
from aurite.runtime.structured import schema_in
from aurite.runtime.toolset import text_of

_WORDS = re.compile(r"\S+\s*|\s+")


def offline_model(name: str) -> FunctionModel:
    """A model of that name."""

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        turn = _turn(messages)
        calls = _calls(turn, info.function_tools)
        return ModelResponse(calls) if calls else ModelResponse([TextPart(_text(name, turn, info))])

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        turn = _turn(messages)
        calls = _calls(turn, info.function_tools)
        for position, call in enumerate(calls):
            yield {position: DeltaToolCall(call.tool_name, call.args_as_json_str(), tool_call_id=call.tool_call_id)}
        if not calls:
            for word in _WORDS.findall(_text(name, turn, info)):
                yield word

    return FunctionModel(answer, stream_function=stream, model_name=name)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was said since the user last spoke."""

    message: str
    calls: tuple[ToolCallPart, ...]
    results: tuple[ToolReturnPart, ...]


def _turn(messages: Sequence[ModelMessage]) -> _Turn:
    message = ""
    calls: list[ToolCallPart] = []
    results: list[ToolReturnPart] = []
    for part in (part for item in messages for part in item.parts):
        if isinstance(part, UserPromptPart):
            message = (
                part.content if isinstance(part.content, str) else " ".join(text for text in part.content if isinstance(text, str))
            )
            calls, results = [], []
        elif isinstance(part, ToolCallPart):
            calls.append(part)
        elif isinstance(part, ToolReturnPart):
            results.append(part)
    return _Turn(message, tuple(calls), tuple(results))


def _calls(turn: _Turn, tools: Sequence[ToolDefinition]) -> list[ToolCallPart]:
    """A call of each tool, unless they were called in this turn already, or cannot be."""
    if turn.calls:
        return []
    calls: list[ToolCallPart] = []
    for tool in tools:
        try:
            arguments = encode(fitting(tool.parameters_json_schema, turn.message))
        except NoFitError:
            continue  # told in the answer, see _text
        calls.append(ToolCallPart(tool.name, arguments, f"call_{secrets.token_hex(8)}"))
    return calls


def _text(name: str, turn: _Turn, info: AgentInfo) -> str:
    schema = schema_in(info.instructions)
    if schema is not None:
        try:
            return encode(fitting(schema, turn.message))
        except NoFitError as error:
            return f"The offline model {name!r} found no answer that fits the schema: {error}"
    lines = [f"This is the offline model {name!r}: it needs no network and understands nothing. You said: {turn.message}"]
    arguments = {call.tool_call_id: call.args_as_json_str() for call in turn.calls}
    for result in turn.results:
        asked = arguments.get(result.tool_call_id, "{}")
        lines.append(f"The tool {result.tool_name} was called with {asked} and answered: {text_of(result.content)}")
    for tool in info.function_tools:
        try:
            fitting(tool.parameters_json_schema, turn.message)
        except NoFitError as error:
            lines.append(f"The tool {tool.name} was not called: no arguments were found that fit its schema ({error})")
    return "\n".join(lines)
