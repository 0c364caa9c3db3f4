"""Workflows: what goes into each step, what comes out, where it is kept, and how it ends when a step fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import (
    AmbiguousNameError,
    ComponentNotFoundError,
    InvalidComponentError,
    InvalidValueError,
    MissingKeyError,
    SessionExistsError,
)
from aurite.model.records import SessionFilter
from aurite.runtime.history import read_history
from tests.runtime.conftest import Project, until
from tests.runtime.provider import Answer, Provider

SAID = "This is the offline model 'echo': it needs no network and understands nothing. You said: "


@pytest.fixture
def agents(project: Project) -> Project:
    """Agents A, B and C, which repeat what they are told."""
    for name in "ABC":
        project.has("agent", name, llm_config_id="offline")
    return project


def run(project: Project, name: str, value: Any, **options: Any) -> dict[str, Any]:
    """The run result of a workflow, from a runner of its own."""

    async def inside(aurite: Aurite) -> dict[str, Any]:
        return (await aurite.run_workflow(name, value, **options)).to_dict()

    return project.alone(inside)


def sessions(project: Project) -> dict[str, tuple[str, str, str | None, str]]:
    """Kind, base, parent and status of each session, by id."""
    found = project.aurite.sessions.iterate(SessionFilter())
    return {each.session_id: (each.kind, each.base_session_id, each.parent_session_id, each.status) for each in found}


def asked(project: Project, session_id: str) -> str:
    """What a step was told."""
    return str(next(document["content"] for document in project.documents(session_id) if document["role"] == "user"))


# Linear.


def test_the_output_of_each_step_is_the_input_of_the_next(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A", {"name": "B", "type": "agent"}, {"name": "C"}])
    result = run(agents, "W", "hi", session_id="x")
    assert list(result) == ["workflow_name", "status", "step_results", "final_output", "error", "session_id"]
    assert result["final_output"] == SAID * 3 + "hi"
    assert (result["workflow_name"], result["status"], result["error"]) == ("W", "completed", None)
    assert [(step["step_name"], step["step_type"]) for step in result["step_results"]] == [(name, "agent") for name in "ABC"]
    assert [step["result"]["session_id"] for step in result["step_results"]] == [f"workflow-x-{step}" for step in range(3)]
    assert result["step_results"][0]["result"]["final_response"]["content"] == SAID + "hi"


def test_each_step_is_a_session_below_that_of_the_workflow(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A", "B"])
    run(agents, "W", "hi", session_id="x")
    assert sessions(agents) == {
        "workflow-x": ("workflow", "workflow-x", None, "completed"),
        "workflow-x-0": ("agent", "workflow-x", "workflow-x", "completed"),
        "workflow-x-1": ("agent", "workflow-x", "workflow-x", "completed"),
    }
    assert agents.roles("workflow-x") == []
    assert agents.roles("workflow-x-1") == ["user", "assistant"]
    assert agents.aurite.sessions.find("x").session_id == "workflow-x"


def test_a_run_without_a_session_id_gets_one(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A"])
    first, second = run(agents, "W", "hi")["session_id"], run(agents, "W", "hi")["session_id"]
    assert first != second
    assert len(first) == len("workflow-") + 8


def test_what_is_not_text_is_told_to_an_agent_as_json(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A"])
    assert run(agents, "W", {"city": "Zürich", "days": [1, None]})["final_output"] == SAID + '{"city":"Zürich","days":[1,null]}'


def test_workflows_may_be_steps_of_workflows(agents: Project) -> None:
    agents.has("linear_workflow", "inner", steps=["B", "C"])
    agents.has("graph_workflow", "graph", nodes=[{"node_id": "n", "name": "inner", "type": "linear_workflow"}])
    agents.has("linear_workflow", "outer", steps=["A", "graph"])
    result = run(agents, "outer", "hi", session_id="x")
    assert result["final_output"] == SAID * 3 + "hi"
    assert sessions(agents) == {
        "workflow-x": ("workflow", "workflow-x", None, "completed"),
        "workflow-x-0": ("agent", "workflow-x", "workflow-x", "completed"),
        "workflow-x-1": ("workflow", "workflow-x", "workflow-x", "completed"),
        "workflow-x-1-0": ("workflow", "workflow-x", "workflow-x-1", "completed"),
        "workflow-x-1-0-0": ("agent", "workflow-x", "workflow-x-1-0", "completed"),
        "workflow-x-1-0-1": ("agent", "workflow-x", "workflow-x-1-0", "completed"),
    }
    inner = result["step_results"][1]["result"]["node_results"]["n"]["result"]
    assert [step["step_name"] for step in inner["step_results"]] == ["B", "C"]


def test_the_history_of_a_workflow_gives_back_what_its_run_returned(agents: Project) -> None:
    agents.has("linear_workflow", "inner", steps=["B"])
    agents.has("graph_workflow", "graph", nodes=[{"node_id": "n", "name": "inner", "type": "linear_workflow"}])
    agents.has("linear_workflow", "outer", steps=["A", "graph"])
    result = run(agents, "outer", "hi", session_id="x")
    store = agents.aurite.sessions
    told = read_history(store, store.find("x"))
    assert told["result_type"] == "workflow"
    assert told["execution_result"] == result
    assert told["metadata"]["message_count"] == 4
    assert told["metadata"]["agents_involved"] == {"workflow-x-0": "A", "workflow-x-1-0-0": "B"}
    (kept,) = store.runs("workflow-x")
    assert SAID * 2 + "hi" in (kept.result or "")
    assert "conversation_history" not in (kept.result or "")


def test_a_step_whose_name_two_components_have_is_refused_until_its_type_is_said(agents: Project) -> None:
    agents.has("linear_workflow", "A", steps=["B"])
    agents.has("linear_workflow", "W", steps=["A"])
    with pytest.raises(AmbiguousNameError, match=r"linear workflow 'W' names 'A'.*agent and linear workflow") as refused:
        run(agents, "W", "hi", session_id="x")
    assert '{"name": ..., "type": "agent"}' in (refused.value.next_step or "")
    agents.has("linear_workflow", "W", steps=[{"name": "A", "type": "linear_workflow"}])
    assert run(agents, "W", "hi")["step_results"][0]["step_type"] == "linear_workflow"


def test_a_workflow_that_cannot_run_is_refused_before_anything_is_kept(agents: Project) -> None:
    agents.has("linear_workflow", "lost", steps=["A", "nobody"])
    agents.has("linear_workflow", "one", steps=["A", "other"])
    agents.has("linear_workflow", "other", steps=["one"])
    agents.has("llm", "keyless", provider="openai", model="m")
    agents.has("agent", "keyless", llm_config_id="keyless")
    agents.has("linear_workflow", "locked", steps=["A", "keyless"])
    with pytest.raises(ComponentNotFoundError, match="'lost' names 'nobody'"):
        run(agents, "lost", "hi")
    with pytest.raises(InvalidComponentError, match="contains itself: 'one' -> 'other' -> 'one'"):
        run(agents, "one", "hi")
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        run(agents, "locked", "hi")
    with pytest.raises(ComponentNotFoundError, match="no workflow 'A'"):
        run(agents, "A", "hi")
    with pytest.raises(ComponentNotFoundError):
        run(agents, "lost", "hi", type="graph_workflow")
    with pytest.raises(InvalidValueError):
        run(agents, "locked", float("nan"))
    assert sessions(agents) == {}


def test_a_failing_step_ends_the_workflow_with_what_was_done_so_far(agents: Project, provider: Provider) -> None:
    agents.has("agent", "broken", llm_config_id="http")
    agents.has("linear_workflow", "W", steps=["A", "broken", "C"])
    provider.says(Answer(status=400, error="too odd"))
    result = run(agents, "W", "hi", session_id="x")
    assert result["status"] == "failed"
    assert "step 1 (agent 'broken') failed" in result["error"]
    assert "too odd" in result["error"]
    assert result["final_output"] is None
    first, second = result["step_results"]
    assert first["result"]["status"] == "success"
    assert (second["result"]["status"], second["result"]["session_id"]) == ("error", "workflow-x-1")
    assert "too odd" in second["result"]["error_message"]
    assert {key: value[3] for key, value in sessions(agents).items()} == {
        "workflow-x": "failed",
        "workflow-x-0": "completed",
        "workflow-x-1": "failed",
    }
    (kept,) = agents.aurite.sessions.runs("workflow-x")
    assert kept.error == result["error"]
    told = read_history(agents.aurite.sessions, agents.aurite.sessions.find("x"))["execution_result"]
    assert (told["status"], told["error"]) == ("failed", result["error"])
    assert [step["result"]["status"] for step in told["step_results"]] == ["success", "error"]


def test_a_step_that_reaches_its_limit_fails_the_workflow(agents: Project, provider: Provider) -> None:
    agents.has("agent", "busy", llm_config_id="http", mcp_servers=["weather"], max_iterations=1)
    agents.has("linear_workflow", "W", steps=["busy", "A"])
    provider.says(Answer(calls=[("weather-weather_lookup", {"city": "Rome"})]))
    result = run(agents, "W", "hi", session_id="x")
    assert result["status"] == "failed"
    assert "stopped after 1 requests" in result["error"]
    assert result["step_results"][0]["result"]["status"] == "max_iterations_reached"
    assert "workflow-x-1" not in sessions(agents)


def test_a_cancelled_workflow_is_kept_with_its_steps_as_cancelled(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    agents.has("linear_workflow", "W", steps=["A", "slow"])
    provider.says(Answer("late", seconds=30))

    async def cancel(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_linear_workflow("W", "hi", session_id="x"))
        await until(lambda: provider.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    agents.alone(cancel)
    assert {key: value[3] for key, value in sessions(agents).items()} == {
        "workflow-x": "cancelled",
        "workflow-x-0": "completed",
        "workflow-x-1": "cancelled",
    }


# What is kept, and what is shown again.


@pytest.mark.parametrize(
    ("workflow", "agent", "kept", "told"),
    [
        (None, None, True, 1),
        (True, None, True, 3),
        (True, False, False, 1),
        (False, None, False, 1),
        (False, True, True, 3),
    ],
)
def test_the_history_of_the_workflow_holds_for_steps_that_do_not_say_otherwise(
    project: Project, provider: Provider, *, workflow: bool | None, agent: bool | None, kept: bool, told: int
) -> None:
    project.has("agent", "A", llm_config_id="http", **({} if agent is None else {"include_history": agent}))
    project.has("linear_workflow", "W", steps=["A"], **({} if workflow is None else {"include_history": workflow}))
    provider.says("one", "two")
    run(project, "W", "first", session_id="x")
    result = run(project, "W", "second", session_id="x")
    assert ("workflow-x-0" in sessions(project)) is kept
    assert ("workflow-x" in sessions(project)) is (workflow is not False)
    assert result["session_id"] == ("workflow-x" if workflow is not False else None)
    assert result["step_results"][0]["result"]["session_id"] == ("workflow-x-0" if kept else None)
    assert len(provider.requests[-1].body["messages"]) == told


def test_what_a_workflow_says_of_history_holds_for_workflows_inside_it_too(agents: Project) -> None:
    (agents.folder / "c.py").write_text(
        "from aurite import BaseCustomWorkflow\n"
        "class C(BaseCustomWorkflow):\n"
        "    async def run(self, initial_input, executor, session_id=None):\n"
        "        return (await executor.run_agent('A', initial_input, session_id=session_id)).text\n"
    )
    agents.has("custom_workflow", "custom", module_path="c.py", class_name="C")
    agents.has("graph_workflow", "graph", nodes=[{"node_id": "n", "name": "custom", "type": "custom_workflow"}])
    agents.has("linear_workflow", "inner", steps=["graph"])
    agents.has("linear_workflow", "outer", steps=["inner"], include_history=False)
    assert run(agents, "outer", "hi", session_id="x")["final_output"] == SAID + "hi"
    assert sessions(agents) == {}
    agents.has("linear_workflow", "inner", steps=["graph"], include_history=True)
    run(agents, "outer", "hi", session_id="x")
    assert {key: value[1:3] for key, value in sessions(agents).items()} == {
        "workflow-x-0": ("workflow-x", None),
        "workflow-x-0-0": ("workflow-x", "workflow-x-0"),
        "workflow-x-0-0-0": ("workflow-x", "workflow-x-0-0"),
        "workflow-x-0-0-0-0": ("workflow-x", "workflow-x-0-0-0"),
    }


def test_a_workflow_goes_on_in_its_sessions_also_where_its_steps_have_changed(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A", "B"])
    run(agents, "W", "hi", session_id="x")
    agents.has("linear_workflow", "W", steps=["C", "B", "A"])
    result = run(agents, "W", "hi", session_id="x")
    assert [step["result"]["session_id"] for step in result["step_results"]] == ["workflow-x-2", "workflow-x-1", "workflow-x-0"]
    assert len(agents.roles("workflow-x-1")) == 4


def test_a_session_of_another_workflow_is_refused(agents: Project) -> None:
    agents.has("linear_workflow", "W", steps=["A"])
    agents.has("linear_workflow", "V", steps=["A"])
    run(agents, "W", "hi", session_id="x")
    with pytest.raises(SessionExistsError, match="belongs to workflow 'W'"):
        run(agents, "V", "hi", session_id="x")


# Graph.


def node(node_id: str, name: str, type_: str = "agent") -> dict[str, str]:
    return {"node_id": node_id, "name": name, "type": type_}


def edges(*pairs: str) -> list[dict[str, str]]:
    return [{"from": pair[0], "to": pair[1]} for pair in pairs]


def test_a_node_is_given_the_outputs_of_all_nodes_before_it_a_line_each(agents: Project) -> None:
    agents.has(
        "graph_workflow",
        "G",
        nodes=[node("a", "A"), node("b", "B"), node("c", "C"), node("d", "A")],
        edges=edges("ab", "ac", "cd", "bd"),
    )
    result = run(agents, "G", "hi", session_id="x")
    assert list(result) == ["workflow_name", "status", "node_results", "final_output", "error", "session_id"]
    assert {key: (value["name"], value["type"]) for key, value in result["node_results"].items()} == {
        "a": ("A", "agent"),
        "b": ("B", "agent"),
        "c": ("C", "agent"),
        "d": ("A", "agent"),
    }
    assert asked(agents, "workflow-x-1") == SAID + "hi"
    assert asked(agents, "workflow-x-3") == f"{SAID * 2}hi\n{SAID * 2}hi"
    assert result["final_output"] == f"{SAID * 3}hi\n{SAID * 2}hi"
    assert result["node_results"]["d"]["result"]["session_id"] == "workflow-x-3"
    store = agents.aurite.sessions
    assert read_history(store, store.find("x"))["execution_result"] == result


def test_a_graph_with_several_ends_gives_back_the_output_of_each(agents: Project) -> None:
    agents.has("graph_workflow", "G", nodes=[node("a", "A"), node("b", "B"), node("c", "C")], edges=edges("ab"))
    result = run(agents, "G", "hi")
    assert result["final_output"] == {"b": SAID * 2 + "hi", "c": SAID + "hi"}


def test_nodes_that_do_not_wait_for_each_other_run_side_by_side(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    agents.has("graph_workflow", "G", nodes=[node(each, "slow") for each in "abcd"])
    provider.says(*(Answer("done", seconds=1) for _ in range(4)))

    async def timed(aurite: Aurite) -> float:
        await aurite.run_agent("A", "warm up")
        loop = asyncio.get_running_loop()
        started = loop.time()
        await aurite.run_graph_workflow("G", "hi")
        return loop.time() - started

    assert agents.alone(timed) < 3


def test_a_failing_node_ends_the_graph_and_cancels_those_that_run(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    agents.has("llm", "nowhere", provider="ollama", model="m", api_base="http://127.0.0.1:1/v1", max_retries=0)
    agents.has("agent", "broken", llm_config_id="nowhere")
    agents.has(
        "graph_workflow",
        "G",
        nodes=[node("a", "A"), node("slow", "slow"), node("broken", "broken"), node("after", "B")],
        edges=[{"from": "a", "to": "broken"}, {"from": "broken", "to": "after"}],
    )
    provider.says(Answer("late", seconds=30))
    result = run(agents, "G", "hi", session_id="x")
    assert result["status"] == "failed"
    assert "node broken (agent 'broken') failed" in result["error"]
    assert result["node_results"]["a"]["result"]["status"] == "success"
    assert result["node_results"]["slow"]["result"] is None
    assert "after" not in result["node_results"]
    assert {key: value[3] for key, value in sessions(agents).items()} == {
        "workflow-x": "failed",
        "workflow-x-0": "completed",
        "workflow-x-1": "cancelled",
        "workflow-x-2": "failed",
    }


# Streams.


def test_a_stream_marks_the_events_of_each_step(agents: Project) -> None:
    agents.has("linear_workflow", "inner", steps=["B"])
    agents.has("linear_workflow", "W", steps=["A", "inner"])

    async def listen(aurite: Aurite) -> list[dict[str, Any]]:
        return [event async for event in aurite.stream_workflow("W", "hi", session_id="x")]

    events = agents.alone(listen)
    assert events[0] == {"type": "session_info", "data": {"session_id": "workflow-x"}}
    started = [event for event in events if event["type"] == "step_start"]
    assert [(event["step"], event["data"]["name"], event["data"]["session_id"]) for event in started] == [
        ("0", "A", "workflow-x-0"),
        ("1", "inner", "workflow-x-1"),
        ("1.0", "B", "workflow-x-1-0"),
    ]
    said = "".join(event["data"]["content"] for event in events if event["type"] == "llm_response" and event["step"] == "0")
    assert said == SAID + "hi"
    assert [event["step"] for event in events if event["type"] == "step_stop"] == ["0", "1.0", "1"]
    assert events[-1] == {
        "type": "workflow_stop",
        "data": {"status": "completed", "final_output": SAID * 2 + "hi", "error": None},
    }


def test_who_stops_listening_cancels_the_workflow_and_its_step(agents: Project, provider: Provider) -> None:
    agents.has("agent", "slow", llm_config_id="http")
    agents.has("linear_workflow", "W", steps=["slow"])
    provider.says(Answer("one two three", stops_after=2))

    async def listen_a_while(aurite: Aurite) -> None:
        events = aurite.stream_workflow("W", "hi", session_id="x")
        async for event in events:
            if event["type"] == "llm_response":
                break
        await events.aclose()

    agents.alone(listen_a_while)
    assert {value[3] for value in sessions(agents).values()} == {"cancelled"}
    assert agents.documents("workflow-x-0")[-1]["interrupted"] is True
