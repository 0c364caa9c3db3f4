"""What a runner is to its caller: one event loop's, and closed as often as one likes."""

from __future__ import annotations

import asyncio

import pytest

from aurite.errors import UsageError
from aurite.runtime.runner import Runner
from tests.runtime.conftest import Project


def runner_of(project: Project) -> Runner:
    project.has("agent", "A", llm_config_id="offline")
    return Runner(project.aurite.config, project.aurite.sessions, project.aurite.settings)


def test_a_runner_belongs_to_one_event_loop(project: Project) -> None:
    runner = runner_of(project)
    asyncio.run(runner.run_agent("A", "hi"))
    with pytest.raises(UsageError, match="another event loop"):
        asyncio.run(runner.run_agent("A", "hi"))
    asyncio.run(runner.close())


def test_closing_twice_is_fine(project: Project) -> None:
    async def inside() -> None:
        async with runner_of(project) as runner:
            assert (await runner.run_agent("A", "hi")).text.startswith("This is the offline model 'echo'")
            await runner.close()

    asyncio.run(inside())


def test_runs_side_by_side_keep_their_sessions_apart(project: Project) -> None:
    async def inside() -> None:
        async with runner_of(project) as runner:
            await asyncio.gather(*(runner.run_agent("A", f"message {number}", session_id=str(number)) for number in range(8)))

    asyncio.run(inside())
    for number in range(8):
        assert project.documents(f"agent-{number}")[0]["content"] == f"message {number}"
        assert project.roles(f"agent-{number}") == ["user", "assistant"]


def test_eight_runs_at_once_in_one_session_lose_nothing(project: Project) -> None:
    async def inside() -> None:
        async with runner_of(project) as runner:
            await asyncio.gather(*(runner.run_agent("A", f"message {number}", session_id="shared") for number in range(8)))

    asyncio.run(inside())
    said = {document["content"] for document in project.documents("agent-shared") if document["role"] == "user"}
    assert said == {f"message {number}" for number in range(8)}
    assert len(project.documents("agent-shared")) == 16
    assert project.run_status("agent-shared") == ["completed"] * 8
