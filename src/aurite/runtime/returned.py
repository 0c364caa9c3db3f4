"""What a class of a project gives back, as JSON."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from aurite.errors import InvalidValueError, RunError
from aurite.model.jsontext import JsonValue, check, decode
from aurite.runtime.results import AgentRunResult, WorkflowRunResult


def json_value(returned: Any, workflow: str) -> JsonValue:
    """The value: of an agent's result its text, of a workflow's its output, of dataclasses and pydantic models their fields.

    Raises:
        RunError: it cannot be written as JSON; the message says where.
    """
    try:
        return decode(check(_plain(returned), what="output"))
    except InvalidValueError as error:
        raise RunError(
            f"custom workflow {workflow!r} returned something that is not JSON: {error.message}", next_step="Correct the class."
        ) from error


def _plain(value: Any) -> Any:
    match value:
        case AgentRunResult():
            plain: Any = value.text
        case WorkflowRunResult():
            plain = value.final_output
        case dict():
            plain = {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            plain = [_plain(item) for item in value]
        case _ if hasattr(value, "model_dump"):
            plain = value.model_dump(mode="json")
        case _ if is_dataclass(value) and not isinstance(value, type):
            plain = _plain(asdict(value))
        case _:
            plain = value
    return plain
