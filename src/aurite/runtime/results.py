"""What a run gives back, and the events it sends on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aurite.model.jsontext import JsonValue
from aurite.model.messages import Document

AgentStatus = Literal["success", "error", "max_iterations_reached"]
WorkflowStatus = Literal["completed", "failed"]

Event: TypeAlias = dict[str, JsonValue]
"""``{"type": ..., "data": {...}}``; the types are those of the functions below. Inside a workflow with ``"step"``: which one."""


@dataclass(frozen=True, slots=True)
class AgentRunResult:
    """How one run of an agent ended."""

    agent_name: str
    status: AgentStatus
    final_response: Document | None
    """The assistant's last message; None where it said nothing."""
    conversation_history: tuple[Document, ...]
    """The messages that the model saw and wrote, oldest first, its system prompt before them, as in 0.4."""
    session_id: str | None
    """None where the run is not kept."""
    error_message: str | None = None

    @property
    def text(self) -> str:
        """The text of the final response; empty where there is none."""
        content = (self.final_response or {}).get("content")
        return content if isinstance(content, str) else ""

    @property
    def message_content(self) -> str:
        """The same, as custom workflows written for 0.4 ask for it."""
        return self.text

    @property
    def primary_text(self) -> str:
        """The same, by its older name."""
        return self.text

    def to_dict(self) -> Document:
        """The document that clients of 0.4 know."""
        return {
            "status": self.status,
            "final_response": self.final_response,
            "conversation_history": list(self.conversation_history),
            "error_message": self.error_message,
            "session_id": self.session_id,
            "agent_name": self.agent_name,
        }


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one step of a workflow."""

    name: str
    type: str
    """The type of its component."""
    session_id: str | None
    """None where the step is not kept."""
    result: AgentRunResult | WorkflowRunResult | None
    """None where it was cancelled."""

    def reference(self) -> Document:
        """What a workflow's session remembers of it: the messages are in the step's own session."""
        return {"step_name": self.name, "step_type": self.type, "session_id": self.session_id}


@dataclass(frozen=True, slots=True)
class WorkflowRunResult:
    """How one run of a workflow ended, with all steps that were begun."""

    workflow_name: str
    workflow_type: str
    status: WorkflowStatus
    steps: Mapping[str, StepResult]
    """In a graph by node id, else by number, in the order in which they began."""
    final_output: JsonValue
    """What the last step or the class gave back; of a graph with several ends an object by node id. None where it failed."""
    session_id: str | None
    """None where the run is not kept."""
    error: str | None = None

    def to_dict(self) -> Document:
        """The document that clients of 0.4 know."""
        return {
            "workflow_name": self.workflow_name,
            "status": self.status,
            **self._step_documents(),
            "final_output": self.final_output,
            "error": self.error,
            "session_id": self.session_id,
        }

    def _step_documents(self) -> Document:
        results = {key: None if step.result is None else step.result.to_dict() for key, step in self.steps.items()}
        if self.workflow_type == "graph_workflow":
            return {
                "node_results": {
                    key: {"name": step.name, "type": step.type, "result": results[key]} for key, step in self.steps.items()
                }
            }
        return {
            "step_results": [
                {"step_name": step.name, "step_type": step.type, "result": results[key]} for key, step in self.steps.items()
            ]
        }


def session_info(session_id: str | None) -> Event:
    return _event("session_info", session_id=session_id)


def llm_response_start() -> Event:
    """The model begins to answer; once per request to it."""
    return _event("llm_response_start")


def llm_response(content: str) -> Event:
    """A further piece of the answer's text."""
    return _event("llm_response", content=content)


def server_failed(message: str) -> Event:
    """An MCP server did not start, and the run goes on without its tools."""
    return _event("server_failed", message=message)


def tool_call(name: str, arguments: JsonValue) -> Event:
    return _event("tool_call", name=name, input=arguments)


def tool_output(name: str, output: str) -> Event:
    return _event("tool_output", name=name, output=output)


def llm_response_stop(status: AgentStatus, reason: str) -> Event:
    """The run is over."""
    return _event("llm_response_stop", status=status, reason=reason)


def step_start(name: str, type_: str, session_id: str | None) -> Event:
    """A step of a workflow begins; its own events follow, marked with it."""
    return _event("step_start", name=name, type=type_, session_id=session_id)


def step_stop(name: str, output: JsonValue) -> Event:
    """A step of a workflow is done."""
    return _event("step_stop", name=name, output=output)


def workflow_stop(status: WorkflowStatus, final_output: JsonValue, error: str | None) -> Event:
    """The workflow is over."""
    return _event("workflow_stop", status=status, final_output=final_output, error=error)


def error(message: str) -> Event:
    return _event("error", message=message)


def _event(type_: str, **data: JsonValue) -> Event:
    return {"type": type_, "data": data}
