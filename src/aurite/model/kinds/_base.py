"""What all component types share: identity, description, and how unknown fields are treated."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aurite.errors import InvalidValueError
from aurite.model.names import check_name


def _allowed(name: str) -> str:
    try:
        return check_name(name, "component name")
    except InvalidValueError as error:
        raise ValueError(error.message) from error


Name = Annotated[str, AfterValidator(_allowed)]
"""The name of a component, or a reference to one."""


class ComponentModel(BaseModel):
    """A component of any type: read from a document as written, with values coerced (``"15.0"`` is a number of seconds)."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    extra_fields_are: ClassVar[str | None] = None
    """What unknown fields mean; where None they are kept and warned about."""

    name: Name = Field(description="Unique among the components of its type.")
    description: str | None = Field(None, description="For people; shown in listings.")

    def extra_fields(self) -> dict[str, Any]:
        """The fields that this type does not know, in the order they were written."""
        return dict(self.model_extra or {})


class Part(BaseModel):
    """A piece inside a component; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)
