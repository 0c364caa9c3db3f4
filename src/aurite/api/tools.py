"""``/tools``: MCP servers that clients register, and their tools."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from aurite.api.connected import while_connected
from aurite.api.json import ExactRoute, Json
from aurite.api.models import (
    Document,
    HostStatus,
    Registered,
    ServerDetailedStatus,
    ServerRuntimeInfo,
    ServerTestResult,
    ToolCallArgs,
    ToolDetails,
)
from aurite.api.names import Name
from aurite.api.refusals import refusals
from aurite.api.service import Served, Service
from aurite.errors import InvalidComponentError, McpServerError, NotThereError, ToolFailedError, ToolTimeoutError
from aurite.model.jsontext import check
from aurite.model.names import check_name
from aurite.model.records import Component
from aurite.model.validation import require_valid
from aurite.runtime.host import HostedTool, ToolError
from aurite.runtime.host import Registered as RegisteredServer

router = APIRouter(prefix="/tools", tags=["MCP Host"], route_class=ExactRoute)


@router.get("/status", response_model=HostStatus, responses=refusals())
async def status(service: Served) -> Response:
    """Say how many tools there are."""
    return Json({"status": "active", "tool_count": len(service.tools.tools())})


@router.get("/", response_model=list[Document], responses=refusals())
@router.get("", response_model=list[Document], include_in_schema=False)
async def list_tools(service: Served) -> Response:
    """List the tools of all registered servers."""
    return Json([_tool(tool) for tool in service.tools.tools()])


@router.get("/servers", response_model=list[ServerRuntimeInfo], responses=refusals())
async def list_servers(service: Served) -> Response:
    """List the registered servers."""
    return Json(
        [
            {
                "name": name,
                "status": "active" if registered.connection.alive else "inactive",
                "transport_type": registered.transport,
                "tools_count": len(registered.connection.tools),
                "registration_time": _instant(registered.since),
            }
            for name, registered in service.tools.servers.items()
        ]
    )


@router.get("/servers/{server_name:name}", response_model=ServerDetailedStatus, responses=refusals(404))
async def show_server(server_name: Name, service: Served) -> Response:
    """Show a server, registered or only configured."""
    registered = service.tools.servers.get(server_name)
    if registered is not None:
        alive = registered.connection.alive
        return Json(
            {
                "name": server_name,
                "registered": True,
                "status": "active" if alive else "inactive",
                "transport_type": registered.transport,
                "tools": [tool.name for tool in registered.connection.tools],
                "registration_time": _instant(registered.since),
                "session_active": alive,
            }
        )
    component = await service.call(lambda: service.config.require_component("mcp_server", server_name))
    return Json(
        {
            "name": server_name,
            "registered": False,
            "status": "not_registered",
            "transport_type": component.config().get("transport_type"),
            "tools": [],
            "registration_time": None,
            "session_active": False,
        }
    )


@router.delete("/servers/{server_name:name}", response_model=Registered, responses=refusals(404))
async def unregister(server_name: Name, service: Served) -> Response:
    """End a registered server."""
    if not await service.tools.unregister(server_name):
        raise _unregistered(server_name)
    return _success(server_name)


@router.post("/register/config", response_model=Registered, responses=refusals())
async def register_config(body: dict[Any, Any], service: Served, request: Request) -> Response:
    """Register a server that the request describes as an mcp_server component."""
    document = {"type": "mcp_server", **body}
    name = document.get("name")
    if not isinstance(name, str):
        raise InvalidComponentError("name: a server needs a name", reasons=("name: a server needs a name",))
    check_name(name, "component name")
    require_valid("mcp_server", name, document)
    component = Component("mcp_server", name, check(document), revision=0, created_at=0, updated_at=0, writer="memory")
    return await _registered(service.tools.register_component(component), request)


@router.post("/register/{server_name:name}", response_model=Registered, responses=refusals(404))
async def register_name(server_name: Name, service: Served, request: Request) -> Response:
    """Register a server of the configuration."""
    return await _registered(service.tools.register(server_name), request)


@router.post("/servers/{server_name:name}/restart", response_model=Registered, responses=refusals(404))
async def restart(server_name: Name, service: Served, request: Request) -> Response:
    """End a server and start it anew, as the configuration describes it now."""
    return await _registered(service.tools.restart(server_name), request)


@router.get("/servers/{server_name:name}/tools", response_model=list[Document], responses=refusals(404))
async def server_tools(server_name: Name, service: Served) -> Response:
    """List the tools of a registered server."""
    if server_name not in service.tools.servers:
        raise _unregistered(server_name)
    return Json([_tool(tool) for tool in service.tools.tools() if tool.registered.server.name == server_name])


@router.post("/servers/{server_name:name}/test", response_model=ServerTestResult, responses=refusals(404))
async def test_server(server_name: Name, service: Served, request: Request) -> Response:
    """Start a server of the configuration for a moment, and say what became of it."""

    async def work() -> dict[str, Any]:
        began = time.perf_counter()
        try:
            async with service.tools.tried(server_name) as tried:
                seconds = round(time.perf_counter() - began, 3)
                return _tested(server_name, seconds, [tool.name for tool in tried.connection.tools], None)
        except McpServerError as error:
            return _tested(server_name, None, None, str(error))

    return Json(await while_connected(request, work()))


@router.get("/{tool_name:name}", response_model=ToolDetails, responses=refusals(404))
async def show_tool(tool_name: Name, service: Served) -> Response:
    """Show a tool, named `server-tool`, or bare where one server alone has it."""
    return Json(_tool(_found(service, tool_name)))


@router.post("/{tool_name:name}/call", response_model=Document, responses=refusals(404, 504))
async def call_tool(tool_name: Name, body: ToolCallArgs, service: Served, request: Request) -> Response:
    """Call a tool; a tool that answers with an error is told as 200 with `isError`, as MCP does."""
    tool = _found(service, tool_name)

    async def work() -> dict[str, Any]:
        try:
            return await tool.call(body.args)
        except ToolError as error:
            kind = ToolTimeoutError if "did not answer within" in str(error) else ToolFailedError
            raise kind(service.tools.scrubbed(tool.registered.server, str(error))) from error

    return Json(await while_connected(request, work()))


async def _registered(work: Awaitable[RegisteredServer], request: Request) -> Response:
    async def waited() -> RegisteredServer:
        return await work

    registered = await while_connected(request, waited())
    return _success(registered.server.name)


def _found(service: Service, name: str) -> HostedTool:
    tool = service.tools.find(name)
    if tool is None:
        raise NotThereError(f"there is no tool {name!r}", next_step="See GET /tools/, and register its server")
    return tool


def _tool(tool: HostedTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.tool.description or "",
        "server_name": tool.registered.server.name,
        "inputSchema": tool.tool.input_schema,
    }


def _tested(name: str, seconds: float | None, tools: list[str] | None, error: str | None) -> dict[str, Any]:
    return {
        "status": "success" if error is None else "failed",
        "server_name": name,
        "connection_time": seconds,
        "tools_discovered": tools,
        "test_tool_result": None,
        "error": error,
    }


def _success(name: str) -> Response:
    return Json({"status": "success", "name": name})


def _unregistered(name: str) -> NotThereError:
    return NotThereError(f"the server {name!r} is not registered", next_step="Register it with POST /tools/register/{server_name}")


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
