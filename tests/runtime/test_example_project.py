"""The project that ``aurite init`` of 0.4 made runs whole, in each mode, against a server that speaks OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import ModelError
from aurite.runtime.history import read_history
from tests.runtime.conftest import Project, until
from tests.runtime.provider import Answer, Provider, Request

EXAMPLE = Path(__file__).parents[1] / "data" / "aurite-0.4" / "project"
LOOKUP, SAVE = "weather_server-weather_lookup", "planning_server-save_plan"
STRUCTURED = {
    "weather_summary": "rainy",
    "temperature": {"value": 15, "unit": "celsius"},
    "recommendations": ["an umbrella"],
}


def thinks(request: Request) -> Answer:
    """What a model would say that reads its system prompt, uses its tools, and is not very clever."""
    system, *said = request.body["messages"]
    color = re.search(r'the word " (\w+)" appended', system["content"])
    if color:
        return Answer("\n".join(f"{line} {color[1]}" for line in said[-1]["content"].split("\n")))
    since = [message for message in said if message["role"] != "system"]
    while any(message["role"] == "user" for message in since[1:]):
        since = since[1:]
    called = [call["function"]["name"] for message in since for call in message.get("tool_calls") or ()]
    tools = {tool["function"]["name"] for tool in request.body.get("tools", ())}
    city = re.search(r"London|Tokyo|New York|San Francisco", since[0]["content"])
    if LOOKUP in tools - set(called):
        return Answer("I will look.", calls=[(LOOKUP, {"location": city[0] if city else "Atlantis"})])
    if SAVE in tools - set(called):
        return Answer(calls=[(SAVE, {"plan_name": "clothes", "plan_content": "Take an umbrella."})])
    if "JSON Schema" in system["content"]:
        return Answer(json.dumps(STRUCTURED))
    return Answer("So: " + " / ".join(message["content"] for message in since if message["role"] in ("user", "tool")))


class Example(Project):
    """The example project, its llm on loopback."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        provider.thinks = thinks
        llm = {
            "type": "llm",
            "name": "anthropic_claude_3_haiku",
            "provider": "loopback",
            "model": "haiku",
            "api_base": provider.base,
            "api_key_env_var": "TEST_KEY",
            "timeout": 10,
        }
        (folder / "config" / "0_loopback.json").write_text(json.dumps(llm))
        super().__init__(folder)
        if self.aurite.settings.enable_db:
            self.aurite.export()

    def kept(self, session_id: str) -> Any:
        """The result of a run, as its session gives it back."""
        store = self.open().sessions
        return read_history(store, store.find(session_id))["execution_result"]


@pytest.fixture
def example(mode: str, tmp_path: Path, loopback: Provider) -> Iterator[Example]:
    made = Example(tmp_path, loopback)
    yield made
    made.close()


def test_every_agent_and_workflow_runs_and_can_be_read_back(example: Example) -> None:
    asked = "What is the weather in London?"
    told = "London: rainy, 15 degrees"

    async def run_all(aurite: Aurite) -> dict[str, dict[str, Any]]:
        agents = ["Linear Planning Agent", "Structured Output Weather Agent", "Weather Planning Agent", "Weather Agent"]
        results = {name: (await aurite.run_agent(name, asked)).to_dict() for name in agents}
        for name in ("test_weather_workflow", "Weather Planning Workflow"):
            results[name] = (await aurite.run_linear_workflow(name, asked)).to_dict()
        for name in ("Color Graph Workflow", "Parallel Graph Workflow"):
            results[name] = (await aurite.run_graph_workflow(name, "Hello World")).to_dict()
        for name in ("ExampleCustomWorkflow", "Example Custom Workflow"):
            results[name] = (await aurite.run_custom_workflow(name, {"city": "Tokyo"})).to_dict()
        return results

    results = example.alone(run_all)

    said = {name: result["final_response"]["content"] for name, result in results.items() if "final_response" in result}
    assert said["Linear Planning Agent"] == f"So: {asked}"
    assert said["Weather Agent"] == f"So: {asked} / {told}"
    assert said["Weather Planning Agent"] == f"So: {asked} / {told} / The plan clothes is saved."
    assert json.loads(said["Structured Output Weather Agent"]) == STRUCTURED
    assert (example.folder / "plans" / "clothes.txt").read_text() == "Take an umbrella."

    outputs = {name: result["final_output"] for name, result in results.items() if "final_output" in result}
    both = f"So: So: {asked} / {told} / The plan clothes is saved."
    assert outputs["test_weather_workflow"] == outputs["Weather Planning Workflow"] == both
    assert outputs["Color Graph Workflow"] == "Hello World red yellow red\nHello World red blue red"
    assert outputs["Parallel Graph Workflow"] == {
        "r3a": "Hello World red blue red\nHello World yellow blue red",
        "b3b": "Hello World red yellow blue",
    }
    sunny = {"city": "Tokyo", "weather": "So: What is the weather in Tokyo? / Tokyo: sunny, 25 degrees"}
    assert outputs["ExampleCustomWorkflow"] == outputs["Example Custom Workflow"] == sunny

    for name, result in results.items():
        assert result["status"] in ("success", "completed"), name
        assert example.kept(result["session_id"]) == result, name


