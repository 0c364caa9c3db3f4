"""JSON as text: what goes in comes back, and what is not JSON is refused with the path of the field."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given

from aurite.errors import InvalidValueError
from aurite.model.jsontext import MAX_LEVELS, check, decode, decode_strictly
from aurite.testing.values import json_values


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(json_values())
def test_any_value_comes_back(value: Any) -> None:
    assert repr(decode(check(value))) == repr(value)
    assert repr(decode_strictly(check(value))) == repr(value)


def test_an_integer_of_more_digits_than_python_prints_comes_back() -> None:
    assert decode(check([10**5000 + 1])) == [10**5000 + 1]


def test_negative_zero_keeps_its_sign() -> None:
    assert math.copysign(1, decode(check(-0.0))) == -1


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, {"b": math.nan}]}, "agent.a[1].b"),
        ([math.inf], "agent[0]"),
        ({"a": {1: 2}}, "agent.a"),
        ({"a": (1, 2)}, "agent.a"),
        ({"a": b"x"}, "agent.a"),
        ("\ud83d\ude00", "agent"),
    ],
)
def test_what_is_not_json_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(InvalidValueError, match=path.replace("[", r"\[")):
        check(value, what="agent")


def test_nesting_is_bounded() -> None:
    assert decode(check(nested(MAX_LEVELS))) == nested(MAX_LEVELS)
    with pytest.raises(InvalidValueError, match="500 levels"):
        check(nested(MAX_LEVELS + 1))


def test_a_document_is_bounded_by_its_bytes() -> None:
    check("é" * 500, max_bytes=1002)
    with pytest.raises(InvalidValueError, match="larger"):
        check("é" * 500, max_bytes=1001)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ("[NaN]", "NaN"),
        ("[1e999]", "out of range"),
        ('{"a": 1,\n "b": }', "line 2"),
        (b'"\xff"', "UTF-8"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_text_that_is_no_json_is_refused_with_a_reason(text: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidValueError, match=reason):
        decode_strictly(text)
