"""The offline model on its own: each tool once per turn, the same words streamed or not, and no silence about what it cannot do."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from aurite.runtime.offline import offline_model

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IMPOSSIBLE = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}, "required": ["a"]}


def asked(messages: list[ModelMessage], **tools: dict[str, Any]) -> ModelResponse:
    offered = ModelRequestParameters(
        function_tools=[ToolDefinition(name=name, parameters_json_schema=schema) for name, schema in tools.items()]
    )
    plain = asyncio.run(model_request(offline_model("m"), messages, model_request_parameters=offered))

    async def streamed() -> ModelResponse:
        async with model_request_stream(offline_model("m"), messages, model_request_parameters=offered) as stream:
            async for _ in stream:
                pass
            return stream.get()

    again = asyncio.run(streamed())
    assert facts(plain) == facts(again)
    return plain


def facts(response: ModelResponse) -> list[tuple[str, str]]:
    return [
        (part.tool_name, part.args_as_json_str()) if isinstance(part, ToolCallPart) else ("text", getattr(part, "content", ""))
        for part in response.parts
    ]


def user(text: str) -> ModelRequest:
    return ModelRequest([UserPromptPart(text)])


def text(response: ModelResponse) -> str:
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


def test_every_tool_is_called_at_once_each_with_an_id_of_its_own() -> None:
    response = asked([user("Oslo or Rome? Say Rome")], one=CITY, two=CITY)
    assert facts(response) == [("one", '{"city":"Rome"}'), ("two", '{"city":"Rome"}')]
    assert len({part.tool_call_id for part in response.parts if isinstance(part, ToolCallPart)}) == 2


def test_after_the_results_it_answers_and_says_what_it_is() -> None:
    call = ToolCallPart("one", '{"city":"Rome"}', "a")
    messages: list[ModelMessage] = [user("in Rome"), ModelResponse([call]), ModelRequest([ToolReturnPart("one", "warm", "a")])]
    answer = text(asked(messages, one=CITY))
    assert "offline model 'm'" in answer
    assert 'one was called with {"city":"Rome"} and answered: warm' in answer


def test_a_new_message_begins_a_new_turn() -> None:
    call = ToolCallPart("one", '{"city":"Rome"}', "a")
    before: list[ModelMessage] = [
        user("in Rome"),
        ModelResponse([call]),
        ModelRequest([ToolReturnPart("one", "warm", "a")]),
        ModelResponse([TextPart("x")]),
    ]
    assert facts(asked([*before, user("in Oslo")], one=CITY)) == [("one", '{"city":"Oslo"}')]


def test_without_tools_it_answers_at_once() -> None:
    assert "You said: hello" in text(asked([user("hello")]))


def test_a_tool_whose_schema_cannot_be_fitted_is_not_called_and_that_is_said() -> None:
    answer = text(asked([user("hello")], one=IMPOSSIBLE))
    assert "The tool one was not called: no arguments were found that fit its schema" in answer
