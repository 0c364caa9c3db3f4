"""Running workflows: steps one after the other, a graph side by side, or a class of the project; each run is a session."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aurite.errors import AuriteError, InvalidValueError, RunError
from aurite.model.jsontext import JsonValue, decode
from aurite.model.kinds import kind_of
from aurite.model.records import NewSession
from aurite.runtime import results
from aurite.runtime.bridge import Bridge
from aurite.runtime.executor import Executor
from aurite.runtime.plan import Plan
from aurite.runtime.project_code import TheirCode
from aurite.runtime.recorder import Recorder
from aurite.runtime.results import AgentRunResult, Event, WorkflowRunResult
from aurite.runtime.returned import json_value
from aurite.runtime.steps import Place, Steps, as_text
from aurite.runtime.stream import Emit, put_away
from aurite.runtime.workflow_plan import CustomPlan, GraphPlan, LinearPlan, Node, StepPlan, WorkflowPlan, is_kept
from aurite.storage.ports import SessionStore


class RunAgent(Protocol):
    """Runs an agent that has been planned already."""

    async def __call__(self, plan: Plan, session: NewSession | None, message: str, emit: Emit | None) -> AgentRunResult: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What runs of workflows are made with."""

    run_agent: RunAgent
    sessions: SessionStore
    bridge: Bridge


class WorkflowRun:
    """One run of one workflow."""

    def __init__(self, means: Means, plan: WorkflowPlan, place: Place, emit: Emit | None) -> None:
        self._means = means
        self._plan = plan
        self._place = place
        self._emit = emit
        self._session = place.session("workflow", plan.name) if is_kept(plan) else None
        self._recorder = Recorder(means.sessions, means.bridge, self._session)
        self.steps = Steps(place, is_kept=self._session is not None)

    @property
    def session_id(self) -> str | None:
        """None where the run is not kept."""
        return self._recorder.session_id

    async def run(self, value: JsonValue) -> WorkflowRunResult:
        """The result, once all of it is stored; where a step failed, with what was done until then.

        Raises:
            SessionExistsError: the session belongs to another agent or workflow.
            StorageError: the store failed.
        """
        output: JsonValue = None
        error: str | None = None
        async with self._recorder.running([]):
            if self._place.step is None:
                self._tell(results.session_info(self.session_id))
            try:
                output = await self._carried_out(value)
            except AuriteError as failure:
                error = str(failure)
                self._recorder.ended("failed", error=error)
            finally:
                self._recorder.returned(self.steps.document(self._plan.type, output))
        status: results.WorkflowStatus = "completed" if error is None else "failed"
        if self._place.step is None:
            self._tell(results.workflow_stop(status, output, error))
        return WorkflowRunResult(self._plan.name, self._plan.type, status, self.steps.results, output, self.session_id, error)

    async def step(
        self, plan: StepPlan, value: JsonValue, place: Place, label: str, listener: Emit | None = None
    ) -> AgentRunResult | WorkflowRunResult:
        """The result of one step, stored and noted.

        Args:
            plan: of the step.
            value: its input.
            place: where its session stands.
            label: under which its result is noted.
            listener: hears of the events of an agent, besides whoever listens to the workflow.

        Raises:
            AuriteError: the step failed; that is noted too.
        """
        if not isinstance(plan, Plan):
            session_id = place.session_id if is_kept(plan) else None
            self.steps.begun(label, plan.name, plan.type, session_id)
            _tell(self._emit_of(place), results.step_start(plan.name, plan.type, session_id))
            result: AgentRunResult | WorkflowRunResult = await WorkflowRun(self._means, plan, place, self._emit).run(value)
            self.steps.done(label, result)
        else:
            result = await self._agent(plan, as_text(value), place, label, listener)
        _tell(self._emit_of(place), results.step_stop(plan.name, output_of(result)))
        return result

    async def _agent(self, plan: Plan, message: str, place: Place, label: str, listener: Emit | None) -> AgentRunResult:
        session = place.session("agent", plan.name) if plan.is_kept else None
        session_id = session.session_id if session else None
        self.steps.begun(label, plan.name, "agent", session_id)
        _tell(self._emit_of(place), results.step_start(plan.name, "agent", session_id))
        try:
            result = await self._means.run_agent(plan, session, message, _both(self._emit_of(place), listener))
        except AuriteError as error:
            failed = AgentRunResult(plan.name, "error", None, (), session_id, error_message=str(error))
            self.steps.done(label, failed)
            raise
        self.steps.done(label, result)
        return result

    async def _carried_out(self, value: JsonValue) -> JsonValue:
        match self._plan:
            case LinearPlan(steps=steps):
                return await self._one_after_the_other(steps, value)
            case GraphPlan():
                return await self._side_by_side(self._plan, value)
            case CustomPlan():
                return await self._by_the_class(self._plan, value)

    async def _one_after_the_other(self, steps: tuple[StepPlan, ...], value: JsonValue) -> JsonValue:
        for number, step in enumerate(steps):
            value = await self._output(step, value, self._place_of(step, str(number)), str(number))
        return value

    async def _side_by_side(self, plan: GraphPlan, value: JsonValue) -> JsonValue:
        places = {node.node_id: self._place_of(node.step, node.node_id) for node in plan.nodes}
        outputs: dict[str, JsonValue] = {}
        waiting = list(plan.nodes)
        running: dict[asyncio.Task[JsonValue], str] = {}
        try:
            while waiting or running:
                for node in [node for node in waiting if all(before in outputs for before in node.before)]:
                    waiting.remove(node)
                    given = _joined(node, outputs, value)
                    task = asyncio.create_task(self._output(node.step, given, places[node.node_id], node.node_id))
                    running[task] = node.node_id
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    outputs[running[task]] = task.result()
                    del running[task]
        finally:
            await put_away(*running)
        if len(plan.ends) == 1:
            return outputs[plan.ends[0]]
        return {node_id: outputs[node_id] for node_id in plan.ends}

    async def _by_the_class(self, plan: CustomPlan, value: JsonValue) -> JsonValue:
        environment = plan.planner.settings.environment
        executor = Executor(self, plan.planner, self._means.bridge)
        try:
            with TheirCode(plan.name, "failed", environment):
                workflow = plan.workflow()
                given = _as_wanted(value, workflow.get_input_type())
                returned: Any = workflow.run(initial_input=given, executor=executor, session_id=self.session_id)
                if inspect.isawaitable(returned):
                    returned = await returned
        finally:
            await executor.close()
        return json_value(returned, plan.name)

    def _place_of(self, step: StepPlan, label: str) -> Place:
        return self.steps.place("agent" if isinstance(step, Plan) else "workflow", step.name, label=label)

    async def _output(self, plan: StepPlan, value: JsonValue, place: Place, label: str) -> JsonValue:
        """What a step hands on; an error says which step it was."""
        try:
            return output_of(await self.step(plan, value, place, label))
        except AuriteError as error:
            kind = kind_of("agent" if isinstance(plan, Plan) else plan.type).label
            where = "node" if isinstance(self._plan, GraphPlan) else "step"
            raise RunError(f"{where} {label} ({kind} {plan.name!r}) failed: {error.message}", next_step=error.next_step) from error

    def _emit_of(self, place: Place) -> Emit | None:
        """Where the events of a step go: marked with it, and without those that only open a stream."""
        emit = self._emit
        if emit is None:
            return None

        def marked(event: Event) -> None:
            if event["type"] != "session_info":
                emit({**event, "step": place.step})

        return marked

    def _tell(self, event: Event) -> None:
        _tell(self._emit, event)


