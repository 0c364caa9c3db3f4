"""Which refusals a route can answer with, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from aurite.api.models import Refusal, RunRefusal, ValidationProblem

_MEANINGS = {
    400: "What was asked cannot be",
    401: "The key is missing or wrong",
    404: "It is not there",
    409: "It cannot be done as things are",
    413: "The body is too large",
    422: "The request is not valid",
    500: "It failed",
    503: "The store is away, or too much is asked of the service; see Retry-After",
    504: "A server did not answer in time",
}


def refusals(*statuses: int, of_a_run: bool = False) -> dict[int | str, dict[str, Any]]:
    """The refusals that every route has, and those given."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({400, 401, 413, 422, 500, 503, *statuses}):
        model = ValidationProblem if status == 422 else RunRefusal if of_a_run and status in (404, 500) else Refusal
        found[status] = {"model": model, "description": _MEANINGS[status]}
    return found