def test_a_stream_tells_all_and_its_session_goes_on(example: Example) -> None:
    events = example.stream("Weather Agent", "And in Tokyo?", session_id="trip")
    types = [event["type"] for event in events]
    assert types[0] == "session_info"
    assert types[-1] == "llm_response_stop"
    assert {"type": "tool_output", "data": {"name": LOOKUP, "output": "Tokyo: sunny, 25 degrees"}} in events
    again = example.run("Weather Agent", "And in London?", session_id="trip")
    assert [message["role"] for message in again["conversation_history"]] == [
        "system",
        *["user", "assistant", "tool", "assistant"] * 2,
    ]


def test_what_goes_wrong_is_told_and_kept(example: Example, loopback: Provider) -> None:
    busy = Answer(status=429, error="slow down", headers={"Retry-After": "0"})

    async def go_through_it(aurite: Aurite) -> None:
        # A busy provider is asked again.
        loopback.says(busy)
        assert (await aurite.run_agent("Weather Agent", "London?", session_id="busy")).status == "success"

        # A server that was killed is started anew, and one that dies in mid-call is told to the model.
        (pid,) = children("weather_server.py")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in children("weather_server.py"))
        assert "rainy" in (await aurite.run_agent("Weather Agent", "London?", session_id="killed")).text

        # A tool that fails is told to the model.
        assert "nothing is known about Atlantis" in (await aurite.run_agent("Weather Agent", "Atlantis?")).text

        # A provider that never answers.
        aurite.register_llm(
            {"name": "anthropic_claude_3_haiku", "provider": "loopback", "model": "m", "api_base": loopback.base, "timeout": 0.3}
        )
        loopback.says(Answer("late", seconds=30))
        with pytest.raises(ModelError, match="did not answer in time"):
            await aurite.run_agent("Weather Agent", "London?", session_id="late")

    example.alone(go_through_it)

    async def cancel_it(aurite: Aurite) -> None:
        before = len(loopback.requests)
        loopback.says(Answer("late", seconds=30))
        task = asyncio.ensure_future(aurite.run_linear_workflow("Weather Planning Workflow", "London?", session_id="cancelled"))
        await until(lambda: len(loopback.requests) > before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    example.alone(cancel_it)

    store = example.open().sessions
    ids = ("agent-busy", "agent-killed", "agent-late", "workflow-cancelled", "workflow-cancelled-0")
    assert [store.find(session_id).status for session_id in ids] == ["completed", "completed", "failed", "cancelled", "cancelled"]
    (run,) = store.runs("agent-late")
    assert "did not answer in time" in (run.error or "")
    assert example.roles("agent-late") == ["system", "user"]
    assert example.kept("cancelled")["status"] == "failed"


def children(program: str) -> list[int]:
    """Processes that this one has started, by the name of their program."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(parent) == os.getpid() and program in command:
            found.append(int(folder.name))
    return found