def output_of(result: AgentRunResult | WorkflowRunResult) -> JsonValue:
    """What a step hands on.

    Raises:
        RunError: it did not come to its proper end.
    """
    if isinstance(result, AgentRunResult):
        if result.status != "success":
            raise RunError(result.error_message or f"it ended with status {result.status}")
        return result.text
    if result.status != "completed":
        raise RunError(result.error or "it failed")
    return result.final_output


def _joined(node: Node, outputs: Mapping[str, JsonValue], initial: JsonValue) -> JsonValue:
    """The input of a node: that of the graph, the output of the node before it as it is, or of all before it, a line each."""
    if not node.before:
        return initial
    if len(node.before) == 1:
        return outputs[node.before[0]]
    return "\n".join(as_text(outputs[before]) for before in node.before)


def _as_wanted(value: JsonValue, wanted: Any) -> JsonValue:
    """The input of a class that does not want text, where it was given as text, as on a command line."""
    if not isinstance(value, str) or wanted in (str, Any, None):
        return value
    try:
        return decode(value)
    except InvalidValueError:
        return value


def _both(one: Emit | None, other: Emit | None) -> Emit | None:
    if one is None or other is None:
        return one or other

    def emit(event: Event) -> None:
        one(event)
        other(event)

    return emit


def _tell(emit: Emit | None, event: Event) -> None:
    if emit is not None:
        emit(event)
