"""A stored session as a model is shown it again: paired, in order, and in a form that the provider understands."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from aurite.model import messages
from aurite.model.jsontext import decode, encode
from aurite.model.messages import ToolCall
from aurite.model.records import Message
from aurite.runtime import transcript
from aurite.runtime.toolnames import ToolNames
from aurite.runtime.transcript import Entry

NAMES = ToolNames([("weather", "lookup"), ("odd one", "what.is")])


def stored(*entries: Entry, provider: str = "openai") -> list[Message]:
    return [
        Message("agent-x", position, entry.role, encode(entry.document), entry.native, provider, None, 0)
        for position, entry in enumerate(entries, 1)
    ]


def parts(shown: list[ModelMessage]) -> list[Any]:
    return [part for message in shown for part in message.parts]


def call_and_result(call_id: str, name: str = "weather-lookup") -> tuple[Entry, Entry]:
    response = ModelResponse([ToolCallPart(name, '{"city": "Rome"}', call_id)])
    return transcript.assistant_entry(response, NAMES), transcript.tool_entry(ToolReturnPart(name, "warm", call_id), NAMES)


def test_the_native_form_is_shown_to_the_same_provider_only() -> None:
    thought = ModelResponse([ThinkingPart("hm", signature="signed"), TextPart("Hello")])
    log = stored(transcript.user_entry("hi"), transcript.assistant_entry(thought, NAMES))
    same = parts(transcript.replay(log, "openai", NAMES))
    assert [type(part) for part in same] == [UserPromptPart, ThinkingPart, TextPart]
    assert same[1].signature == "signed"
    other = parts(transcript.replay(log, "anthropic", NAMES))
    assert [type(part) for part in other] == [UserPromptPart, TextPart]


def test_a_native_form_that_cannot_be_read_any_more_gives_way_to_the_document() -> None:
    log = stored(
        Entry("user", messages.user("hi"), '[{"kind": "of another age"}]'), Entry("assistant", messages.assistant("ho"), "[]")
    )
    assert [part.content for part in parts(transcript.replay(log, "openai", NAMES))] == ["hi", "ho"]


def test_results_of_one_turn_become_one_request() -> None:
    first, second = call_and_result("a"), call_and_result("b")
    both = transcript.assistant_entry(
        ModelResponse([ToolCallPart("weather-lookup", "{}", "a"), ToolCallPart("weather-lookup", "{}", "b")]), NAMES
    )
    shown = transcript.replay(stored(transcript.user_entry("hi"), both, first[1], second[1]), "openai", NAMES)
    assert [len(message.parts) for message in shown] == [1, 2, 2]


def test_an_escaped_tool_name_is_readable_in_the_document_and_escaped_again_for_the_model() -> None:
    escaped = NAMES.name(("odd one", "what.is"))
    asked, told = call_and_result("a", escaped)
    assert asked.document["tool_calls"][0]["function"]["name"] == "odd one-what.is"
    assert told.document["name"] == "odd one-what.is"
    shown = parts(transcript.replay(stored(asked, told), "another", NAMES))
    assert [part.tool_name for part in shown] == [escaped, escaped]


def test_system_prompts_are_left_to_the_run() -> None:
    log = stored(transcript.system_entry("old"), transcript.user_entry("hi"))
    assert [part.content for part in parts(transcript.replay(log, "openai", NAMES))] == ["hi"]


def test_half_a_tool_call_is_no_call() -> None:
    assert transcript.interrupted_entry(ModelResponse([ToolCallPart("weather-lookup", '{"ci', "a")])) is None
    entry = transcript.interrupted_entry(ModelResponse([TextPart("Let me"), ToolCallPart("weather-lookup", '{"ci', "a")]))
    assert entry is not None
    assert entry.document == {"role": "assistant", "content": "Let me", "interrupted": True}


def test_a_failed_tool_is_written_down_with_its_reason() -> None:
    entry = transcript.tool_entry(ToolReturnPart("weather-lookup", "no luck", "a", outcome="failed"), NAMES)
    assert "no luck" in entry.document["content"]


step = st.sampled_from(["user", "call", "result", "text", "system", "interrupted"])


@given(st.lists(st.tuples(step, st.sampled_from("abc"), st.booleans()), max_size=12))
def test_however_a_session_was_left_every_call_is_followed_by_its_result_and_no_result_lacks_its_call(
    steps: list[tuple[str, str, bool]],
) -> None:
    entries = []
    for kind, call_id, native in steps:
        asked, told = call_and_result(call_id)
        entry = {
            "user": transcript.user_entry("hi"),
            "call": asked,
            "result": told,
            "text": transcript.assistant_entry(ModelResponse([TextPart("ok")]), NAMES),
            "system": transcript.system_entry("be"),
            "interrupted": Entry("assistant", messages.assistant("hal", interrupted=True)),
        }[kind]
        entries.append(entry if native else Entry(entry.role, entry.document))
    shown = transcript.replay(stored(*entries), "openai", NAMES)
    open_calls: list[str] = []
    for message in shown:
        if isinstance(message, ModelResponse):
            assert not open_calls
            open_calls = [part.tool_call_id for part in message.parts if isinstance(part, ToolCallPart)]
        else:
            answered = [part.tool_call_id for part in message.parts if isinstance(part, ToolReturnPart)]
            assert answered == open_calls
            open_calls = []
    assert not open_calls


def test_a_lone_surrogate_is_kept_in_the_document() -> None:
    entry = transcript.user_entry("\ud83d")
    assert entry.native is None
    assert decode(encode(entry.document)) == {"role": "user", "content": "\ud83d"}


def test_a_call_of_an_unknown_tool_keeps_its_name() -> None:
    call = ToolCall("a", "gone-tool", "{}")
    log = stored(Entry("assistant", messages.assistant(None, [call])), Entry("tool", messages.tool("a", "gone-tool", "x")))
    assert [part.tool_name for part in parts(transcript.replay(log, "openai", NAMES))] == ["gone-tool", "gone-tool"]
