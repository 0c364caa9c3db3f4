"""Messages as documents: what they hold, and what can be read from those that others wrote."""

from __future__ import annotations

from typing import Any

import pytest

from aurite.model import messages
from aurite.model.messages import ToolCall

CALL = ToolCall("call_1", "weather-lookup", '{"city": "Rome"}')


def test_an_assistants_message_has_its_calls_in_openais_form() -> None:
    assert messages.assistant(None, [CALL]) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather-lookup", "arguments": '{"city": "Rome"}'}}
        ],
    }
    assert messages.assistant("half a sen", interrupted=True)["interrupted"] is True
    assert "interrupted" not in messages.assistant("a sentence")


def test_calls_are_read_back() -> None:
    assert messages.calls_of(messages.assistant("x", [CALL])) == (CALL,)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"content": "plain"}, "plain"),
        ({"content": [{"type": "text", "text": "one"}, {"type": "image_url"}, {"type": "text", "text": "two"}]}, "one\ntwo"),
        ({"content": None}, ""),
        ({}, ""),
        ({"content": [1, {"text": 2}]}, ""),
    ],
)
def test_the_text_of_a_message_is_found_in_any_form(document: dict[str, Any], text: str) -> None:
    assert messages.text_of(document) == text


@pytest.mark.parametrize(
    "calls",
    [None, "x", [1], [{}], [{"id": 1, "function": {"name": "a"}}], [{"id": "a", "function": {}}], [{"id": "a", "function": 1}]],
)
def test_what_is_no_call_is_not_read_as_one(calls: Any) -> None:
    assert messages.calls_of({"role": "assistant", "tool_calls": calls}) == ()
