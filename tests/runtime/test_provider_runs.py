"""What arrives on the wire of an OpenAI-compatible server, and what comes back from it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import traceback
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import (
    InvalidComponentError,
    InvalidValueError,
    MissingExtraError,
    MissingKeyError,
    ModelError,
    UnknownProviderError,
)
from tests.runtime.conftest import KEY, Project, until
from tests.runtime.provider import Answer, Provider

LOOKUP = "weather-weather_lookup"


def agent(project: Project, **fields: object) -> None:
    project.has("agent", "A", **{"llm_config_id": "http", **fields})


# What arrives.


def test_key_model_and_parameters_arrive(project: Project, provider: Provider) -> None:
    project.has(
        "llm",
        "http",
        provider="openai",
        model="gpt-test",
        api_base=provider.base,
        api_key_env_var="TEST_KEY",
        temperature=0.5,
        max_tokens=99,
        top_p=0.25,
        seed=7,
        my_parameter={"deep": [1, None]},
        extra_headers={"X-Team": "blue"},
    )
    agent(project, system_prompt="Be brief.")
    provider.says("Hello.")
    assert project.run("A", "hi")["final_response"] == {"role": "assistant", "content": "Hello."}
    (request,) = provider.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "blue"
    body = request.body
    assert (body["model"], body["temperature"], body["top_p"], body["seed"]) == ("gpt-test", 0.5, 0.25, 7)
    assert 99 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert body["my_parameter"] == {"deep": [1, None]}
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    assert body.keys() == {
        *("model", "messages", "temperature", "top_p", "seed", "my_parameter", "stream"),
        *(body.keys() & {"max_tokens", "max_completion_tokens"}),
    }
    assert KEY not in json.dumps(body)


def test_what_the_agent_overrides_arrives_instead(project: Project, provider: Provider) -> None:
    agent(project, llm={"model": "of-llm-dict", "top_p": 0.5}, model="of-agent", temperature=0.125, max_tokens=5)
    provider.says("ok")
    project.run("A", "hi")
    body = provider.requests[0].body
    assert (body["model"], body["temperature"], body["top_p"]) == ("of-agent", 0.125, 0.5)


def test_a_key_from_the_dotenv_file_is_used(project: Project, provider: Provider) -> None:
    project.has("llm", "http", provider="openai", model="m", api_base=provider.base, api_key_env_var="FILE_KEY")
    (project.folder / ".env").write_text("FILE_KEY=sk-from-file\n")
    agent(project)
    provider.says("ok")
    project.run("A", "hi")
    assert provider.requests[0].headers["authorization"] == "Bearer sk-from-file"


def test_any_server_that_speaks_the_protocol_will_do_and_needs_no_key(project: Project, provider: Provider) -> None:
    project.has("llm", "http", provider="my_own_vllm", model="m", api_base=provider.base)
    agent(project)
    provider.says("ok")
    assert project.run("A", "hi")["status"] == "success"


def test_ollama_is_asked_at_its_base_without_a_key(project: Project, provider: Provider) -> None:
    project.has("llm", "http", provider="ollama", model="m", api_base=provider.base)
    agent(project)
    provider.says("ok")
    assert project.run("A", "hi")["status"] == "success"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_call_goes_to_the_server_and_its_result_back_to_the_model(
    project: Project, provider: Provider, streamed: bool
) -> None:
    agent(project, mcp_servers=["weather"], exclude_components=["fail"])
    provider.says(Answer(calls=[(LOOKUP, {"city": "Rome"})]), "Nice in Rome.")
    if streamed:
        events = project.stream("A", "Rome?", session_id="x")
        assert {"type": "tool_call", "data": {"name": LOOKUP, "input": {"city": "Rome"}}} in events
    else:
        project.run("A", "Rome?", session_id="x")
    first, second = provider.requests
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in first.body["tools"]}
    assert LOOKUP in offered
    assert "weather-fail" not in offered
    assert offered[LOOKUP]["properties"]["city"]["type"] == "string"
    assert second.roles == ["user", "assistant", "tool"]
    told = second.body["messages"][-1]
    assert told["content"] == "Weather in Rome: 21 degrees celsius"
    assert told["tool_call_id"] == second.body["messages"][-2]["tool_calls"][0]["id"]
    assert project.roles("agent-x") == ["user", "assistant", "tool", "assistant"]


def test_two_tools_of_one_turn_are_stored_one_by_one_as_they_come(
    project: Project, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOCK_SECONDS", "0.3")
    agent(project, mcp_servers=["weather"])
    provider.says(Answer(calls=[("weather-current_time", {"timezone": "UTC"}), (LOOKUP, {"city": "Rome"})]), "Done.")
    project.run("A", "both?", session_id="x")
    messages = project.messages("agent-x")
    assert [message.role for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    quick, slow = messages[2:4]
    assert json.loads(quick.document)["name"] == LOOKUP
    assert slow.created_at - quick.created_at > 200_000


def test_a_tool_that_fails_tells_the_model_why(project: Project, provider: Provider) -> None:
    agent(project, mcp_servers=["weather"])
    provider.says(Answer(calls=[("weather-fail", {"reason": "rain"})]), "I am sorry.")
    assert project.run("A", "try")["final_response"]["content"] == "I am sorry."
    assert "no luck: rain" in provider.requests[1].body["messages"][-1]["content"]


def test_a_tool_that_does_not_exist_is_answered_and_the_run_goes_on(project: Project, provider: Provider) -> None:
    agent(project, mcp_servers=["weather"])
    provider.says(Answer(calls=[("weather-invented", {})]), "Never mind.")
    assert project.run("A", "try", session_id="x")["final_response"]["content"] == "Never mind."
    assert provider.requests[1].roles == ["user", "assistant", "tool"]
    assert project.roles("agent-x") == ["user", "assistant", "tool", "assistant"]


# Streaming.


def test_a_stream_tells_the_text_piece_by_piece(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says("one two three")
    events = project.stream("A", "count", session_id="x")
    assert provider.requests[0].body["stream"] is True
    assert [event["type"] for event in events] == [
        "session_info",
        "llm_response_start",
        "llm_response",
        "llm_response",
        "llm_response",
        "llm_response_stop",
    ]
    assert events[0]["data"] == {"session_id": "agent-x"}
    assert "".join(event["data"]["content"] for event in events[2:5]) == "one two three "
    assert events[-1]["data"] == {"status": "success", "reason": "turn_complete"}
    assert project.documents("agent-x") == [
        {"role": "user", "content": "count"},
        {"role": "assistant", "content": "one two three "},
    ]
    assert project.run_status("agent-x") == ["completed"]


def test_who_stops_listening_cancels_the_run_and_the_text_so_far_is_kept(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says(Answer("one two three", stops_after=2))

    async def listen_a_while(aurite: Aurite) -> None:
        events = aurite.stream_agent("A", "count", session_id="x")
        pieces = 0
        async for event in events:
            pieces += event["type"] == "llm_response"
            if pieces == 2:
                break
        await events.aclose()

    project.alone(listen_a_while)
    assert project.documents("agent-x")[-1] == {"role": "assistant", "content": "one two ", "interrupted": True}
    assert project.run_status("agent-x") == ["cancelled"]


def test_a_connection_that_breaks_in_mid_text_fails_the_run_and_keeps_the_text(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says(Answer("one two three", stops_after=2, breaks_off=True))
    with pytest.raises(ModelError):
        project.stream("A", "count", session_id="x")
    assert project.documents("agent-x")[-1] == {"role": "assistant", "content": "one two ", "interrupted": True}
    assert project.run_status("agent-x") == ["failed"]


# History.


def test_include_history_shows_the_model_the_session_so_far(project: Project, provider: Provider) -> None:
    agent(project, include_history=True, mcp_servers=["weather"], system_prompt="Be brief.")
    provider.says(Answer(calls=[(LOOKUP, {"city": "Rome"})]), "Nice.", "You asked about Rome.")
    project.run("A", "Rome?", session_id="x")
    result = project.run("A", "What did I ask?", session_id="x")
    request = provider.requests[-1]
    assert request.roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert request.body["messages"][1]["content"] == "Rome?"
    assert request.body["messages"][3]["content"] == "Weather in Rome: 21 degrees celsius"
    assert [message["role"] for message in result["conversation_history"]] == [
        *("system", "user", "assistant", "tool", "assistant"),
        *("user", "assistant"),
    ]


def test_without_include_history_the_session_is_kept_but_the_model_sees_the_new_message_alone(
    project: Project, provider: Provider
) -> None:
    agent(project)
    provider.says("One.", "Two.")
    project.run("A", "first", session_id="x")
    result = project.run("A", "second", session_id="x")
    assert provider.requests[-1].body["messages"] == [{"role": "user", "content": "second"}]
    assert len(project.documents("agent-x")) == 4
    assert len(result["conversation_history"]) == 2


def test_a_session_begun_with_another_provider_is_shown_from_its_documents(project: Project, provider: Provider) -> None:
    agent(project, include_history=True, mcp_servers=["weather"], llm_config_id="offline", exclude_components=["fail"])
    project.run("A", "London?", session_id="x")
    agent(project, include_history=True, mcp_servers=["weather"])
    provider.says("Yes.")
    project.run("A", "And?", session_id="x")
    messages = provider.requests[-1].body["messages"]
    asked, *told = messages[1:-2]
    assert {call["id"] for call in asked["tool_calls"]} == {message["tool_call_id"] for message in told}
    assert messages[-2]["content"].startswith("This is the offline model")


def test_a_history_whose_last_tool_call_has_no_result_is_mended(project: Project, provider: Provider) -> None:
    agent(project, include_history=True, mcp_servers=["weather"], max_iterations=1)
    provider.says(Answer(calls=[("weather-current_time", {"timezone": "UTC"})]), "Let us go on.")

    async def cancel_during_the_call(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_agent("A", "time?", session_id="x"))
        await until(lambda: "assistant" in project.roles("agent-x"))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOCK_SECONDS", "1.5")
        project.alone(cancel_during_the_call)
    assert project.roles("agent-x") == ["user", "assistant"]
    assert project.run_status("agent-x") == ["cancelled"]
    project.run("A", "well?", session_id="x")
    request = provider.requests[-1]
    assert request.roles == ["user", "assistant", "tool", "user"]
    assert "interrupted" in request.body["messages"][2]["content"]
    assert project.roles("agent-x") == ["user", "assistant", "user", "assistant"]


# Limits and structured output.


def test_a_run_ends_after_max_iterations_and_keeps_what_it_has(project: Project, provider: Provider) -> None:
    agent(project, mcp_servers=["weather"], max_iterations=2)
    provider.says(*(Answer("Looking.", calls=[(LOOKUP, {"city": city})]) for city in ("Rome", "Oslo", "Bern")))
    result = project.run("A", "All of them", session_id="x")
    assert result["status"] == "max_iterations_reached"
    assert result["error_message"] == "stopped after 2 requests to the model"
    assert result["final_response"]["content"] == "Looking."
    assert len(provider.requests) == 2
    assert project.roles("agent-x") == ["user", "assistant", "tool", "assistant", "tool"]
    assert project.run_status("agent-x") == ["max_iterations_reached"]


def test_a_stream_says_that_max_iterations_were_reached(project: Project, provider: Provider) -> None:
    agent(project, mcp_servers=["weather"], max_iterations=1)
    provider.says(Answer(calls=[(LOOKUP, {"city": "Rome"})]))
    last = project.stream("A", "Rome?")[-1]
    assert last["data"] == {"status": "max_iterations_reached", "reason": "max_iterations"}


def test_an_answer_that_does_not_fit_the_schema_is_sent_back(project: Project, provider: Provider) -> None:
    schema = {"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]}
    agent(project, config_validation_schema=schema)
    provider.says("It is warm.", '{"degrees": "many"}', '```json\n{"degrees": 21}\n```')
    result = project.run("A", "How warm?", session_id="x")
    assert json.loads(result["final_response"]["content"]) == {"degrees": 21}
    assert json.dumps(schema) in provider.requests[0].body["messages"][0]["content"]
    assert "'many' is not of type 'integer'" in provider.requests[2].body["messages"][-1]["content"]
    assert project.roles("agent-x") == ["user", "assistant", "user", "assistant", "user", "assistant"]


def test_a_model_that_never_fits_the_schema_fails_the_run(project: Project, provider: Provider) -> None:
    agent(project, config_validation_schema={"type": "object"})
    provider.says(*["no"] * 9)
    with pytest.raises(ModelError):
        project.run("A", "?", session_id="x")
    assert project.run_status("agent-x") == ["failed"]


# Failures.


def everything_of(error: BaseException) -> str:
    """What any log or traceback could show of an error."""
    return "".join(traceback.format_exception(error)) + str(error) + repr(error)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (401, f"Incorrect API key provided: {KEY}", "refused the key"),
        (401, f"Incorrect API key provided: {KEY[:9]}****{KEY[-4:]}", "refused the key"),
        (400, f"key {KEY} is odd; the model is odder", "the model is odder"),
        (429, "slow down", "HTTP 429: slow down"),
        (500, f"we broke on {KEY[3:15]}", "HTTP 500"),
    ],
)
def test_a_provider_that_refuses_fails_the_run_with_its_reason_and_without_the_key(
    project: Project, provider: Provider, status: int, said: str, expected: str, *, streamed: bool
) -> None:
    agent(project)
    provider.says(Answer(status=status, error=said))
    with pytest.raises(ModelError) as caught:
        (project.stream if streamed else project.run)("A", "hi", session_id="x")
    shown = everything_of(caught.value)
    assert expected in caught.value.message
    assert "gpt-test" in caught.value.message
    assert caught.value.next_step
    (run,) = project.aurite.sessions.runs("agent-x")
    assert run.status == "failed"
    for text in (shown, run.error or ""):
        assert not any(KEY[at : at + 6] in text for at in range(len(KEY) - 5)), text
        assert KEY[-4:] not in text
    assert project.roles("agent-x") == ["user"]


def test_a_stream_that_fails_says_so_in_an_event_and_raises(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says(Answer(status=400, error="too odd"))
    events = []

    async def listen(aurite: Aurite) -> None:
        async for event in aurite.stream_agent("A", "hi"):
            events.append(event)

    with pytest.raises(ModelError, match="too odd"):
        project.alone(listen)
    assert events[-1]["type"] == "error"
    assert "too odd" in events[-1]["data"]["message"]


def test_a_server_that_is_not_there_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.has("llm", "http", provider="ollama", model="m", api_base="http://127.0.0.1:1/v1", max_retries=0)
    agent(project)
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:1/v1"):
        project.run("A", "hi")


def test_a_password_in_the_api_base_is_not_shown(project: Project) -> None:
    project.has("llm", "http", provider="ollama", model="m", api_base="http://me:my-password-4711@127.0.0.1:1/v1", max_retries=0)
    agent(project)
    with pytest.raises(ModelError) as caught:
        project.run("A", "hi", session_id="x")
    assert "my-pas" not in everything_of(caught.value)
    assert all("my-pas" not in (message.provider or "") for message in project.messages("agent-x"))


def test_an_answer_that_takes_longer_than_the_timeout_fails(project: Project, provider: Provider) -> None:
    project.has("llm", "http", provider="ollama", model="m", api_base=provider.base, timeout=0.2, max_retries=0)
    agent(project)
    provider.says(Answer("late", seconds=30))
    started = time.monotonic()
    with pytest.raises(ModelError, match="did not answer in time"):
        project.run("A", "hi")
    assert time.monotonic() - started < 10


def test_a_run_that_is_cancelled_while_it_is_being_begun_is_marked_so(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says("never heard")

    async def cancel_while_it_begins(aurite: Aurite) -> None:
        begun, start_run = asyncio.Event(), aurite.sessions.start_run
        loop = asyncio.get_running_loop()

        def slow_start(*args: Any, **kwargs: Any) -> Any:
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.2)
            return start_run(*args, **kwargs)

        aurite.sessions.start_run = slow_start  # type: ignore[method-assign]  # as slow as a busy disk
        run = asyncio.create_task(aurite.run_agent("A", "hello", session_id="x"))
        await begun.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    project.alone(cancel_while_it_begins)
    assert project.run_status("agent-x") == ["cancelled"]


@pytest.mark.parametrize("message", [None, 3, ["x"]])
def test_a_message_that_is_no_text_is_refused_before_a_session_is_made(project: Project, provider: Provider, message: Any) -> None:
    agent(project)
    with pytest.raises(InvalidValueError, match="text"):
        project.run("A", message, session_id="x")
    assert project.run_status("agent-x") == []


def test_a_cancelled_run_is_marked_so(project: Project, provider: Provider) -> None:
    agent(project)
    provider.says(Answer("late", seconds=30))

    async def cancel(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_agent("A", "hi", session_id="x"))
        await until(lambda: provider.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    project.alone(cancel)
    assert project.roles("agent-x") == ["user"]
    assert project.run_status("agent-x") == ["cancelled"]


# Configuration that does not add up: known before a session is made.


def test_a_missing_key_names_its_variable(project: Project) -> None:
    project.has("llm", "http", provider="openai", model="m", api_key_env_var="MY_MISSING_KEY")
    agent(project)
    with pytest.raises(MissingKeyError, match="MY_MISSING_KEY is not set") as caught:
        project.run("A", "hi", session_id="x")
    assert "MY_MISSING_KEY" in (caught.value.next_step or "")
    assert project.aurite.sessions.get("agent-x") is None


@pytest.mark.parametrize(
    ("name", "variable"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("gemini", "GEMINI_API_KEY"), ("azure", "AZURE_API_KEY")],
)
def test_each_provider_has_its_usual_variable(project: Project, name: str, variable: str) -> None:
    project.has("llm", "http", provider=name, model="m")
    agent(project)
    with pytest.raises(MissingKeyError, match=variable):
        project.run("A", "hi")


def test_an_unknown_provider_is_refused_with_the_known_ones(project: Project) -> None:
    project.has("llm", "http", provider="opnai", model="m")
    agent(project)
    with pytest.raises(UnknownProviderError, match="'opnai'") as caught:
        project.run("A", "hi")
    assert "openai" in (caught.value.next_step or "")
    assert "offline" in (caught.value.next_step or "")


def test_a_provider_whose_library_is_missing_says_how_to_install_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1234567890")
    monkeypatch.setitem(__import__("sys").modules, "groq", None)
    project.has("llm", "http", provider="groq", model="m")
    agent(project)
    with pytest.raises(MissingExtraError, match=r"pip install 'aurite\[groq\]'"):
        project.run("A", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None


def test_a_field_that_each_request_sets_itself_is_refused(project: Project) -> None:
    project.has("llm", "http", provider="ollama", model="m", stream=True)
    agent(project)
    with pytest.raises(InvalidComponentError, match="stream"):
        project.run("A", "hi")


def test_what_a_provider_does_not_accept_together_is_told_before_a_session_is_made(
    project: Project, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_API_KEY", "azure-key-12345")
    project.has("llm", "http", provider="azure", model="m", api_base=provider.base, api_version="2024-06-01")
    agent(project)
    with pytest.raises(ModelError, match="api_version"):
        project.run("A", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None


def test_azure_is_asked_by_deployment_and_version(project: Project, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_API_KEY", "azure-key-12345")
    monkeypatch.setenv("AZURE_API_VERSION", "2024-06-01")
    project.has("llm", "http", provider="azure", model="my-deployment", api_base=provider.base.removesuffix("/v1"))
    agent(project)
    provider.says("ok")
    project.run("A", "hi")
    (request,) = provider.requests
    assert request.path == "/openai/deployments/my-deployment/chat/completions?api-version=2024-06-01"
    assert request.headers["api-key"] == "azure-key-12345"
