"""The component types: one module per type in this folder, and the registry that everything else follows from.

Listing, showing, schemas, docs and the API read :data:`KINDS`; a new type is one module here and its page in the docs. The models
need pydantic, which takes longer to import than a whole listing, so a kind loads its model when somebody asks for it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from aurite.errors import UnknownTypeError

if TYPE_CHECKING:
    from aurite.model.kinds._base import ComponentModel

    ComponentClass = type[ComponentModel]


@dataclass(frozen=True)
class Kind:
    """One component type."""

    type: str

    @cached_property
    def plural(self) -> str:
        return self.type[:-1] + "ies" if self.type.endswith("y") else self.type + "s"

    @property
    def label(self) -> str:
        """For people: ``linear workflow``, ``MCP server``."""
        return self.type.replace("_", " ").replace("mcp", "MCP").replace("llm", "LLM")

    @cached_property
    def model(self) -> ComponentClass:
        """The pydantic model of this type."""
        model: ComponentClass = import_module(f"{__name__}.{self.type}").Model
        return model


def _discover() -> Mapping[str, Kind]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return MappingProxyType({name: Kind(name) for name in names})


KINDS: Mapping[str, Kind] = _discover()
_by_plural = {kind.plural: kind for kind in KINDS.values()}


def kind_of(word: str) -> Kind:
    """The kind that a singular or plural type name stands for.

    Raises:
        UnknownTypeError: with the list of types.
    """
    kind = KINDS.get(word) or _by_plural.get(word)
    if kind is None:
        raise UnknownTypeError(f"there is no component type {word!r}", next_step=f"The types are: {', '.join(KINDS)}")
    return kind
