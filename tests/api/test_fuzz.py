"""Whatever is sent to any route, the service refuses it or carries it out, as its own document says; it never fails by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.api.server import KEY, Service

LEFT_OUT = ("/tools/register/config",)
"""It starts whatever program the request names; ``test_contract.py`` shows it."""

KNOWN = {
    "component_type": "llms",
    "component_id": "no key",
    "agent_name": "Plain Agent",
    "llm_config_id": "offline",
    "workflow_name": "Two Steps",
    "kind": "linear",
    "name": "other",
    "session_id": "agent-fuzzed",
    "server_name": "twin",
}
"""What there is to be worked on; requests that do not fit the document name anything."""

EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def test_no_request_makes_the_service_fail(start_service: Callable[..., Service]) -> None:
    service = start_service("sqlite")
    service.client.post("/execution/agents/Plain%20Agent/run", {"user_message": "x", "session_id": "fuzzed"}).done()
    document = service.client.get("/openapi.json").done()
    schema = schemathesis.openapi.from_dict(document)
    failures: list[str] = []
    statuses: set[int] = set()
    operations = [result.ok() for result in schema.get_all_operations() if hasattr(result, "ok")]
    with requests.Session() as session:
        for operation in operations:
            if operation.path not in LEFT_OUT:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    try_out(operation, mode, service, session, failures, statuses)
    service.stop()

    assert len(operations) > 60
    assert {200, 404, 422} <= statuses
    assert not failures, "\n".join(failures)
    assert "unexpected" not in service.log


def try_out(  # noqa: PLR0917 - one call
    operation: Any,
    mode: GenerationMode,
    service: Service,
    session: requests.Session,
    failures: list[str],
    statuses: set[int],
) -> None:
    """Send some requests of an operation, those that fit the document or those that do not."""

    named = re.findall(r"\{(\w+)\}", operation.path) if mode is GenerationMode.POSITIVE else []
    known = {name: KNOWN[name] for name in named if name in KNOWN}

    @seed(1)
    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=known or None))
    def send(case: Any) -> None:
        answer = case.call(
            base_url=f"http://127.0.0.1:{service.client.port}", session=session, headers={"X-API-Key": KEY}, timeout=30
        )
        statuses.add(answer.status_code)
        if answer.status_code >= 500:
            failures.append(f"{operation.method} {case.formatted_path}: {answer.status_code} {answer.text[:300]} for {case.body!r}")
        try:
            case.validate_response(answer, checks=[response_schema_conformance, status_code_conformance])
        except FailureGroup as group:
            failures.extend(f"{operation.method} {case.formatted_path}: {each} {answer.text[:300]}" for each in group.exceptions)

    with suppress(Unsatisfiable):  # a route that takes nothing cannot be given anything wrong
        send()
