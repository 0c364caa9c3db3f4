"""Custom workflows: a Python class inside the project."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel


class Model(ComponentModel):
    """A custom workflow: the class that runs it."""

    type: Literal["custom_workflow"] = "custom_workflow"
    module_path: str = Field(
        min_length=1,
        description="File or dotted module of the class; relative to the folder of the `.aurite` that owns the component.",
    )
    class_name: str = Field(min_length=1, description="Name of the class, derived from BaseCustomWorkflow.")
    include_history: bool | None = Field(None, description="As for agents; holds for all steps that do not say otherwise.")
