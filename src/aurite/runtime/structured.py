"""Structured output: the final answer as JSON text that fits a schema, with any model and any server."""

from __future__ import annotations

import json
import re

from aurite.errors import InvalidValueError
from aurite.model.jsontext import JsonValue, decode, encode
from aurite.runtime.schemas import misfit

_REQUEST = "Give the final answer as one JSON value and nothing else. It must fit this JSON Schema:\n"
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


class MisfitError(ValueError):
    """The answer does not fit; the text says why and is meant for the model."""


def instruction(schema: JsonValue) -> str:
    """What the model is told about the form of its answer."""
    return _REQUEST + json.dumps(schema)


def schema_in(instructions: str | None) -> JsonValue | None:
    """The schema that :func:`instruction` put into a model's instructions; None where there is none."""
    _, found, text = (instructions or "").rpartition(_REQUEST)
    return decode(text) if found else None


def fitting_answer(text: str, schema: JsonValue) -> str:
    """The JSON text of an answer, out of the code fence that models like to put around it.

    Raises:
        MisfitError: it is not JSON, or does not fit.
    """
    fenced = _FENCE.fullmatch(text)
    text = fenced.group(1) if fenced else text.strip()
    try:
        value = decode(text)
    except InvalidValueError as error:
        raise MisfitError(f"The answer must be one JSON value and nothing else: {error.message}") from error
    if reason := misfit(schema, value):
        raise MisfitError(f"The answer does not fit the schema: {reason}")
    return encode(value) if fenced else text
