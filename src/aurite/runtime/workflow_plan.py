"""What a run of a workflow needs: its steps and theirs, all of them looked up and checked before anything is started or stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, cast

from aurite.errors import AmbiguousNameError, ComponentNotFoundError, InvalidComponentError
from aurite.model.kinds import kind_of
from aurite.model.validation import require_valid
from aurite.runtime.plan import Plan, make_plan

if TYPE_CHECKING:
    from aurite.config.manager import ConfigManager
    from aurite.model.kinds import custom_workflow as custom_kind
    from aurite.model.kinds import graph_workflow as graph_kind
    from aurite.model.kinds import linear_workflow as linear_kind
    from aurite.runtime.custom import BaseCustomWorkflow
    from aurite.settings import Settings

WORKFLOW_TYPES = ("linear_workflow", "graph_workflow", "custom_workflow")
RUNNABLE_TYPES = ("agent", *WORKFLOW_TYPES)
_DEEPEST = 30
"""Workflows inside each other. Components that name each other in a circle are refused before; a class can do it at every run."""


@dataclass(frozen=True, slots=True)
class LinearPlan:
    """A linear workflow, ready to run."""

    name: str
    include_history: bool | None
    steps: tuple[StepPlan, ...]
    type: str = "linear_workflow"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph."""

    node_id: str
    step: StepPlan
    before: tuple[str, ...]
    """The nodes whose outputs it is given, in the order of the graph's nodes."""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """A graph workflow, ready to run."""

    name: str
    include_history: bool | None
    nodes: tuple[Node, ...]
    ends: tuple[str, ...]
    """The nodes that no other one comes after."""
    type: str = "graph_workflow"


@dataclass(frozen=True, slots=True)
class CustomPlan:
    """A custom workflow, its class loaded."""

    name: str
    include_history: bool | None
    workflow: type[BaseCustomWorkflow]
    planner: Planner
    """Makes the plans of the steps that the class asks for while it runs."""
    type: str = "custom_workflow"


WorkflowPlan: TypeAlias = LinearPlan | GraphPlan | CustomPlan
StepPlan: TypeAlias = Plan | WorkflowPlan


def is_kept(plan: WorkflowPlan) -> bool:
    """Whether runs of a workflow are stored in a session."""
    return plan.include_history is not False


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans of agents and workflows, for one place in a tree of workflows."""

    config: ConfigManager
    settings: Settings
    include_history: bool | None = None
    """Of the workflow around it; holds where a component does not say otherwise."""
    within: tuple[tuple[str, str], ...] = ()
    """Type and name of the workflows around it, outermost first."""

    def plan(self, type_: str, name: str, *, system_prompt: str | None = None) -> StepPlan:
        """The plan of an agent or workflow.

        Raises:
            ComponentNotFoundError: it, or something that it names, is not there.
            AmbiguousNameError: a step is named without its type and fits several components.
            InvalidComponentError: a component does not fit its type, a workflow contains itself, or a class cannot be loaded.
            RunError: an agent among the steps cannot run; see :func:`aurite.runtime.plan.make_plan`.
        """
        if type_ == "agent":
            return make_plan(self.config, self.settings, name, system_prompt=system_prompt, include_history=self.include_history)
        return self.plan_workflow(type_, name)

    def plan_workflow(self, type_: str, name: str) -> WorkflowPlan:
        """The plan of a workflow. Raises: see :meth:`plan`."""
        document = self.config.require_config(type_, name)
        require_valid(type_, name, document)
        model = kind_of(type_).model.model_validate(document)
        match type_:
            case "linear_workflow":
                linear = cast("linear_kind.Model", model)
                inside = self._inside(type_, name, linear.include_history)
                return LinearPlan(name, inside.include_history, inside.steps(linear))
            case "graph_workflow":
                graph = cast("graph_kind.Model", model)
                inside = self._inside(type_, name, graph.include_history)
                return GraphPlan(name, inside.include_history, inside.nodes(graph), _ends(graph))
            case _:
                return self._custom(cast("custom_kind.Model", model))

    def steps(self, workflow: linear_kind.Model) -> tuple[StepPlan, ...]:
        """The plans of a linear workflow's steps, in their order."""
        named = [(None, step) if isinstance(step, str) else (step.type, step.name) for step in workflow.steps]
        return tuple(self.plan(type_ or self.type_of(name), name) for type_, name in named)

    def nodes(self, workflow: graph_kind.Model) -> tuple[Node, ...]:
        """The nodes of a graph, in the order in which they are written."""
        before: Mapping[str, set[str]] = {node.node_id: set() for node in workflow.nodes}
        for edge in workflow.edges:
            before[edge.target].add(edge.source)
        order = [node.node_id for node in workflow.nodes]
        return tuple(
            Node(
                node.node_id,
                self.plan(node.type, node.name),
                tuple(node_id for node_id in order if node_id in before[node.node_id]),
            )
            for node in workflow.nodes
        )

    def type_of(self, name: str, *, among: Sequence[str] = RUNNABLE_TYPES) -> str:
        """The type of the one agent or workflow of a name.

        Raises:
            ComponentNotFoundError, AmbiguousNameError.
        """
        found = [type_ for type_ in among if self.config.get_component(type_, name) is not None]
        if len(found) == 1:
            return found[0]
        where = f"{kind_of(self.within[-1][0]).label} {self.within[-1][1]!r} names " if self.within else ""
        if found:
            labels = " and ".join(kind_of(type_).label for type_ in found)
            raise AmbiguousNameError(
                f"{where}{name!r}, which is the name of several components: {labels}",
                next_step=f'Write the step as {{"name": ..., "type": "{found[0]}"}}.' if self.within else "Name its type.",
            )
        what = "agent or workflow" if "agent" in among else "workflow"
        raise ComponentNotFoundError(
            f"{where}{name!r}, and there is no {what} of that name" if where else f"there is no {what} {name!r}",
            next_step="See: aurite list",
        )

    def _custom(self, model: custom_kind.Model) -> CustomPlan:
        from aurite.runtime.project_code import load_class

        inside = self._inside(model.type, model.name, model.include_history)
        component = self.config.require_component(model.type, model.name)
        workflow = load_class(model, self.config.base_folder(component), self.settings)
        return CustomPlan(model.name, inside.include_history, workflow, inside)

    def _inside(self, type_: str, name: str, include_history: bool | None) -> Planner:
        """A planner for the steps of a workflow."""
        circle = type_ != "custom_workflow" and (type_, name) in self.within
        if circle or len(self.within) == _DEEPEST:
            chain = " -> ".join(repr(other) for _, other in (*self.within[-5:], (type_, name)))
            reason = "contains itself" if circle else f"is more than {_DEEPEST} workflows deep in others"
            raise InvalidComponentError(
                f"{kind_of(type_).label} {name!r} {reason}: {chain}", next_step="Take the step out of one of them."
            )
        kept = self.include_history if include_history is None else include_history
        return replace(self, include_history=kept, within=(*self.within, (type_, name)))


def _ends(workflow: graph_kind.Model) -> tuple[str, ...]:
    sources = {edge.source for edge in workflow.edges}
    return tuple(node.node_id for node in workflow.nodes if node.node_id not in sources)
