"""Running agents: the entry from the Python face, the command line and the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aurite.errors import UsageError
from aurite.model.records import NewSession
from aurite.runtime.bridge import Bridge
from aurite.runtime.mcp import Connections
from aurite.runtime.plan import Plan, make_plan
from aurite.runtime.recorder import Recorder, session_id_for
from aurite.runtime.results import AgentRunResult, Event

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aurite.config.manager import ConfigManager
    from aurite.runtime.conversation import Emit
    from aurite.settings import Settings
    from aurite.storage.ports import SessionStore


class Runner:
    """Runs agents and keeps their MCP servers running in between. Belongs to the event loop that first uses it."""

    def __init__(self, config: ConfigManager, sessions: SessionStore, settings: Settings) -> None:
        self._config = config
        self._sessions = sessions
        self._settings = settings
        self._bridge = Bridge()
        self._connections = Connections()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Runner:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the MCP servers and wait for the store; calling it twice is fine."""
        await self._connections.close()
        self._bridge.close()

    async def run_agent(
        self, agent_name: str, user_message: str, *, system_prompt: str | None = None, session_id: str | None = None
    ) -> AgentRunResult:
        """The result of one run, after all of it was stored.

        Args:
            agent_name: which agent.
            user_message: what it is asked.
            system_prompt: instead of the agent's own.
            session_id: the session to go on with, or to make under this id; ``agent-`` is put before it where it is not there.

        Raises:
            ComponentNotFoundError, InvalidComponentError: the configuration does not add up; no session was made.
            MissingKeyError, UnknownProviderError, MissingExtraError, McpServerError: the same.
            SessionExistsError: the session belongs to another agent or workflow.
            ModelError: the provider failed; the session holds what was said until then.
        """
        return await self._run(agent_name, user_message, system_prompt, session_id, None)

    async def stream_agent(
        self, agent_name: str, user_message: str, *, system_prompt: str | None = None, session_id: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of one run as they happen, see ``runtime/results.py``.

        Ends after ``llm_response_stop``. Whoever stops listening (``aclose``, a cancelled task) cancels the run.

        Raises:
            What :meth:`run_agent` raises; after an ``error`` event where the run had begun.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        run = asyncio.create_task(self._run(agent_name, user_message, system_prompt, session_id, events.put_nowait))
        run.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await run
        finally:
            await _put_away(run)

    async def _run(
        self, agent_name: str, user_message: str, system_prompt: str | None, session_id: str | None, emit: Emit | None
    ) -> AgentRunResult:
        self._claim_loop()
        plan = await self._bridge.call(make_plan, self._config, self._settings, agent_name, system_prompt)
        session = _session(plan, session_id)
        model = asyncio.create_task(self._bridge.call(_build_model, plan))
        try:
            async with self._connections.use(plan.servers) as connected:
                from aurite.runtime.conversation import Conversation
                from aurite.runtime.toolset import McpToolset

                built = await model
                toolset = McpToolset(self._connections, connected, plan.agent.exclude_components)
                recorder = Recorder(self._sessions, self._bridge, session, provider=plan.llm.native_provider)
                return await Conversation(plan, built, toolset, recorder, emit).run(user_message)
        finally:
            await _put_away(model)

    def _claim_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise UsageError("this runner belongs to another event loop", next_step="Make one Aurite per event loop.")


def _session(plan: Plan, session_id: str | None) -> NewSession | None:
    given = session_id_for(session_id)
    return NewSession(given, "agent", plan.agent.name) if plan.is_kept else None


async def _put_away(task: asyncio.Task[Any]) -> None:
    """End a task whose outcome is not needed, or was seen already."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


def _build_model(plan: Plan) -> Model:
    import_module("aurite.runtime.conversation")  # a second, spent while the servers start
    from pydantic_ai.exceptions import UserError

    from aurite.runtime.failures import run_error

    try:
        return plan.llm.build()
    except UserError as error:
        failure = run_error(error, plan.llm)
        raise failure from failure.__cause__
