"""What custom workflows run their steps with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from aurite.errors import UsageError
from aurite.model.jsontext import JsonValue
from aurite.model.records import SessionKind
from aurite.runtime.recorder import session_id_for
from aurite.runtime.results import AgentRunResult, WorkflowRunResult
from aurite.runtime.returned import json_value
from aurite.runtime.stream import Emit, events_of, put_away

if TYPE_CHECKING:
    from aurite.runtime.bridge import Bridge
    from aurite.runtime.results import Event
    from aurite.runtime.steps import Place, Steps
    from aurite.runtime.workflow_plan import Planner, StepPlan

_T = TypeVar("_T")


class Around(Protocol):
    """The run of the workflow whose steps these are."""

    @property
    def session_id(self) -> str | None: ...

    @property
    def steps(self) -> Steps: ...

    async def step(
        self, plan: StepPlan, value: JsonValue, place: Place, label: str, listener: Emit | None = None
    ) -> AgentRunResult | WorkflowRunResult: ...


class Executor:
    """Runs agents and workflows as steps of a custom workflow.

    Each step has a session of its own under that of the workflow. With the workflow's ``session_id``, or none, it is the next in
    number; with another id it has that one. Steps may run side by side; those that are still under way when the workflow
    returns are cancelled.
    """

    def __init__(self, around: Around, planner: Planner, bridge: Bridge) -> None:
        self._around = around
        self._planner = planner
        self._bridge = bridge
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run_agent(
        self, agent_name: str, user_message: str, system_prompt: str | None = None, session_id: str | None = None
    ) -> AgentRunResult:
        """The result of an agent.

        Raises:
            AuriteError: it cannot run, or failed; uncaught, it ends the workflow.
        """
        result = await self._step("agent", agent_name, user_message, session_id, system_prompt=system_prompt)
        return cast("AgentRunResult", result)

    async def stream_agent(
        self, agent_name: str, user_message: str, system_prompt: str | None = None, session_id: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of an agent as they happen. Raises: see :meth:`run_agent`."""
        events = events_of(
            lambda emit: self._step("agent", agent_name, user_message, session_id, system_prompt=system_prompt, listener=emit)
        )
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def run_linear_workflow(self, workflow_name: str, initial_input: Any, session_id: str | None = None) -> WorkflowRunResult:
        """The result of a linear workflow.

        Raises:
            AuriteError: it cannot run, or failed; uncaught, it ends the workflow.
        """
        return await self._workflow("linear_workflow", workflow_name, initial_input, session_id)

    async def run_graph_workflow(self, workflow_name: str, initial_input: Any, session_id: str | None = None) -> WorkflowRunResult:
        """The result of a graph workflow. Raises: see :meth:`run_linear_workflow`."""
        return await self._workflow("graph_workflow", workflow_name, initial_input, session_id)

    async def run_custom_workflow(self, workflow_name: str, initial_input: Any, session_id: str | None = None) -> WorkflowRunResult:
        """The result of another custom workflow. Raises: see :meth:`run_linear_workflow`."""
        return await self._workflow("custom_workflow", workflow_name, initial_input, session_id)

    async def close(self) -> None:
        """Cancel the steps that nobody waits for any more, and take no further ones."""
        self._closed = True
        await put_away(*self._under_way)

    async def _workflow(self, type_: str, name: str, value: Any, session_id: str | None) -> WorkflowRunResult:
        given = json_value(value, name)
        return cast("WorkflowRunResult", await self._step(type_, name, given, session_id))

    async def _step(
        self,
        type_: str,
        name: str,
        value: JsonValue,
        session_id: str | None,
        *,
        system_prompt: str | None = None,
        listener: Emit | None = None,
    ) -> AgentRunResult | WorkflowRunResult:
        if self._closed:
            raise UsageError(f"{name!r} cannot run: the workflow that asks for it has ended", next_step="Await each step.")
        label = str(len(self._around.steps.results))
        place = self._place("agent" if type_ == "agent" else "workflow", name, session_id, label)
        self._around.steps.begun(label, name, type_, None)
        plan = await self._bridge.call(self._planner.plan, type_, name, system_prompt=system_prompt)
        return await self._watched(self._around.step(plan, value, place, label, listener))

    async def _watched(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await task

    def _place(self, kind: SessionKind, name: str, session_id: str | None, label: str) -> Place:
        steps = self._around.steps
        if session_id is None or session_id == self._around.session_id:
            return steps.place(kind, name, label=label)
        return steps.place_at(session_id_for(session_id, kind), label=label)


AuriteEngine = Executor
"""The name by which modules written for 0.4 import it."""
