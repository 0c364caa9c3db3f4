"""A project in SQLite mode with a real MCP server, and a provider over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aurite.app import Aurite
from aurite.model.records import Message
from aurite.storage.postgres.target import PostgresTarget
from tests.runtime.provider import Provider

SERVERS = Path(__file__).parent / "servers"
KEY = "sk-very-secret-0123456789-abcdefXYZW"

_T = TypeVar("_T")


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.01)


class Project:
    """What the tests of running need of a project: its components, what was stored, and ways to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: list[Aurite] = []
        self.aurite = self.open()

    def open(self) -> Aurite:
        """Another look at the project, as a process of its own would have it."""
        aurite = Aurite(self.folder, home=self.folder)
        self._open.append(aurite)
        return aurite

    def close(self) -> None:
        for aurite in self._open:
            aurite.close()

    def has(self, type_: str, name: str, **fields: Any) -> None:
        """Put a component into the store, in place of one that is there."""
        self.aurite.config.put_components([{"type": type_, "name": name, **fields}])

    def run(self, agent: str, message: str, **options: Any) -> dict[str, Any]:
        """The run result of an agent, from a runner of its own."""

        async def run(aurite: Aurite) -> dict[str, Any]:
            return (await aurite.run_agent(agent, message, **options)).to_dict()

        return self.alone(run)

    def stream(self, agent: str, message: str, **options: Any) -> list[dict[str, Any]]:
        """All events of a run, from a runner of its own."""

        async def listen(aurite: Aurite) -> list[dict[str, Any]]:
            return [event async for event in aurite.stream_agent(agent, message, **options)]

        return self.alone(listen)

    def alone(self, work: Callable[[Aurite], Coroutine[Any, Any, _T]]) -> _T:
        """What the work returns, in an event loop of its own."""

        async def inside() -> _T:
            async with self.open() as aurite:
                return await work(aurite)

        return asyncio.run(inside())

    def messages(self, session_id: str) -> list[Message]:
        return self.aurite.sessions.messages(session_id)

    def documents(self, session_id: str) -> list[dict[str, Any]]:
        """The stored messages as documents, oldest first."""
        return [json.loads(message.document) for message in self.messages(session_id)]

    def roles(self, session_id: str) -> list[str]:
        return [message.role for message in self.messages(session_id)]

    def run_status(self, session_id: str) -> list[str]:
        return [run.status for run in self.aurite.sessions.runs(session_id)]


@pytest.fixture(params=["files", "sqlite", "postgresql"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where components and sessions are kept, one after the other; the environment says so already."""
    mode: str = request.param
    if mode == "files":
        return mode
    monkeypatch.setenv("AURITE_ENABLE_DB", "true")
    monkeypatch.setenv("AURITE_DB_TYPE", mode)
    if mode == "postgresql":
        target: PostgresTarget = request.getfixturevalue("postgres")
        known = {"HOST": target.host, "PORT": str(target.port), "USER": target.user, "NAME": target.dbname}
        for name, value in known.items():
            monkeypatch.setenv(f"AURITE_DB_{name}", value)
        if target.password is not None:
            monkeypatch.setenv("AURITE_DB_PASSWORD", target.password.reveal())
    return mode


@pytest.fixture
def anywhere(mode: str, tmp_path: Path) -> Iterator[Project]:
    """An empty project in each mode."""
    (tmp_path / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')
    (tmp_path / "config").mkdir()
    made = Project(tmp_path)
    yield made
    made.close()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that no project knows yet."""
    monkeypatch.setenv("TEST_KEY", KEY)
    with Provider() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("AURITE_ENABLE_DB", "true")
    (tmp_path / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')
    made = Project(tmp_path)
    made.has("llm", "offline", provider="offline", model="echo")
    made.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"))
    yield made
    made.close()


@pytest.fixture
def provider(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that the llm ``http`` of the project asks, with a key."""
    monkeypatch.setenv("TEST_KEY", KEY)
    with Provider() as server:
        project.has(
            "llm", "http", provider="openai", model="gpt-test", api_base=server.base, api_key_env_var="TEST_KEY", max_retries=0
        )
        yield server
