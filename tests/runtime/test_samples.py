"""The offline model's arguments fit the schema of the tool, or it is said that none were found."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aurite.runtime.patterns import text_for
from aurite.runtime.samples import fitting
from aurite.runtime.schemas import NoFitError, misfit

MESSAGE = "What is the weather in New York on day 7?"


def of(properties: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), **rest}


@pytest.mark.parametrize(
    ("schema", "message", "expected"),
    [
        ({"type": "string"}, "What is the weather in London?", "London"),
        ({"type": "string"}, "what is the weather in new york, New York?", "New York"),
        ({"type": "string"}, "Please tell me about São Paulo's weather", "São Paulo"),
        ({"type": "string"}, "Wie ist das Wetter in Zürich?", "Wetter"),
        ({"type": "string", "examples": ["Tokyo", "Paris"]}, "is it warm in paris", "Paris"),
        ({"enum": ["celsius", "fahrenheit"]}, "in Fahrenheit, please", "fahrenheit"),
        ({"enum": ["celsius", "fahrenheit"]}, "hello", "celsius"),
        ({"const": {"a": 1}}, "hello", {"a": 1}),
        ({"type": "integer"}, "add 17 to it", 17),
        ({"type": "integer", "minimum": 100}, "add 17 to it", 100),
        ({"type": "string", "format": "date"}, "hello", "2026-01-31"),
        ({"type": ["null", "string"]}, "to Rome", "Rome"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "hello", True),
        (of({"query": {"type": "string"}}), "find me a hat", {"query": "find me a hat"}),
        (of({"a": {"type": "string"}}, required=[]), "hello", {}),
        ({"type": "object", "properties": {"unit": {"enum": ["c", "f"]}}}, "in f please", {"unit": "f"}),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "fly to JFK", "JFK"),
    ],
)
def test_words_of_the_message_are_used_where_they_fit(schema: dict[str, Any], message: str, expected: Any) -> None:
    assert fitting(schema, message) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "string", "minLength": 40, "maxLength": 41},
        {"type": "string", "maxLength": 3},
        {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z$"},
        {"type": "string", "pattern": "^(?:a|b)+c?[^x-z]*$", "minLength": 9},
        {"type": "string", "pattern": r"^\+?[0-9 ]{7,}$"},
        {"type": "string", "pattern": "[a-f0-9]{8}-[a-f0-9]{4}"},
        {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.01},
        {"type": "integer", "multipleOf": 7, "minimum": 50},
        {"type": "number", "minimum": -9, "maximum": -8.5},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "minItems": 2, "items": False},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "contains": {"const": 5}},
        {"allOf": [{"type": "string", "minLength": 4}, {"maxLength": 5}]},
        {"allOf": [{"$ref": "#/$defs/a"}, of({"y": {"type": "integer"}})], "$defs": {"a": of({"x": {"type": "string"}})}},
        {"oneOf": [{"type": "integer", "minimum": 10}, {"type": "integer", "maximum": 3}]},
        {"anyOf": [of({"a": {"type": "string"}}), of({"b": {"type": "integer"}})]},
        {"$ref": "#/$defs/node", "$defs": {"node": of({"name": {"type": "string"}}, required=["name"])}},
        {"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "integer"}}},
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "integer"}},
                    "required": ["v"],
                }
            },
            "$ref": "#/$defs/node",
        },
        of({"when": {"type": "string", "format": "date-time"}, "mail": {"type": "string", "format": "email"}}),
        {"type": "object", "minProperties": 2},
        {"type": "object", "required": ["free"], "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
        {"if": {"properties": {"k": {"const": 1}}, "required": ["k"]}, "then": {"required": ["m"]}, "type": "object"},
        {
            "type": "object",
            "properties": {"unit": {"type": ["integer", "null"]}},
            "required": ["unit"],
            "additionalProperties": False,
        },
        {"type": "string", "default": "x", "enum": ["x", "y"]},
        {"not": {"type": "string"}, "type": ["string", "integer"]},
    ],
)
def test_each_family_of_schemas_gets_a_value_that_fits(schema: Any) -> None:
    value = fitting(schema, MESSAGE)
    Draft202012Validator(schema).validate(value)
    json.dumps(value)


leaf = st.one_of(
    st.builds(
        lambda low, extra: {"type": "string", "minLength": low, "maxLength": low + extra}, st.integers(0, 30), st.integers(0, 9)
    ),
    st.builds(
        lambda low, extra: {"type": "integer", "minimum": low, "maximum": low + extra}, st.integers(-99, 99), st.integers(0, 9)
    ),
    st.builds(lambda step: {"type": "integer", "multipleOf": step, "minimum": step}, st.integers(1, 20)),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(max_size=5), min_size=1, max_size=4)),
    st.builds(lambda value: {"const": value}, st.none() | st.booleans() | st.text(max_size=5)),
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["integer", "null"]},
            {"type": "string", "pattern": "^[a-z]{2,5}[0-9]+$"},
            {"type": "string", "pattern": r"^(?:GET|POST) /\w+(?:\.json)?$"},
            {"type": "string", "format": "uuid"},
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        ]
    ),
)


def wider(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["city", "query", "a", "b c", "ü"])
    objects = st.dictionaries(names, inner, max_size=4).map(lambda fields: of(fields, additionalProperties=False))
    arrays = st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3))
    return objects | arrays | st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.recursive(leaf, wider, max_leaves=8), st.text(max_size=60))
def test_any_schema_of_these_families_gets_a_value_that_fits(schema: dict[str, Any], message: str) -> None:
    value = fitting(schema, message)
    Draft202012Validator(schema).validate(value)
    assert fitting(schema, message) == value


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (False, "nothing"),
        ({"type": "string", "minLength": 5, "maxLength": 3}, "too"),
        (of({"a": {"type": "string", "pattern": "(?=x)y"}}), "a: no value found"),
        ({"$ref": "https://example.com/schema.json"}, "not in it"),
        ({"$ref": "#/$defs/missing"}, "not in it"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"$ref": "#"}, "nothing"),
    ],
)
def test_what_cannot_be_fitted_is_said_with_its_reason(schema: Any, reason: str) -> None:
    with pytest.raises(NoFitError, match=reason):
        fitting(schema, MESSAGE)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "any"},
        {"type": "object", "properties": []},
        {"required": "city"},
        {"enum": "abc"},
        {"type": "string", "minLength": "3"},
        {"properties": {"a": {"type": {}}}},
        {"allOf": {}},
        "schema",
        None,
    ],
)
def test_what_is_no_schema_is_said_to_be_none(schema: Any) -> None:
    with pytest.raises(NoFitError, match="the schema is not one"):
        fitting(schema, MESSAGE)


def test_a_schema_that_refers_to_itself_without_end_is_said_to() -> None:
    assert misfit({"$ref": "#"}, 1) == "the schema refers to itself without end"


def test_a_schema_elsewhere_is_not_fetched() -> None:
    assert misfit({"$ref": "http://127.0.0.1:1/schema.json"}, 1) == (
        "the schema refers to http://127.0.0.1:1/schema.json, which is not in it"
    )


def test_a_misfit_names_its_place() -> None:
    assert misfit(of({"a": {"type": "integer"}}), {"a": "x"}) == "a: 'x' is not of type 'integer'"


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",
        "a{3}",
        "a{2,4}b",
        r"\d+\.\d*",
        "[^a]",
        "[]a]",
        "[a-z]+@[a-z]+",
        "(x|y)z",
        "(?P<n>a)b",
        "(?:ab){2}",
        r"\u0041\x42",
        "a+?",
    ],
)
def test_a_text_is_made_for_simple_patterns(pattern: str) -> None:
    expression = re.compile(pattern)
    made = text_for(f"^{pattern}$", lambda text: expression.fullmatch(text) is not None)
    assert made is not None
    assert expression.fullmatch(made)


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(?<!a)b", "(", "[", "a{", "\\"])
def test_no_text_is_made_for_what_is_not_understood(pattern: str) -> None:
    assert text_for(pattern, lambda _: False) is None
