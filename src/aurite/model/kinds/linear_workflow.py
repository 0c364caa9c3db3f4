"""Linear workflows: steps one after the other, each fed with the output of the one before."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel, Name, Part


class Step(Part):
    """One step, by name and type."""

    name: Name
    type: Literal["agent", "linear_workflow", "graph_workflow", "custom_workflow"] | None = None


class Model(ComponentModel):
    """A linear workflow."""

    type: Literal["linear_workflow"] = "linear_workflow"
    steps: list[Name | Step] = Field(description="Agents or workflows in order: names, or objects with name and type.")
    include_history: bool | None = Field(None, description="As for agents; holds for all steps that do not say otherwise.")
