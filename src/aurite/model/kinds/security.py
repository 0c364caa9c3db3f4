"""Security settings: how components are assessed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel


class Model(ComponentModel):
    """A named set of security settings."""

    type: Literal["security"] = "security"
    config_dict: dict[str, Any] = Field(default_factory=dict, description="The settings, as the assessor reads them.")
