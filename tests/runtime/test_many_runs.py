"""A hundred runs at once in one process, in each mode: every message is there, in order, and the event loop is not held up."""

from __future__ import annotations

import asyncio
import json
import threading
import time

from aurite.app import Aurite
from aurite.model.records import SessionFilter
from tests.runtime.conftest import SERVERS, Project

RUNS = 100
BEAT = 0.01
LONGEST_LAG = 1.0
"""Seconds that the event loop may be late; on a quiet machine it is a tenth of that."""


async def worst_lag(stopped: threading.Event) -> float:
    """By how many seconds the loop was late at its worst."""
    worst = 0.0
    while not stopped.is_set():
        due = time.monotonic() + BEAT
        await asyncio.sleep(BEAT)
        worst = max(worst, time.monotonic() - due)
    return worst


def worst_lag_of_the_machine(stopped: threading.Event) -> float:
    """The same for a thread that waits for nobody but the machine."""
    worst = 0.0
    while not stopped.is_set():
        due = time.monotonic() + BEAT
        time.sleep(BEAT)
        worst = max(worst, time.monotonic() - due)
    return worst


def test_a_hundred_runs_at_once_lose_nothing_and_hold_up_nobody(anywhere: Project) -> None:
    anywhere.has("llm", "offline", provider="offline", model="echo")
    anywhere.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"))
    only = ["current_time", "fail", "process", "secret_of_environment"]
    anywhere.has("agent", "A", llm_config_id="offline", mcp_servers=["weather"], exclude_components=only)
    anywhere.has("linear_workflow", "W", steps=["A", "A"])

    async def together(aurite: Aurite) -> tuple[float, float]:
        await aurite.run_agent("A", "warm up")
        stopped = threading.Event()
        heart = asyncio.create_task(worst_lag(stopped))
        machine = asyncio.create_task(asyncio.to_thread(worst_lag_of_the_machine, stopped))
        runs = [aurite.run_agent("A", f"message {number}", session_id=f"run-{number}") for number in range(RUNS - 10)]
        flows = [aurite.run_linear_workflow("W", f"flow {number}", session_id=f"flow-{number}") for number in range(10)]
        answered, flowed = await asyncio.gather(asyncio.gather(*runs), asyncio.gather(*flows))
        stopped.set()
        assert {result.status for result in answered} == {"success"}
        assert {result.status for result in flowed} == {"completed"}
        return await heart, await machine

    lag, lag_of_the_machine = anywhere.alone(together)

    for number in range(RUNS - 10):
        documents = anywhere.documents(f"agent-run-{number}")
        assert [document["role"] for document in documents] == ["user", "assistant", "tool", "assistant"]
        assert documents[0]["content"] == f"message {number}"
        assert documents[2]["tool_call_id"] == documents[1]["tool_calls"][0]["id"]
        assert json.dumps(f"message {number}")[1:-1] in documents[3]["content"]
    for number in range(10):
        assert anywhere.documents(f"workflow-flow-{number}-0")[0]["content"] == f"flow {number}"
        first = anywhere.documents(f"workflow-flow-{number}-0")[-1]["content"]
        assert anywhere.documents(f"workflow-flow-{number}-1")[0]["content"] == first
    sessions = anywhere.open().sessions
    assert sessions.count(SessionFilter(status="completed")) == RUNS + 20 + 1
    assert lag < LONGEST_LAG + 10 * lag_of_the_machine
