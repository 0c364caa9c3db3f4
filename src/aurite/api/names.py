"""Names in paths: data like any other, slashes included (``%2F``)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

from aurite.api.guards import SLASH
from aurite.model.names import MAX_NAME

ComponentType = Annotated[str, Path(max_length=64, description="Type of component, singular or plural.")]
Name = Annotated[str, Path(max_length=MAX_NAME, description="A name; a slash in it is written %2F.")]


class _NameConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _NameConvertor())  # at import: routes that say ``{id:name}`` are compiled when they are declared
