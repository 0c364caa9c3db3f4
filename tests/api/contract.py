"""The REST contract of 0.4: which operations there are, and what their answers look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

_PAGE = Path(__file__).parents[1] / "data" / "aurite-0.4" / "openapi.yaml"
METHODS = ("get", "post", "put", "delete")


class Contract:
    """``openapi.yaml`` of 0.4."""

    def __init__(self) -> None:
        self._document: dict[str, Any] = yaml.safe_load(_PAGE.read_text(encoding="utf-8"))
        parts = self._document["components"]
        # Half of the schemas stand below securitySchemes by a slip of indentation.
        parts["schemas"] |= {name: part for name, part in parts["securitySchemes"].items() if name != "APIKeyHeader"}
        parts["responses"] = parts.get("responses") or parts["securitySchemes"].pop("responses")

    def operations(self) -> Iterator[tuple[str, str]]:
        """Method and path of each."""
        for path, methods in self._document["paths"].items():
            yield from ((method.upper(), path) for method in METHODS if method in methods)

    def check(self, method: str, path: str, status: int, body: Any) -> None:
        """Nothing, where the body is what the contract says for that answer, or the contract says nothing about it."""
        response = self._document["paths"][path][method.lower()]["responses"].get(str(status))
        if response is None:
            return
        if "$ref" in response:
            response = self._found(response["$ref"])
        content = response.get("content", {}).get("application/json")
        if content is not None:
            jsonschema.validate(body, self._resolved(content.get("schema", {})))

    def _resolved(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._resolved(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return self._resolved(self._found(schema["$ref"]))
        found = {key: self._resolved(value) for key, value in schema.items()}
        if found.get("nullable") is True and isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        return found

    def _found(self, reference: str) -> Any:
        value: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            value = value[part]
        return value
