"""``aurite run``: the answer goes to standard output, all else beside it, and the run is kept however it ends."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from tests.cli.program import Program
from tests.cli.test_list_and_show import add, agent

SLOW_SERVER = '''
import time
from mcp.server import MCPServer

server = MCPServer("slow_server")

@server.tool()
def wait() -> str:
    """Wait for a long time."""
    open("waiting", "w").close()
    time.sleep(120)
    return "done"

server.run()
'''

QUESTION = "What is the weather in London?"


def sessions(program: Program) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = program("sessions", "list", "--json").done().json()["sessions"]
    return listed


@pytest.fixture
def slow(project: Program) -> Program:
    """A project with an agent whose tool takes two minutes."""
    (project.folder / "mcp_servers" / "slow_server.py").write_text(SLOW_SERVER)
    server = {"type": "mcp_server", "name": "slow", "server_path": "mcp_servers/slow_server.py", "timeout": 120}
    add(project, "slow.json", [server, agent("Slow", mcp_servers=["slow"])])
    return project


def test_an_agent_answers_with_what_its_tool_said(database: Program) -> None:
    ended = database("run", "Weather Agent", QUESTION).done()

    assert "rainy, 15 °C" in ended.output
    assert "->" not in ended.output
    assert '-> weather_server-weather_lookup({"location":"London"})' in ended.errors
    assert "<- The weather in London: rainy, 15 °C." in ended.errors
    (session,) = sessions(database)
    assert f"Session: {session['session_id']}" in ended.errors
    assert session["status"] == "completed"


def test_short_prints_the_answer_alone(project: Program) -> None:
    ended = project("run", "Weather Agent", QUESTION, "-s").done()

    assert "rainy, 15 °C" in ended.output
    assert ended.errors == ""


def test_json_prints_the_result_of_the_run(project: Program) -> None:
    result = project("run", "Weather Agent", QUESTION, "--json", "--session-id", "mine").done().json()

    assert result["status"] == "success"
    assert result["session_id"] == "agent-mine"
    assert result["final_response"]["role"] == "assistant"
    assert set(result) == {"status", "final_response", "conversation_history", "error_message", "session_id", "agent_name"}


def test_debug_prints_every_event_as_a_line_of_json(project: Program) -> None:
    lines = project("run", "Weather Agent", QUESTION, "-d", "-id", "mine").done().lines

    types = [json.loads(line)["type"] for line in lines]
    assert types[0] == "session_info"
    assert {"tool_call", "tool_output", "llm_response"} <= set(types)
    assert types[-1] == "llm_response_stop"


def test_the_message_can_come_from_standard_input(project: Program) -> None:
    assert "Weather in Päris?" in project("run", "Packing Agent", "-", stdin="Weather in Päris?\n").done().output
    project("run", "Packing Agent", "-", stdin=b"\xff\xfe").refused("standard input", "UTF-8")


def test_what_cannot_be_run_is_refused_and_leaves_no_session(project: Program) -> None:
    project("run", "Weather And Packing", "hi", "--system-prompt", "Be brief.").refused("system prompt", status=2)
    project("run", "Wether Agent", "hi").refused("Wether Agent", "Weather Agent")
    add(project, "lost.json", [agent("Lost", llm_config_id="gone"), agent("Keyless", llm_config_id="openai_gpt")])
    project("run", "Lost", "hi").refused("gone")
    project("run", "Keyless", "hi").refused("OPENAI_API_KEY")

    assert sessions(project) == []


def test_a_workflow_prints_its_output_and_its_steps_beside_it(database: Program) -> None:
    ended = database("run", "Weather And Packing", QUESTION, "-id", "trip").done()

    assert ended.output.count("This is the offline model") == 2
    assert "[0] Weather Agent (agent)" in ended.errors
    assert '[0] -> weather_server-weather_lookup({"location":"London"})' in ended.errors
    assert "[1] Packing Agent (agent)" in ended.errors
    assert "Session: workflow-trip" in ended.errors
    assert [(session["session_id"], session["status"]) for session in sessions(database)] == [
        ("workflow-trip-1", "completed"),
        ("workflow-trip-0", "completed"),
        ("workflow-trip", "completed"),
    ]


def test_a_workflow_can_be_short_or_json_or_raw(project: Program) -> None:
    short = project("run", "Weather And Packing", QUESTION, "--short").done()
    result = project("run", "Weather And Packing", QUESTION, "--json").done().json()
    events = [json.loads(line) for line in project("run", "Weather And Packing", QUESTION, "--debug").done().lines]

    assert short.errors == ""
    assert result["final_output"] == short.output.rstrip("\n")
    assert set(result) == {"workflow_name", "status", "step_results", "final_output", "error", "session_id"}
    assert events[0]["type"] == "session_info"
    assert {event["step"] for event in events[1:-1]} == {"0", "1"}
    assert events[-1]["data"]["final_output"] == short.output.rstrip("\n")


@pytest.mark.parametrize("form", [[], ["--json"], ["--debug"], ["--short"]])
def test_a_workflow_that_fails_says_so_and_exits_1(project: Program, form: list[str]) -> None:
    llm = {
        "type": "llm",
        "name": "nowhere",
        "provider": "ollama",
        "model": "m",
        "api_base": "http://127.0.0.1:1/v1",
        "max_retries": 0,
    }
    workflow = {"type": "linear_workflow", "name": "W", "steps": ["Packing Agent", "Broken"]}
    add(project, "broken.json", [llm, agent("Broken", llm_config_id="nowhere"), workflow])

    ended = project("run", "W", "hi", *form)

    assert ended.status == 1
    assert "step 1 (agent 'Broken') failed" in ended.errors
    if form == ["--json"]:
        assert ended.json()["status"] == "failed"


def test_a_name_that_an_agent_and_a_workflow_share_asks_for_the_type(project: Program) -> None:
    add(project, "twin.json", {"type": "linear_workflow", "name": "Packing Agent", "steps": ["Weather Agent"]})

    project("run", "Packing Agent", "hi").refused("agent, linear_workflow", "--type")
    assert "[0]" in project("run", "Packing Agent", QUESTION, "--type", "linear_workflow").done().errors
    assert "[0]" not in project("run", "Packing Agent", "hi", "-t", "agent").done().errors


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_is_kept_as_cancelled(slow: Program, sent: signal.Signals, status: int) -> None:
    process = slow.start("run", "Slow", "go")
    deadline = time.monotonic() + 60
    while not list(slow.folder.rglob("waiting")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == status
    assert b"Traceback" not in errors
    assert b"Error" not in errors
    (session,) = sessions(slow)
    assert session["status"] == "cancelled"
    assert session["message_count"] >= 2


def test_a_workflow_that_is_stopped_is_kept_as_cancelled_with_its_step(slow: Program) -> None:
    add(slow, "flow.json", {"type": "linear_workflow", "name": "Flow", "steps": ["Slow"]})
    process = slow.start("run", "Flow", "go", "-id", "flow")
    deadline = time.monotonic() + 60
    while not list(slow.folder.rglob("waiting")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert {session["session_id"]: session["status"] for session in sessions(slow)} == {
        "workflow-flow": "cancelled",
        "workflow-flow-0": "cancelled",
    }


def test_a_run_whose_reader_goes_away_is_kept_as_cancelled(project: Program) -> None:
    ended = project.shell("aurite run 'Weather Agent' 'What is the weather in London?' --debug | head -1")

    assert ended.status == 141
    assert ended.errors == ""
    assert [session["status"] for session in sessions(project)] == ["cancelled"]


def test_a_person_can_talk_until_quit_in_one_session(project: Program) -> None:
    program = project.with_variables(PROMPT_TOOLKIT_NO_CPR="1")  # this terminal does not tell where its cursor is
    with program.terminal("run", "Packing Agent", columns=200) as person:
        person.sees("/quit")
        person.sees(">")
        person.types("It rains\r")
        person.sees("You said: It rains")
        person.sees(">")
        person.types("It snows\r")
        person.sees("You said: It snows")
        person.sees(">")
        person.types("/quit\r")
        status, shown = person.ends()

    assert status == 0
    assert "Traceback" not in shown
    (session,) = sessions(project)
    assert session["message_count"] >= 4
