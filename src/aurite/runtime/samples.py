"""Values that fit a JSON Schema, for the offline model: deterministic, small, with words of the user's message where they fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from aurite.model.jsontext import JsonValue
from aurite.runtime.patterns import text_for
from aurite.runtime.schemas import DEEPEST, Forms, NoFitError, fault, misfit

_MOST = 400
"""Candidates that are looked at for one schema."""
_FORMATS = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "https://example.com/",
    "iri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/a",
    "regex": "a",
}
_WHOLE_MESSAGE = frozenset({"query", "question", "message", "prompt", "text", "input", "content", "body", "task"})
"""Fields that take what the user said, as it is."""
_NOT_NAMES = frozenset({"I", "A", "The", "What", "Which", "Who", "How", "Where", "When", "Why", "Please", "Is", "Tell", "Show"})
_AROUND_WORDS = ".,;:!?\"'()[]{}<>«»„“”‚‘’"
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,15})?(?![\w.]*\w)")


def fitting(schema: JsonValue, message: str) -> JsonValue:
    """A value that fits the schema, checked, with words of the message where they fit.

    Raises:
        NoFitError: none was found.
    """
    if reason := fault(schema):
        raise NoFitError(f"the schema is not one: {reason}")
    maker = _Maker(schema, message)
    reason = "it allows nothing"
    for value in maker.values(schema, "", 0):
        found = misfit(schema, value)
        if found is None:
            return value
        reason = found
        if maker.spent():
            break
    raise NoFitError(reason)


class _Maker:
    """Makes values for one schema and one message; each schema yields candidates, the likeliest first."""

    def __init__(self, root: JsonValue, message: str) -> None:
        self._root = root
        self._message = message
        self._forms = Forms(root)
        self._budget = _MOST

    def spent(self) -> bool:
        """Whether enough has been tried."""
        self._budget -= 1
        return self._budget <= 0

    @cached_property
    def _names(self) -> list[str]:
        """What looks like a name: capitalised words that do not merely begin a sentence, joined where they stand together."""
        found: list[list[str]] = []
        runs_on = False
        begins = True
        for token in self._message.split():
            word = token.strip(_AROUND_WORDS).removesuffix("'s").removesuffix("’s")
            is_name = word[:1].isupper() and word not in _NOT_NAMES
            if is_name and runs_on:
                found[-1].append(word)
            elif is_name and not begins:
                found.append([word])
            runs_on = is_name and not begins and token.endswith(word)
            begins = token.endswith((".", "!", "?", ":"))
        return [" ".join(words) for words in found]

    @cached_property
    def _numbers(self) -> list[int | float]:
        texts = _NUMBER.findall(self._message)
        return [float(text) if "." in text else int(text) for text in texts]

    def _mentioned(self, choices: Iterable[JsonValue]) -> list[JsonValue]:
        """The choices, those that the message mentions first."""
        said = self._message.casefold()

        def is_said(choice: JsonValue) -> bool:
            return isinstance(choice, str) and re.search(rf"(?<!\w){re.escape(choice.casefold())}(?!\w)", said) is not None

        return sorted(choices, key=lambda choice: not is_said(choice))

    def values(self, schema: JsonValue, name: str, level: int) -> Iterator[JsonValue]:
        """Candidates for a schema; ``name`` is that of the field they are for."""
        if level > DEEPEST or schema is False:
            return
        if schema is True or not isinstance(schema, dict) or not schema:
            yield from self._texts({}, name)
            return
        for plain in self._forms.plain(schema):
            yield from self._of_plain(plain, name, level)

    def _of_plain(self, schema: dict[str, Any], name: str, level: int) -> Iterator[JsonValue]:
        if "const" in schema:
            yield schema["const"]
            return
        if "enum" in schema:
            yield from self._mentioned(schema["enum"])
            return
        given = [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else [])]
        ordered = self._mentioned(given)
        types = schema.get("type", _implied_type(schema))
        for type_ in sorted([types] if isinstance(types, str) else types, key=lambda type_: type_ == "null"):
            if type_ == "string":
                yield from self._texts(schema | {"examples": ordered}, name)
            else:
                yield from ordered
                yield from self._of_type(type_, schema, name, level)

    def _of_type(self, type_: str, schema: dict[str, Any], name: str, level: int) -> Iterator[JsonValue]:
        match type_:
            case "object":
                yield from self._objects(schema, level)
            case "array":
                yield from self._arrays(schema, name, level)
            case "integer" | "number":
                yield from self._quantities(schema, whole=type_ == "integer")
            case "boolean":
                yield from (True, False)
            case "null":
                yield None

    def _texts(self, schema: dict[str, Any], name: str) -> Iterator[str]:
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
        if pattern := schema.get("pattern"):
            yield from self._texts_of_pattern(pattern, shortest, longest, schema.get("examples", ()))
            return
        if made := _FORMATS.get(schema.get("format", "")):
            yield from (text for text in schema.get("examples", ()) if isinstance(text, str))
            yield made
            return
        examples = [text for text in schema.get("examples", ()) if isinstance(text, str)]
        said = [text for text in examples if text.casefold() in self._message.casefold()]
        whole = [self._message] if name in _WHOLE_MESSAGE and self._message else []
        for text in (*said, *whole, *self._names, *examples, self._message, name, "example"):
            if text:
                yield _of_length(text, shortest, longest)
        yield _of_length("", shortest, longest)

    def _texts_of_pattern(self, pattern: str, shortest: int, longest: int | None, examples: Iterable[JsonValue]) -> Iterator[str]:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise NoFitError(f"the pattern {pattern!r} is not one") from error

        def fits(text: str) -> bool:
            return bool(expression.search(text)) and shortest <= len(text) <= (longest or len(text))

        words = [*self._names, *re.findall(r"[\w.@-]+", self._message)]
        yield from (text for text in (*examples, *words) if isinstance(text, str) and fits(text))
        made = text_for(pattern, fits)
        if made is not None:
            yield made

    def _quantities(self, schema: dict[str, Any], *, whole: bool) -> Iterator[int | float]:
        low, high = schema.get("minimum"), schema.get("maximum")
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        step = schema.get("multipleOf", 1)
        candidates: list[int | float] = [number for number in self._numbers if not whole or number == int(number)]
        for edge in (low, above, high, below):
            if isinstance(edge, int | float) and not isinstance(edge, bool):
                nearest = edge // step * step
                candidates += [edge, nearest, nearest + step, nearest - step, edge + 0.5, edge - 0.5]
        if above is not None and below is not None:
            candidates.append((above + below) / 2)
        for number in (1, step, 0, *candidates[len(self._numbers) :]):
            candidates.append(number)
        for number in candidates:
            yield int(number) if number == int(number) else number

    def _arrays(self, schema: dict[str, Any], name: str, level: int) -> Iterator[list[JsonValue]]:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        prefix = schema.get("prefixItems", ())
        items = schema.get("items", schema.get("contains", {}))
        wanted = max(least, len(prefix), 1 if "contains" not in schema else schema.get("minContains", 1))
        wanted = wanted if most is None else min(wanted, most)
        made: list[JsonValue] = []
        for position in range(wanted):
            part = prefix[position] if position < len(prefix) else schema.get("contains", items) if position == 0 else items
            made.append(self._another(part, name, level, made, unique=bool(schema.get("uniqueItems"))))
        yield made
        yield []

    def _another(self, schema: JsonValue, name: str, level: int, taken: list[JsonValue], *, unique: bool) -> JsonValue:
        for value in self._fitting(schema, name, level + 1):
            if not unique or value not in taken:
                return value
        if unique and taken and isinstance(taken[-1], str):
            return f"{taken[0]} {len(taken) + 1}"
        if unique and taken and isinstance(taken[-1], int):
            return taken[-1] + 1
        raise NoFitError(f"{name or 'an item'}: no value found")

    def _fitting(self, schema: JsonValue, name: str, level: int) -> Iterator[JsonValue]:
        """Candidates that fit a schema below the root; references are looked up in the root."""
        whole = schema
        if isinstance(schema, dict) and isinstance(self._root, dict):
            whole = {key: self._root[key] for key in ("$defs", "definitions") if key in self._root} | schema
        for value in self.values(schema, name, level):
            if self.spent():
                return
            found = misfit(whole, value)
            if found is None or found.startswith("the schema refers to"):
                yield value

    def _objects(self, schema: dict[str, Any], level: int) -> Iterator[dict[str, JsonValue]]:
        properties: Mapping[str, JsonValue] = schema.get("properties", {})
        made: dict[str, JsonValue] = {}
        for name, part in properties.items():
            if name in schema.get("required", ()) or self._is_asked_for(part):
                made[name] = self._field(part, name, level)
        for name in schema.get("required", ()):
            if name not in made:
                made[name] = self._field(schema.get("additionalProperties", {}), name, level)
        for name in [extra for have in tuple(made) for extra in schema.get("dependentRequired", {}).get(have, ())]:
            made.setdefault(name, self._field(properties.get(name, {}), name, level))
        spare = [name for name in properties if name not in made] + [f"field{number}" for number in range(1, 20)]
        for name in spare[: max(0, schema.get("minProperties", 0) - len(made))]:
            made[name] = self._field(properties.get(name, schema.get("additionalProperties", {})), name, level)
        yield made

    def _field(self, schema: JsonValue, name: str, level: int) -> JsonValue:
        for value in self._fitting(schema, name, level + 1):
            return value
        raise NoFitError(f"{name}: no value found")

    def _is_asked_for(self, schema: JsonValue) -> bool:
        """Whether the message mentions one of the values that an optional field may have."""
        choices = [*schema.get("enum", ()), *schema.get("examples", ())] if isinstance(schema, dict) else []
        said = self._message.casefold()
        return any(isinstance(choice, str) and re.search(rf"\b{re.escape(choice.casefold())}\b", said) for choice in choices)


def _implied_type(schema: Mapping[str, Any]) -> str:
    """The type that the keywords are about; text where they say nothing."""
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties", "dependentRequired"}:
        return "object"
    if schema.keys() & {"items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"}:
        return "array"
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return "number"
    return "string"


def _of_length(text: str, shortest: int, longest: int | None) -> str:
    if len(text) < shortest:
        text += "x" * (shortest - len(text))
    return text if longest is None else text[:longest]
