"""An agent runs without a network: the offline model calls a real MCP server, and the session is found again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aurite.app import Aurite
from aurite.errors import ComponentNotFoundError, InvalidComponentError, InvalidValueError, SessionExistsError
from tests.runtime.conftest import SERVERS, Project


def weather_agent(project: Project, **fields: object) -> None:
    only_weather = ["current_time", "fail", "process", "weather-secret_of_environment"]
    document = {"llm_config_id": "offline", "mcp_servers": ["weather"], "exclude_components": only_weather, **fields}
    project.has("agent", "Weather Agent", **document)


def test_the_offline_model_calls_the_tool_with_the_city_of_the_message_and_answers_from_its_result(project: Project) -> None:
    weather_agent(project, system_prompt="Be brief.")
    result = project.run("Weather Agent", "What is the weather in London?", session_id="trip")
    assert result["status"] == "success"
    assert result["agent_name"] == "Weather Agent"
    assert result["session_id"] == "agent-trip"
    assert result["error_message"] is None
    assert "offline model" in result["final_response"]["content"]
    assert "Weather in London: 21 degrees celsius" in result["final_response"]["content"]
    assert [message["role"] for message in result["conversation_history"]] == ["system", "user", "assistant", "tool", "assistant"]


def test_the_session_holds_each_message_as_an_openai_document(project: Project) -> None:
    weather_agent(project, system_prompt="Be brief.")
    project.run("Weather Agent", "What is the weather in London?", session_id="trip")
    system, user, asked, told, answer = project.documents("agent-trip")
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "What is the weather in London?"}
    (call,) = asked["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "weather-weather_lookup")
    assert json.loads(call["function"]["arguments"]) == {"city": "London"}
    assert told == {
        "role": "tool",
        "tool_call_id": call["id"],
        "name": "weather-weather_lookup",
        "content": "Weather in London: 21 degrees celsius",
    }
    assert answer["role"] == "assistant"
    (run,) = project.aurite.sessions.runs("agent-trip")
    assert run.status == "completed"
    assert json.loads(run.usage or "{}")["requests"] == 2
    assert run.owner is not None
    assert run.owner.count(":") == 2


def test_the_same_message_gives_the_same_answer(project: Project) -> None:
    weather_agent(project)
    first, second = (project.run("Weather Agent", "Is it warm in New York?") for _ in range(2))
    assert first["final_response"] == second["final_response"]
    assert "New York" in first["final_response"]["content"]


def test_a_session_without_an_id_gets_one_of_eight_hex_digits(project: Project) -> None:
    weather_agent(project)
    session_id = project.run("Weather Agent", "London?")["session_id"]
    assert session_id.startswith("agent-")
    assert len(bytes.fromhex(session_id.removeprefix("agent-"))) == 4


def test_an_id_that_has_its_prefix_keeps_it_and_one_with_a_control_character_is_refused(project: Project) -> None:
    weather_agent(project)
    assert project.run("Weather Agent", "hi", session_id="agent-7")["session_id"] == "agent-7"
    with pytest.raises(InvalidValueError, match="control characters"):
        project.run("Weather Agent", "hi", session_id="a\nb")


def test_include_history_false_keeps_nothing(project: Project) -> None:
    weather_agent(project, include_history=False)
    result = project.run("Weather Agent", "London?", session_id="trip")
    assert result["session_id"] is None
    assert result["status"] == "success"
    assert project.aurite.sessions.get("agent-trip") is None


def test_a_session_of_another_agent_is_not_touched(project: Project) -> None:
    weather_agent(project)
    project.has("agent", "Other", llm_config_id="offline")
    project.run("Weather Agent", "London?", session_id="trip")
    before = project.documents("agent-trip")
    with pytest.raises(SessionExistsError):
        project.run("Other", "hello", session_id="trip")
    assert project.documents("agent-trip") == before


def test_a_changed_system_prompt_is_stored_when_it_changed(project: Project) -> None:
    weather_agent(project, system_prompt="One", mcp_servers=[])
    for prompt in (None, "Two", "Two", None):
        project.run("Weather Agent", "hi", session_id="trip", system_prompt=prompt)
    prompts = [document["content"] for document in project.documents("agent-trip") if document["role"] == "system"]
    assert prompts == ["One", "Two", "One"]


def test_the_prompt_of_the_llm_stands_in_for_a_missing_one(project: Project) -> None:
    project.has("llm", "prompted", provider="offline", model="echo", default_system_prompt="Of the llm")
    project.has("agent", "A", llm_config_id="prompted")
    project.run("A", "hi", session_id="x")
    assert project.documents("agent-x")[0] == {"role": "system", "content": "Of the llm"}


def test_an_agent_may_bring_its_llm_along(project: Project) -> None:
    project.has("agent", "Own", llm={"provider": "offline", "model": "my-own"})
    assert "my-own" in project.run("Own", "hi")["final_response"]["content"]


def test_structured_output_is_json_that_fits_the_schema(project: Project) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}, "value": {"type": "number"}},
        "required": ["city", "unit", "value"],
    }
    weather_agent(project, config_validation_schema=schema)
    result = project.run("Weather Agent", "How many degrees fahrenheit has London?")
    answer = json.loads(result["final_response"]["content"])
    assert (answer["city"], answer["unit"]) == ("London", "fahrenheit")
    assert isinstance(answer["value"], int | float)


def test_a_lone_surrogate_in_a_message_is_kept(project: Project) -> None:
    project.has("agent", "A", llm_config_id="offline")
    project.run("A", "half \ud83d a face", session_id="x")
    assert project.documents("agent-x")[0]["content"] == "half \ud83d a face"


def test_a_missing_llm_is_named_together_with_its_agent_and_no_session_is_made(project: Project) -> None:
    project.has("agent", "Lost", llm_config_id="nowhere")
    with pytest.raises(ComponentNotFoundError, match="agent 'Lost' names the llm 'nowhere'"):
        project.run("Lost", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None


def test_a_missing_server_is_named_together_with_its_agent(project: Project) -> None:
    project.has("agent", "Lost", llm_config_id="offline", mcp_servers=["nowhere"])
    with pytest.raises(ComponentNotFoundError, match="agent 'Lost' names the MCP server 'nowhere'"):
        project.run("Lost", "hi")


def test_an_unknown_agent_is_not_found(project: Project) -> None:
    with pytest.raises(ComponentNotFoundError, match="Nobody"):
        project.run("Nobody", "hi")


def test_an_agent_without_an_llm_is_told_so(project: Project) -> None:
    project.has("agent", "Bare")
    with pytest.raises(InvalidComponentError, match="agent 'Bare' names no llm"):
        project.run("Bare", "hi")


def test_a_schema_of_the_answer_that_is_no_schema_is_refused(project: Project) -> None:
    weather_agent(project, config_validation_schema={"type": "objekt"})
    with pytest.raises(InvalidComponentError, match="no JSON Schema: type: 'objekt'"):
        project.run("Weather Agent", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None


def test_in_file_mode_the_session_is_a_file_and_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')
    (tmp_path / "config").mkdir()
    server = os.path.relpath(SERVERS / "weather_server.py", tmp_path)
    components = [
        {"type": "llm", "name": "offline", "provider": "offline", "model": "echo"},
        {"type": "mcp_server", "name": "weather", "server_path": server},
        {"type": "agent", "name": "A", "llm_config_id": "offline", "mcp_servers": ["weather"], "exclude_components": ["fail"]},
    ]
    (tmp_path / "config" / "all.json").write_text(json.dumps(components))
    project = Project(tmp_path)
    assert "Weather in London" in project.run("A", "London?", session_id="x")["final_response"]["content"]
    project.run("A", "And Paris?", session_id="x")
    one_turn = ["user", "assistant", "tool", "tool", "tool", "tool", "assistant"]
    assert project.roles("agent-x") == one_turn * 2
    assert project.run_status("agent-x") == ["completed", "completed"]
    assert list((tmp_path / ".aurite_cache").iterdir())
    project.close()


def test_components_may_be_registered_in_memory_alone(project: Project) -> None:
    async def run(aurite: Aurite) -> str:
        await aurite.register_llm({"name": "mine", "provider": "offline", "model": "of-mine"})
        await aurite.register_mcp_server({"name": "near", "server_path": str(SERVERS / "weather_server.py")})
        await aurite.register_agent({"name": "Mine", "llm_config_id": "mine", "mcp_servers": ["near"]})
        return (await aurite.run_agent("Mine", "London?")).text

    text = project.alone(run)
    assert "of-mine" in text
    assert "near-weather_lookup" in text
