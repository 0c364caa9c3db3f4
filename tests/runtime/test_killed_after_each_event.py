"""A run that is killed after any of its events leaves exactly the messages that were complete, in each mode, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.runtime.conftest import SERVERS, Project
from tests.runtime.provider import Answer, Provider, Request

PROGRAM = """
import asyncio, os, signal, sys
import aurite.runtime.conversation, aurite.runtime.picking, mcp
from aurite.app import Aurite

async def run(number):
    async with Aurite(sys.argv[1]) as aurite:
        async with asyncio.timeout(60):
            seen = 0
            async for event in aurite.stream_agent("A", "Rome?", session_id=f"killed-{number}"):
                os.write(told, (event["type"] + "\\n").encode())
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

for number in range(int(sys.argv[2])):
    read, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        asyncio.run(run(number))
        os._exit(0)
    os.close(told)
    with os.fdopen(read) as events:
        types = events.read().split()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), *types, flush=True)
"""

EVENTS = [
    "session_info",
    "llm_response_start",
    "llm_response",
    "llm_response",
    "tool_call",
    "tool_output",
    "llm_response_start",
    "llm_response",
    "llm_response_stop",
]
COMPLETE = ["system", "user", "assistant", "tool", "assistant"]
CERTAIN = {
    "session_info": 2,
    "llm_response_start": 2,
    "llm_response": 2,
    "tool_call": 3,
    "tool_output": 4,
    "llm_response_stop": 5,
}
"""How many messages are stored when an event is told, at least; those behind a tool's output stay."""


def thinks(request: Request) -> Answer:
    """A tool call, then an answer; whatever was said before."""
    messages = request.body["messages"]
    if messages[-1]["role"] == "tool":
        return Answer("Nice.")
    return Answer("Wait please", calls=[("weather-weather_lookup", {"city": "Rome"})])


@pytest.fixture
def ready(anywhere: Project, loopback: Provider) -> Project:
    """An agent with history that calls a tool and answers."""
    loopback.thinks = thinks
    anywhere.has("llm", "http", provider="loopback", model="m", api_base=loopback.base)
    anywhere.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"))
    anywhere.has("agent", "A", llm_config_id="http", mcp_servers=["weather"], include_history=True, system_prompt="Be brief.")
    return anywhere


@pytest.mark.timeout(400)
def test_whatever_was_complete_is_there_and_the_session_goes_on(ready: Project, loopback: Provider) -> None:
    program = [sys.executable, "-c", PROGRAM, str(ready.folder), str(len(EVENTS))]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["-9"] * len(EVENTS), done.stderr
    assert [line[1:] for line in lines] == [EVENTS[: number + 1] for number in range(len(EVENTS))]

    sessions = ready.open().sessions
    left: dict[int, list[dict[str, Any]]] = {}
    for number, event in enumerate(EVENTS):
        session_id = f"agent-killed-{number}"
        left[number] = ready.documents(session_id)
        roles = [document["role"] for document in left[number]]
        assert roles == COMPLETE[: len(roles)], event
        assert len(roles) >= (CERTAIN[event] if number < 6 else max(4, CERTAIN[event])), event
        assert sessions.find(session_id).message_count == len(roles)
        assert sessions.find(session_id).status in ("interrupted", "completed")
        assert not any(document.get("interrupted") for document in left[number])

    for number in (1, 4, 8):  # killed before the answer, before the tool's result, behind the end
        result = ready.run("A", "And now?", session_id=f"killed-{number}")
        assert result["status"] == "success"
        assert ready.documents(f"agent-killed-{number}")[: len(left[number])] == left[number]
        shown = loopback.requests[-2].body["messages"]
        calls = [call["id"] for message in shown for call in message.get("tool_calls") or ()]
        assert calls == [message["tool_call_id"] for message in shown if message["role"] == "tool"]
        assert json.dumps(left[number][1]["content"]) in json.dumps(shown)
