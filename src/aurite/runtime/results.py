"""What a run gives back, and the events it sends on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from aurite.model.jsontext import JsonValue
from aurite.model.messages import Document

AgentStatus = Literal["success", "error", "max_iterations_reached"]

Event: TypeAlias = dict[str, JsonValue]
"""``{"type": ..., "data": {...}}``; the types are those of the functions below."""


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


def session_info(session_id: str | None) -> Event:
    return _event("session_info", session_id=session_id)


def llm_response_start() -> Event:
    """The model begins to answer; once per request to it."""
    return _event("llm_response_start")


def llm_response(content: str) -> Event:
    """A further piece of the answer's text."""
    return _event("llm_response", content=content)


def tool_call(name: str, arguments: JsonValue) -> Event:
    return _event("tool_call", name=name, input=arguments)


def tool_output(name: str, output: str) -> Event:
    return _event("tool_output", name=name, output=output)


def llm_response_stop(status: AgentStatus, reason: str) -> Event:
    """The run is over."""
    return _event("llm_response_stop", status=status, reason=reason)


def error(message: str) -> Event:
    return _event("error", message=message)


def _event(type_: str, **data: JsonValue) -> Event:
    return {"type": type_, "data": data}
