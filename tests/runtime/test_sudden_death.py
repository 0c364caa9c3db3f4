"""A run that is killed leaves exactly the messages that were complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tests.runtime.conftest import Project
from tests.runtime.provider import Answer, Provider

PROGRAM = """
import asyncio
import sys
from aurite.app import Aurite

async def main():
    async with Aurite(sys.argv[1]) as aurite:
        async for _ in aurite.stream_agent("A", "go", session_id="x"):
            pass

asyncio.run(main())
"""


def killed_when(project: Project, wanted: list[str]) -> list[str]:
    """The roles that are stored after a run in a process of its own was killed at the moment when the wanted ones were."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(project.folder)])
    deadline = time.monotonic() + 60
    while project.roles("agent-x") != wanted:
        assert program.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline, f"stored: {project.roles('agent-x')}"
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(program.pid, signal.SIGKILL)
    program.wait(10)
    return project.roles("agent-x")


def test_killed_while_the_second_tool_works(project: Project, provider: Provider) -> None:
    project.has("agent", "A", llm_config_id="http", mcp_servers=["weather"])
    (project.folder / ".env").write_text("CLOCK_SECONDS=10\n")
    provider.says(
        Answer("I will look.", calls=[("weather-current_time", {"timezone": "UTC"}), ("weather-weather_lookup", {"city": "Rome"})])
    )
    left = killed_when(project, ["user", "assistant", "tool"])
    assert left == ["user", "assistant", "tool"]
    assert project.documents("agent-x")[-1]["content"] == "Weather in Rome: 21 degrees celsius"
    assert project.run_status("agent-x") == ["interrupted"]


def test_killed_in_mid_sentence_and_resumed(project: Project, provider: Provider) -> None:
    project.has("agent", "A", llm_config_id="http", include_history=True)
    provider.says(Answer("one two three four", stops_after=2))
    assert killed_when(project, ["user"]) == ["user"]
    provider.says("Here I am again.")
    result = project.run("A", "still there?", session_id="x")
    assert result["status"] == "success"
    assert project.roles("agent-x") == ["user", "user", "assistant"]
    assert project.run_status("agent-x") == ["interrupted", "completed"]
