"""Clients of 0.4 find every operation that they know, with its status, shape and errors, wherever components are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.contract import Contract
from tests.api.server import Client, Service
from tests.clusters import free_port

CONTRACT = Contract()

_AGENT = {"name": "New Agent", "config": {"llm_config_id": "offline"}}
_TOOL_CONFIG = {"name": "given", "command": "no-such-program", "capabilities": []}
_FILE = '[{"type": "llm", "name": "of a file", "provider": "offline", "model": "offline"}]'
_MESSAGE = {"user_message": "Hello"}
_INPUT = {"initial_input": "Hello"}


@dataclass(frozen=True)
class Call:
    """A request, and the status that answers it."""

    method: str
    template: str
    """The path as the contract writes it."""
    path: str
    status: int
    body: Any = None
    code: str | None = None
    in_database: int | None = None
    """The status where components are kept in a database, if that is another one."""


def call(  # noqa: PLR0917 - a table is read by its columns
    operation: str, path: str | None, status: int, body: Any = None, code: str | None = None, database: int | None = None
) -> Call:
    method, template = operation.split(" ")
    return Call(method, template, path or template, status, body, code, database)


_COMPONENT = "/config/components/{component_type}/{component_id}"
_FILES = "/config/files/{source_name}/{file_path}"
_HISTORY = "/execution/history/{session_id}"
_LINEAR = "/execution/workflows/linear/{workflow_name}"
_CUSTOM = "/execution/workflows/custom/{workflow_name}"
_SERVERS = "/tools/servers/{server_name}"

CALLS = (
    call("GET /health", None, 200),
    call("GET /system/info", None, 200),
    call("GET /system/version", None, 200),
    call("GET /system/capabilities", None, 200),
    call("GET /system/environment", None, 200),
    call("PUT /system/environment", None, 200, {"variables": {"A_PLAIN_VARIABLE": "value", "OPENAI_API_KEY": "x"}}),
    call("PUT /system/environment", None, 422, {"variables": "none"}, "invalid_request"),
    call("GET /system/dependencies", None, 200),
    call("POST /system/dependencies/check", None, 200),
    call("GET /system/monitoring/metrics", None, 200),
    call("GET /system/monitoring/active", None, 200),
    call("GET /system/health", None, 200),
    # Tools.
    call("GET /tools/status", None, 200),
    call("GET /tools/", None, 200),
    call("GET /tools/servers", None, 200),
    call("POST /tools/register/{server_name}", "/tools/register/tools", 200),
    call("POST /tools/register/{server_name}", "/tools/register/nobody", 404, code="component_not_found"),
    call("POST /tools/register/{server_name}", "/tools/register/broken", 500, code="mcp_server_failed"),
    call("GET /tools/", None, 200),
    call("GET /tools/servers", None, 200),
    call(f"GET {_SERVERS}", "/tools/servers/tools", 200),
    call(f"GET {_SERVERS}", "/tools/servers/twin", 200),
    call(f"GET {_SERVERS}", "/tools/servers/nobody", 404, code="component_not_found"),
    call(f"GET {_SERVERS}/tools", "/tools/servers/tools/tools", 200),
    call(f"GET {_SERVERS}/tools", "/tools/servers/twin/tools", 404, code="not_found"),
    call("GET /tools/{tool_name}", "/tools/tools-weather", 200),
    call("GET /tools/{tool_name}", "/tools/weather", 200),
    call("GET /tools/{tool_name}", "/tools/nothing", 404, code="not_found"),
    call("POST /tools/{tool_name}/call", "/tools/tools-weather/call", 200, {"args": {"city": "Paris"}}),
    call("POST /tools/{tool_name}/call", "/tools/weather/call", 200, {"args": {"city": "Paris"}}),
    call("POST /tools/{tool_name}/call", "/tools/nothing/call", 404, {"args": {}}, "not_found"),
    call("POST /tools/{tool_name}/call", "/tools/weather/call", 422, {"arguments": {}}, "invalid_request"),
    call(f"POST {_SERVERS}/restart", "/tools/servers/tools/restart", 200),
    call(f"POST {_SERVERS}/restart", "/tools/servers/nobody/restart", 404, code="component_not_found"),
    call(f"POST {_SERVERS}/test", "/tools/servers/twin/test", 200),
    call(f"POST {_SERVERS}/test", "/tools/servers/broken/test", 200),
    call(f"POST {_SERVERS}/test", "/tools/servers/nobody/test", 404, code="component_not_found"),
    call("POST /tools/register/{server_name}", "/tools/register/twin", 200),
    call("GET /tools/{tool_name}", "/tools/weather", 400, code="ambiguous"),
    call("POST /tools/{tool_name}/call", "/tools/twin-wait/call", 504, {"args": {"seconds": 5}}, "tool_timeout"),
    call(f"DELETE {_SERVERS}", "/tools/servers/twin", 200),
    call(f"DELETE {_SERVERS}", "/tools/servers/tools", 200),
    call(f"DELETE {_SERVERS}", "/tools/servers/tools", 404, code="not_found"),
    call("POST /tools/register/config", None, 200, {"name": "given", "server_path": "tools.py", "capabilities": ["tools"]}),
    call(f"DELETE {_SERVERS}", "/tools/servers/given", 200),
    call("POST /tools/register/config", None, 500, _TOOL_CONFIG, "mcp_server_failed"),
    call("POST /tools/register/config", None, 422, {"name": "given", "capabilities": []}, "invalid_component"),
    # Components.
    call("GET /config/components", None, 200),
    call("GET /config/components/{component_type}", "/config/components/agents", 200),
    call("GET /config/components/{component_type}", "/config/components/agent", 200),
    call("GET /config/components/{component_type}", "/config/components/planets", 400, code="unknown_type"),
    call("POST /config/components/{component_type}", "/config/components/agents", 200, _AGENT),
    call("POST /config/components/{component_type}", "/config/components/agent", 409, _AGENT, "component_exists"),
    call("POST /config/components/{component_type}", "/config/components/planets", 400, _AGENT, "unknown_type"),
    call(
        "POST /config/components/{component_type}",
        "/config/components/agents",
        422,
        {"name": "Hot", "config": {"temperature": "hot"}},
        "invalid_component",
    ),
    call("POST /config/components/{component_type}", "/config/components/agents", 422, {"config": {}}, "invalid_request"),
    call(f"GET {_COMPONENT}", "/config/components/agents/New%20Agent", 200),
    call(f"GET {_COMPONENT}", "/config/components/agents/Nobody", 404, code="component_not_found"),
    call(f"PUT {_COMPONENT}", "/config/components/agents/New%20Agent", 200, {"config": {"llm_config_id": "offline", "model": "x"}}),
    call(f"PUT {_COMPONENT}", "/config/components/agents/Nobody", 404, {"config": {"llm_config_id": "x"}}, "component_not_found"),
    call(f"PUT {_COMPONENT}", "/config/components/agents/New%20Agent", 422, {"config": {"max_tokens": -1}}, "invalid_component"),
    call(f"POST {_COMPONENT}/validate", "/config/components/agents/New%20Agent/validate", 200),
    call(f"POST {_COMPONENT}/validate", "/config/components/agents/Lost%20Agent/validate", 422, code="invalid_component"),
    call(f"POST {_COMPONENT}/validate", "/config/components/agents/Nobody/validate", 404, code="component_not_found"),
    call(f"DELETE {_COMPONENT}", "/config/components/agents/New%20Agent", 200),
    call(f"DELETE {_COMPONENT}", "/config/components/agents/New%20Agent", 404, code="component_not_found"),
    call("POST /config/validate", None, 200),
    call("POST /config/refresh", None, 200),
    # Files.
    call("GET /config/sources", None, 200),
    call("GET /config/files/{source_name}", "/config/files/demo", 200, database=409),
    call("GET /config/files/{source_name}", "/config/files/nobody", 404, code="not_found", database=409),
    call(
        "POST /config/files",
        None,
        200,
        {"source_name": "demo", "relative_path": "config/new/llms.json", "content": _FILE},
        database=409,
    ),
    call(
        "POST /config/files",
        None,
        409,
        {"source_name": "demo", "relative_path": "config/new/llms.json", "content": _FILE},
        "exists",
        database=409,
    ),
    call("POST /config/files", None, 422, {"source_name": "demo"}, "invalid_request"),
    call(f"GET {_FILES}", "/config/files/demo/config/new/llms.json", 200, database=409),
    call(f"GET {_FILES}", "/config/files/demo/config/none.json", 404, code="not_found", database=409),
    call(f"PUT {_FILES}", "/config/files/demo/config/new/llms.json", 200, {"content": "[]"}, database=409),
    call(f"PUT {_FILES}", "/config/files/demo/config/none.json", 404, {"content": "[]"}, "not_found", database=409),
    call(f"PUT {_FILES}", "/config/files/demo/config/new/llms.json", 422, {"content": "[1"}, "invalid_document", database=409),
    call(f"DELETE {_FILES}", "/config/files/demo/config/new/llms.json", 200, database=409),
    call(f"DELETE {_FILES}", "/config/files/demo/config/new/llms.json", 404, code="not_found", database=409),
    # Projects and workspaces.
    call("GET /config/projects", None, 200),
    call("GET /config/projects/active", None, 200),
    call("GET /config/projects/{name}", "/config/projects/other", 200),
    call("GET /config/projects/{name}", "/config/projects/nobody", 404, code="not_found"),
    call("POST /config/projects", None, 200, {"name": "third", "description": "The third"}),
    call("POST /config/projects", None, 409, {"name": "third"}, "exists"),
    call("POST /config/projects", None, 422, {"name": "no such name!"}, "invalid_request"),
    call("PUT /config/projects/{name}", "/config/projects/third", 200, {"description": "Renamed", "new_name": "fourth"}),
    call("PUT /config/projects/{name}", "/config/projects/nobody", 404, {"description": "x"}, "not_found"),
    call("PUT /config/projects/{name}", "/config/projects/fourth", 422, {"include_configs": ["../../.."]}, "invalid_value"),
    call("GET /config/projects/{name}", "/config/projects/fourth", 200),
    call("DELETE /config/projects/{name}", "/config/projects/fourth", 200),
    call("DELETE /config/projects/{name}", "/config/projects/fourth", 404, code="not_found"),
    call("DELETE /config/projects/{name}", "/config/projects/demo", 409, code="not_supported"),
    call("GET /config/workspaces", None, 200),
    call("GET /config/workspaces/active", None, 200),
    # Runs.
    call("GET /execution/status", None, 200),
    call("POST /execution/agents/{agent_name}/run", "/execution/agents/Plain%20Agent/run", 200, {**_MESSAGE, "session_id": "walk"}),
    call("POST /execution/agents/{agent_name}/run", "/execution/agents/Nobody/run", 404, _MESSAGE, "component_not_found"),
    call("POST /execution/agents/{agent_name}/run", "/execution/agents/Plain%20Agent/run", 422, {}, "invalid_request"),
    call("POST /execution/agents/{agent_name}/run", "/execution/agents/Keyless%20Agent/run", 500, _MESSAGE, "missing_key"),
    call("POST /execution/agents/{agent_name}/test", "/execution/agents/Tool%20Agent/test", 200),
    call("POST /execution/agents/{agent_name}/test", "/execution/agents/Lost%20Agent/test", 404, code="component_not_found"),
    call("POST /execution/agents/{agent_name}/test", "/execution/agents/Keyless%20Agent/test", 500, code="missing_key"),
    call("POST /execution/agents/{agent_name}/stream", "/execution/agents/Plain%20Agent/stream", 200, _MESSAGE),
    call("POST /execution/agents/{agent_name}/stream", "/execution/agents/Nobody/stream", 404, _MESSAGE, "component_not_found"),
    call("POST /execution/agents/{agent_name}/stream", "/execution/agents/Plain%20Agent/stream", 422, {}, "invalid_request"),
    call("POST /execution/llms/{llm_config_id}/test", "/execution/llms/offline/test", 200),
    call("POST /execution/llms/{llm_config_id}/test", "/execution/llms/nobody/test", 404, code="component_not_found"),
    call("POST /execution/llms/{llm_config_id}/test", "/execution/llms/no%20key/test", 500),
    call(f"POST {_LINEAR}/run", "/execution/workflows/linear/Two%20Steps/run", 200, {**_INPUT, "session_id": "walk"}),
    call(f"POST {_LINEAR}/run", "/execution/workflows/linear/Nobody/run", 404, _INPUT, "component_not_found"),
    call(f"POST {_LINEAR}/run", "/execution/workflows/linear/Two%20Steps/run", 422, {}, "invalid_request"),
    call(f"POST {_LINEAR}/test", "/execution/workflows/linear/Two%20Steps/test", 200),
    call(f"POST {_LINEAR}/test", "/execution/workflows/linear/Lost%20Steps/test", 404, code="component_not_found"),
    call(f"POST {_CUSTOM}/run", "/execution/workflows/custom/Echo/run", 200, _INPUT),
    call(f"POST {_CUSTOM}/run", "/execution/workflows/custom/Nobody/run", 404, _INPUT, "component_not_found"),
    call(f"POST {_CUSTOM}/run", "/execution/workflows/custom/Lost%20Class/run", 422, _INPUT, "invalid_component"),
    call(f"POST {_CUSTOM}/test", "/execution/workflows/custom/Echo/test", 200),
    call(f"POST {_CUSTOM}/test", "/execution/workflows/custom/Nobody/test", 404, code="component_not_found"),
    call(f"POST {_CUSTOM}/validate", "/execution/workflows/custom/Echo/validate", 200),
    call(f"POST {_CUSTOM}/validate", "/execution/workflows/custom/Lost%20Class/validate", 422, code="invalid_component"),
    # History.
    call("GET /execution/history", None, 200),
    call("GET /execution/history", "/execution/history?agent_name=Plain%20Agent&limit=1&offset=1", 200),
    call("GET /execution/history", "/execution/history?workflow_name=Two%20Steps", 200),
    call("GET /execution/history", "/execution/history?limit=101", 422, code="invalid_request"),
    call(f"GET {_HISTORY}", "/execution/history/agent-walk", 200),
    call(f"GET {_HISTORY}", "/execution/history/workflow-walk", 200),
    call(f"GET {_HISTORY}", "/execution/history/walk", 400, code="ambiguous"),
    call(f"GET {_HISTORY}", "/execution/history/nobody", 404, code="session_not_found"),
    call(f"DELETE {_HISTORY}", "/execution/history/agent-walk", 204),
    call(f"GET {_HISTORY}", "/execution/history/walk", 200),
    call(f"DELETE {_HISTORY}", "/execution/history/agent-walk", 404, code="session_not_found"),
    call("POST /execution/history/cleanup", "/execution/history/cleanup?days=0&max_sessions=0", 200),
    call("POST /execution/history/cleanup", "/execution/history/cleanup?days=-1", 422, code="invalid_request"),
)

NO_ERROR_OF_THEIR_OWN = {
    "/health", "/system/info", "/system/version", "/system/capabilities", "/system/environment", "/system/dependencies",
    "/system/dependencies/check", "/system/monitoring/metrics", "/system/monitoring/active", "/system/health", "/tools/status",
    "/tools/", "/tools/servers", "/config/components", "/config/validate", "/config/refresh", "/config/sources",
    "/config/projects", "/config/projects/active", "/config/workspaces", "/config/workspaces/active", "/execution/status",
}  # fmt: skip
"""Paths that take nothing that could be wrong; that they want a key is shown for every path in ``test_guards.py``."""


def test_the_walk_has_every_operation_of_the_contract_with_its_success_and_an_error() -> None:
    operations = set(CONTRACT.operations())
    successes = {(each.method, each.template) for each in CALLS if each.status < 300}
    failures = {(each.method, each.template) for each in CALLS if each.status >= 400}

    assert len(operations) > 50
    assert successes == operations
    assert {operation for operation in operations - failures if operation[1] not in NO_ERROR_OF_THEIR_OWN} == set()


@pytest.mark.parametrize("mode", ["files", "sqlite", "postgresql"])
def test_every_operation_of_the_contract_answers_with_its_status_and_shape(
    mode: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(mode)
    wrong = [fault for each in CALLS if (fault := fault_of(service.client, each, in_database=mode != "files"))]
    service.stop()

    assert not wrong, "\n".join(wrong)
    assert "unexpected" not in service.log


def fault_of(client: Client, each: Call, *, in_database: bool) -> str | None:
    """What is wrong with the answer to a call; None where nothing is."""
    answer = client(each.method, each.path, each.body)
    status, code = each.status, each.code
    if in_database and each.in_database is not None:
        status, code = each.in_database, "not_supported"
    where = f"{each.method} {each.path}"
    if answer.status != status:
        return f"{where}: {answer.status} instead of {status}: {answer.body.decode()[:300]}"
    if status == 204 or answer.headers["content-type"].startswith("text/event-stream"):
        return None
    body = answer.json()
    if code is not None and body["code"] != code:
        return f"{where}: code {body['code']}"
    try:
        CONTRACT.check(each.method, each.template, status, body)
    except Exception as error:  # noqa: BLE001 - all faults of the walk are told together
        return f"{where} ({status}): {str(error).splitlines()[0]}: {answer.body.decode()[:300]}"
    return None


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Any) -> None:
    import socket
    import subprocess
    import sys

    from tests.api.server import environment

    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        ended = subprocess.run(
            [sys.executable, "-m", "aurite", "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == (
        f"Error: port {port} of 127.0.0.1 cannot be had: Address already in use. Give another --port or --host.\n"
    )
