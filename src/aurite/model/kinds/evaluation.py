"""Evaluations: what components are expected to answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel, Name, Part


class TestCase(Part):
    """One input, and what the answer must do."""

    name: str | None = None
    input: Any = Field(description="What the component is given.")
    expectations: list[str] = Field(default_factory=list, description="What the answer must do, in words.")


class Model(ComponentModel):
    """An evaluation of one or several components."""

    type: Literal["evaluation"] = "evaluation"
    component_type: str | None = Field(None, description="Type of the components to evaluate.")
    component_refs: list[Name] = Field(default_factory=list, description="Names of the components to evaluate.")
    test_cases: list[TestCase] = Field(default_factory=list, description="What they are given, and what is expected.")
