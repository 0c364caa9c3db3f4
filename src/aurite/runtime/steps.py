"""The steps of one run of a workflow: under which ids they are kept, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType

from aurite.model.jsontext import JsonValue, encode
from aurite.model.messages import Document
from aurite.model.records import NewSession, SessionKind
from aurite.runtime.results import AgentRunResult, StepResult, WorkflowRunResult

Owner = tuple[str, str]
"""Kind and name of what a session belongs to."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in a tree of workflows."""

    session_id: str
    """The id of its session, whether or not it is kept."""
    base_session_id: str
    parent_session_id: str | None = None
    """The session of the workflow around it; None at the top, and where that one is not kept."""
    step: str | None = None
    """Which step it is, as events tell: ``0``, ``0.2``, or with a node's id; None at the top."""
    taken: Mapping[str, Owner] = field(default_factory=lambda: MappingProxyType({}))
    """To whom the sessions of earlier runs under the same base belong."""

    def session(self, kind: SessionKind, name: str) -> NewSession:
        return NewSession(
            self.session_id, kind, name, base_session_id=self.base_session_id, parent_session_id=self.parent_session_id
        )


class Steps:
    """What one run of a workflow has begun."""

    def __init__(self, place: Place, *, is_kept: bool) -> None:
        self._place = place
        self._is_kept = is_kept
        self._ids: set[str] = set()
        self._results: dict[str, StepResult] = {}

    @property
    def results(self) -> Mapping[str, StepResult]:
        """In the order in which they began, by label: the number of a step, or the id of a node."""
        return MappingProxyType(dict(self._results))

    def place(self, kind: SessionKind, name: str, *, label: str) -> Place:
        """Where the next step stands: in the first session that is not another one's, so that a workflow goes on in the
        sessions of its earlier runs also where its steps have changed.
        """
        for number in count():
            session_id = f"{self._place.session_id}-{number}"
            if session_id not in self._ids and self._place.taken.get(session_id, (kind, name)) == (kind, name):
                return self.place_at(session_id, label=label)
        raise AssertionError  # numbers never end

    def place_at(self, session_id: str, *, label: str) -> Place:
        """Where a step stands that brings its own session id."""
        self._ids.add(session_id)
        return replace(
            self._place,
            session_id=session_id,
            parent_session_id=self._place.session_id if self._is_kept else None,
            step=label if self._place.step is None else f"{self._place.step}.{label}",
        )

    def begun(self, label: str, name: str, type_: str, session_id: str | None) -> None:
        """Note that a step began."""
        self._results[label] = StepResult(name, type_, session_id, None)

    def done(self, label: str, result: AgentRunResult | WorkflowRunResult) -> None:
        """Note what a step gave back."""
        self._results[label] = replace(self._results[label], result=result)

    def document(self, type_: str, final_output: JsonValue) -> Document:
        """What the workflow's own session keeps of its run: which steps there were, not what they said."""
        if type_ == "graph_workflow":
            nodes: JsonValue = {
                label: {"name": step.name, "type": step.type, "session_id": step.session_id}
                for label, step in self._results.items()
            }
            return {"node_results": nodes, "final_output": final_output}
        steps: JsonValue = [step.reference() for step in self._results.values()]
        return {"step_results": steps, "final_output": final_output}


def as_text(value: JsonValue) -> str:
    """What an agent is told of a value: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else encode(value)
