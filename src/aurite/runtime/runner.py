"""Running agents and workflows: the entry from the Python face, the command line and the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aurite.errors import InvalidValueError, UsageError
from aurite.model.jsontext import check, decode
from aurite.model.records import NewSession, SessionFilter
from aurite.runtime.bridge import Bridge
from aurite.runtime.mcp import Connections
from aurite.runtime.models import Models
from aurite.runtime.plan import Plan, make_plan, servers_of
from aurite.runtime.recorder import Recorder, session_id_for
from aurite.runtime.results import AgentRunResult, Event, WorkflowRunResult
from aurite.runtime.steps import Place
from aurite.runtime.stream import Emit, events_of, put_away
from aurite.runtime.tools import Tools
from aurite.runtime.workflow_plan import WORKFLOW_TYPES, Planner, WorkflowPlan

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.usage import RunUsage

    from aurite.config.manager import ConfigManager
    from aurite.settings import Settings
    from aurite.storage.ports import SessionStore


class Runner:
    """Runs agents and workflows, and keeps their MCP servers and connections in between. Belongs to the event loop that first
    uses it.
    """

    def __init__(self, config: ConfigManager, sessions: SessionStore, settings: Settings) -> None:
        self._config = config
        self._sessions = sessions
        self._settings = settings
        self._bridge = Bridge()
        self._connections = Connections()
        self._models = Models(self._bridge)
        self.tools = Tools(config, settings, self._connections, self._bridge)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Runner:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the MCP servers, close the connections and wait for the store; calling it twice is fine."""
        await self._connections.close()
        await self._models.close()
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
        self,
        agent_name: str,
        user_message: str,
        *,
        system_prompt: str | None = None,
        session_id: str | None = None,
        shows_history: bool = False,
    ) -> AsyncGenerator[Event, None]:
        """The events of one run as they happen, see ``runtime/results.py``.

        Ends after ``llm_response_stop``. Whoever stops listening (``aclose``, a cancelled task) cancels the run.

        Args:
            agent_name, user_message, system_prompt, session_id: see :meth:`run_agent`.
            shows_history: the model sees the session so far where the agent does not say whether it does (``include_history``).

        Raises:
            What :meth:`run_agent` raises; after an ``error`` event where the run had begun.
        """
        run = partial(self._run, agent_name, user_message, system_prompt, session_id, shows_history=shows_history)
        async with aclosing(events_of(run)) as events:
            async for event in events:
                yield event

    async def plan_agent(self, agent_name: str, *, system_prompt: str | None = None) -> Plan:
        """What a run of an agent would work with; nothing is started or stored.

        Raises:
            What :meth:`run_agent` raises about the configuration.
        """
        return await self._bridge.call(make_plan, self._config, self._settings, agent_name, system_prompt=system_prompt)

    async def run_workflow(
        self, workflow_name: str, initial_input: Any, *, type: str | None = None, session_id: str | None = None
    ) -> WorkflowRunResult:
        """The result of one run of a workflow, after all of it was stored; of a failed one with the steps until then.

        Args:
            workflow_name: which workflow.
            initial_input: any JSON value; agents are told what is not text as JSON.
            type: ``linear_workflow``, ``graph_workflow`` or ``custom_workflow``; needed where several share the name.
            session_id: the session to go on with, or to make under this id; ``workflow-`` is put before it where it is not there.
                Step k is kept in the session with ``-k`` behind it.

        Raises:
            ComponentNotFoundError, AmbiguousNameError, InvalidComponentError: the configuration does not add up, that of the steps
                included; no session was made.
            MissingKeyError, UnknownProviderError, McpServerError: the same.
            SessionExistsError: the session belongs to another agent or workflow.
            StorageError: the store failed.
        """
        return await self._run_workflow(workflow_name, initial_input, type, session_id, None)

    async def stream_workflow(
        self, workflow_name: str, initial_input: Any, *, type: str | None = None, session_id: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of one run of a workflow as they happen, those of its agents marked with their ``step``.

        Ends after ``workflow_stop``. Whoever stops listening cancels the run. Raises: see :meth:`run_workflow`.
        """
        async with aclosing(events_of(partial(self._run_workflow, workflow_name, initial_input, type, session_id))) as events:
            async for event in events:
                yield event

    async def _run(
        self,
        agent_name: str,
        user_message: str,
        system_prompt: str | None,
        session_id: str | None,
        emit: Emit | None,
        *,
        shows_history: bool = False,
    ) -> AgentRunResult:
        self._claim_loop()
        if not isinstance(user_message, str):
            raise InvalidValueError(f"a message to an agent is text, not a Python {type(user_message).__name__}")
        given = session_id_for(session_id)
        plan = await self.plan_agent(agent_name, system_prompt=system_prompt)
        if shows_history and plan.include_history is None:
            plan = replace(plan, include_history=True)
        session = NewSession(given, "agent", plan.name) if plan.is_kept else None
        return await self._run_planned(plan, session, user_message, emit)

    async def _run_planned(self, plan: Plan, session: NewSession | None, message: str, emit: Emit | None) -> AgentRunResult:
        model = asyncio.create_task(self._models.of(plan.llm))
        try:
            spent = None
            if plan.choices:
                plan, spent = await self._with_picked_servers(plan, await model, message)
            failures = list(plan.failures)
            tolerated = failures if plan.goes_on_without_servers else None
            async with self._connections.use(plan.servers, failures=tolerated) as connected:
                built = await model
                from aurite.runtime.conversation import Conversation
                from aurite.runtime.toolset import McpToolset

                goes_on = plan.goes_on_without_servers
                toolset = McpToolset(self._connections, connected, plan.agent.exclude_components, goes_on_without_servers=goes_on)
                recorder = Recorder(self._sessions, self._bridge, session, provider=plan.llm.native_provider)
                conversation = Conversation(plan, built, toolset, recorder, emit, failures=failures, spent=spent)
                return await conversation.run(message)
        finally:
            await put_away(model)

    async def _with_picked_servers(self, plan: Plan, model: Model, message: str) -> tuple[Plan, RunUsage]:
        from aurite.runtime.picking import pick_servers

        names, spent = await pick_servers(plan, model, message)
        servers, failures = await self._bridge.call(servers_of, self._config, self._settings, plan.agent, names)
        return replace(plan, servers=(*plan.servers, *servers), failures=(*plan.failures, *failures)), spent

    async def _run_workflow(
        self, name: str, initial_input: Any, type_: str | None, session_id: str | None, emit: Emit | None
    ) -> WorkflowRunResult:
        self._claim_loop()
        from aurite.runtime.workflow import Means, WorkflowRun

        value = decode(check(initial_input, what="initial input"))
        place = await self._bridge.call(self._place, session_id)
        plan = await self._bridge.call(self._plan_workflow, type_, name)
        means = Means(self._run_planned, self._sessions, self._bridge)
        return await WorkflowRun(means, plan, place, emit).run(value)

    def _plan_workflow(self, type_: str | None, name: str) -> WorkflowPlan:
        planner = Planner(self._config, self._settings)
        if type_ is None:
            return planner.plan_workflow(planner.type_of(name, among=WORKFLOW_TYPES), name)
        if type_ not in WORKFLOW_TYPES:
            raise UsageError(f"{type_!r} is no type of workflow", next_step=f"The types are: {', '.join(WORKFLOW_TYPES)}")
        return planner.plan_workflow(type_, name)

    def _place(self, given: str | None) -> Place:
        session_id = session_id_for(given, "workflow")
        if given is None:
            return Place(session_id, session_id)
        earlier = self._sessions.iterate(SessionFilter(base_session_id=session_id))
        taken = {session.session_id: (session.kind, session.name) for session in earlier}
        return Place(session_id, session_id, taken=MappingProxyType(taken))

    def _claim_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise UsageError("this runner belongs to another event loop", next_step="Make one Aurite per event loop.")
