"""JSON Schema without the network: whether a value fits, and what a schema asks for once its parts are put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aurite.model.jsontext import JsonValue

if TYPE_CHECKING:
    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.protocols import Validator

DEEPEST = 12
"""Levels of references and combinations that are followed; a schema with more refers to itself."""


class NoFitError(ValueError):
    """No value was found that fits; the text says why."""


def validator(schema: JsonValue) -> Validator:
    """A validator that never reaches out for a schema it is referred to."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    made: Validator = validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())
    return made


def fault(schema: JsonValue) -> str | None:
    """Why something is not a JSON Schema, in one line; None where it is one."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    if isinstance(schema, bool):
        return None
    if not isinstance(schema, dict):
        return "a schema is an object"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return _told(error)
    return None


def misfit(schema: JsonValue, value: JsonValue) -> str | None:
    """Why a value does not fit, in one line; None where it does."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        found = best_match(validator(schema).iter_errors(value))
    except Unresolvable as unresolvable:
        return f"the schema refers to {unresolvable.ref}, which is not in it"
    except RecursionError:
        return "the schema refers to itself without end"
    except re.error as error:
        return f"the schema has a pattern that is not one: {error}"
    return None if found is None else _told(found)


def _told(error: ValidationError | SchemaError) -> str:
    where = "/".join(str(step) for step in error.absolute_path)
    return f"{where}: {error.message}" if where else error.message


class Forms:
    """The plain forms of schemas: without references and combinations, one for each way through them."""

    def __init__(self, root: JsonValue) -> None:
        self._root = root

    def plain(self, schema: Mapping[str, Any], level: int = 0) -> Iterator[dict[str, Any]]:
        """The forms, the one that is likely meant first.

        Raises:
            NoFitError: a reference leads out of the schema.
        """
        if level > DEEPEST:
            return
        rest = dict(schema)
        reference = rest.pop("$ref", None) or rest.pop("$dynamicRef", None)
        if reference is not None:
            forms = [merged(self._resolved({"$ref": reference}), rest)]
        elif parts := rest.pop("allOf", None):
            for part in parts:
                rest = merged(rest, self._resolved(part))
            forms = [rest]
        elif choices := rest.pop("anyOf", None) or rest.pop("oneOf", None):
            forms = [merged(rest, self._resolved(choice)) for choice in sorted(choices, key=_is_null)]
        elif "if" in rest:
            condition, then, otherwise = (self._resolved(rest.pop(word, {})) for word in ("if", "then", "else"))
            forms = [merged(merged(rest, condition), then), merged(rest, otherwise)]
        else:
            yield rest
            return
        for form in forms:
            yield from self.plain(form, level + 1)

    def _resolved(self, part: JsonValue) -> dict[str, Any]:
        if not isinstance(part, dict):
            return {}
        if "$ref" not in part:
            return dict(part)
        target = self._target(str(part["$ref"]))
        siblings = {key: value for key, value in part.items() if key != "$ref"}
        return merged(target, siblings) if isinstance(target, dict) else siblings

    def _target(self, reference: str) -> JsonValue:
        place: Any = self._root if reference.startswith("#") else None
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list):
                place = place[int(key)] if key.isdigit() and int(key) < len(place) else None
            else:
                place = place.get(key) if isinstance(place, dict) else None
        if place is None:
            raise NoFitError(f"the schema refers to {reference}, which is not in it")
        return place


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that asks for both; the stricter bound holds where both have one."""
    result = dict(one)
    for key, value in other.items():
        if key in ("anyOf", "oneOf") and key in result:
            result["allOf"] = [*result.get("allOf", ()), {key: value}]
        else:
            result[key] = _JOINS[key](result[key], value) if key in result and key in _JOINS else value
    return result


def _properties(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for name, schema in other.items():
        mine = both.get(name)
        both[name] = merged(mine, schema) if isinstance(mine, dict) and isinstance(schema, dict) else schema
    return both


def _types(one: str | list[str], other: str | list[str]) -> list[str]:
    mine, theirs = ([value] if isinstance(value, str) else list(value) for value in (one, other))
    common = [type_ for type_ in mine if type_ in theirs]
    both = {*mine, *theirs}
    return [*common, "integer"] if {"integer", "number"} <= both and "integer" not in common else common


_JOINS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("properties", "$defs", "definitions", "dependentRequired"), _properties),
        **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
        **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
        "required": lambda one, other: list(dict.fromkeys([*one, *other])),
        "enum": lambda one, other: [choice for choice in one if choice in other],
        "allOf": lambda one, other: [*one, *other],
        "type": _types,
    }
)
"""How two values of a keyword become one that asks for both; where a keyword is not here, the later one holds."""


def _is_null(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"
