"""The base class of custom workflows: workflows that are a Python class of the project."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurite.runtime.executor import Executor


class BaseCustomWorkflow(ABC):
    """A workflow in Python: derive from it, and name the class in a ``custom_workflow`` component.

    An object is made for each run, without arguments.
    """

    @abstractmethod
    async def run(self, initial_input: Any, executor: Executor, session_id: str | None = None) -> Any:
        """What the workflow makes of its input.

        Args:
            initial_input: what the run was started with.
            executor: runs agents and other workflows as steps of this one.
            session_id: id of the workflow's own session, to be handed to the executor; None where the run is not kept.

        Returns:
            JSON, or what can be written as JSON: a dataclass, a pydantic model, the result of a step (its text or output).
        """

    def get_input_type(self) -> Any:
        """What ``initial_input`` shall be. Where that is not text, a text that is JSON is read as such before the run."""
        return Any

    def get_output_type(self) -> Any:
        """What the run gives back; for people."""
        return Any
