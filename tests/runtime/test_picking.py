"""``auto``: the model picks the MCP servers of each message, out of those that there are."""

from __future__ import annotations

import json

import pytest

from aurite.errors import ModelError
from tests.runtime.conftest import SERVERS, Project
from tests.runtime.provider import Provider


def has_three_servers(project: Project) -> None:
    project.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"), description="Knows the weather.")
    project.has("mcp_server", "odd", server_path=str(SERVERS / "odd_server.py"), description="Odd things.")
    project.has("mcp_server", "broken", server_path=str(SERVERS / "broken_server.py"))


def test_an_llm_picks_the_servers_of_each_message(project: Project, provider: Provider) -> None:
    has_three_servers(project)
    project.has("agent", "A", llm_config_id="http", auto=True, system_prompt="Be brief.")
    provider.says('{"servers": ["weather"]}', "It is fine.")
    result = project.run("A", "How is the weather?", session_id="x")
    asked, answered = provider.requests
    told = asked.body["messages"][0]["content"]
    for text in ('"weather": Knows the weather.', '"odd": Odd things.', '"broken": (nothing)'):
        assert text in told
    assert asked.body["messages"][-1] == {"role": "user", "content": "How is the weather?"}
    assert "tools" not in asked.body
    assert {tool["function"]["name"].partition("-")[0] for tool in answered.body["tools"]} == {"weather"}
    assert result["final_response"]["content"] == "It is fine."
    assert project.roles("agent-x") == ["system", "user", "assistant"]
    (run,) = project.aurite.sessions.runs("agent-x")
    assert json.loads(run.usage or "{}")["requests"] == 2


def test_servers_that_an_agent_names_are_there_besides_the_picked_ones(project: Project, provider: Provider) -> None:
    has_three_servers(project)
    project.has("agent", "A", llm_config_id="http", auto=True, mcp_servers=["odd"])
    provider.says('{"servers": ["weather"]}', "ok", '{"servers": []}', "ok")
    for expected in ({"odd", "weather"}, {"odd"}):
        project.run("A", "hi")
        assert {tool["function"]["name"].partition("-")[0] for tool in provider.requests[-1].body["tools"]} == expected
    assert '"odd"' not in json.dumps(provider.requests[0].body["messages"][0]).partition("Schema")[0]


def test_a_name_that_is_no_server_is_sent_back_and_in_the_end_refused(project: Project, provider: Provider) -> None:
    has_three_servers(project)
    project.has("agent", "A", llm_config_id="http", auto=True)
    provider.says('{"servers": ["wether"]}', '{"servers": ["weather"]}', "ok")
    project.run("A", "hi")
    assert "wether" in provider.requests[1].body["messages"][-1]["content"]
    provider.says(*['{"servers": ["wether"]}'] * 9)
    with pytest.raises(ModelError):
        project.run("A", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None


def test_without_any_server_there_is_nothing_to_pick(project: Project, provider: Provider) -> None:
    project.aurite.config.delete_config("mcp_server", "weather")
    project.has("agent", "A", llm_config_id="http", auto=True)
    provider.says("ok")
    assert project.run("A", "hi")["status"] == "success"


def test_the_offline_model_picks_something_that_is_there(project: Project) -> None:
    project.has("agent", "A", llm_config_id="offline", auto=True)
    assert project.run("A", "hi")["status"] == "success"
