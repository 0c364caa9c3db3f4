"""The tools of MCP servers for people: what there is, and calling one without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aurite.errors import AmbiguousNameError, ComponentNotFoundError, McpServerError, RunError
from aurite.model.jsontext import JsonValue
from aurite.model.messages import Document
from aurite.runtime.bridge import Bridge
from aurite.runtime.mcp import Connection, Connections, ToolError
from aurite.runtime.servers import Server, describe

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

    from aurite.config.manager import ConfigManager
    from aurite.settings import Settings


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """One tool."""

    server: str
    tool: str
    """As its server calls it."""
    description: str
    input_schema: Mapping[str, JsonValue]

    @property
    def name(self) -> str:
        """As people and models call it."""
        return f"{self.server}-{self.tool}"

    def to_dict(self) -> Document:
        return {"name": self.name, "server": self.server, "description": self.description, "input_schema": dict(self.input_schema)}


@dataclass(frozen=True, slots=True)
class ToolListing:
    """The tools of some servers."""

    tools: tuple[ToolInfo, ...]
    """In the order of servers by name, and of each server's own list."""
    failures: tuple[McpServerError, ...]
    """Of the servers that did not start."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool answered."""

    server: str
    tool: str
    text: str
    """All of it as text; pictures and sounds are named."""
    is_error: bool
    document: Document
    """The server's answer as the protocol writes it: ``content``, ``structuredContent``, ``isError``."""


class Tools:
    """Tools of the servers of a configuration, through the connections of a runner."""

    def __init__(self, config: ConfigManager, settings: Settings, connections: Connections, bridge: Bridge) -> None:
        self._config = config
        self._settings = settings
        self._connections = connections
        self._bridge = bridge

    async def of(self, servers: Sequence[str] | None = None) -> ToolListing:
        """The tools of these servers, or of all that there are; those that are not running are started.

        Raises:
            ComponentNotFoundError, InvalidComponentError: a server is not there, or does not fit its type.
        """
        names = await self._bridge.call(self._names) if servers is None else servers
        described, failures = await self._bridge.call(self._described, names)
        async with self._connections.use(described, failures=failures) as connected:
            tools = [_info(connection.server.name, tool) for connection in connected for tool in connection.tools]
        return ToolListing(tuple(tools), tuple(failures))

    async def call(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolOutput:
        """What the tool answered; an answer that says that it failed is one too.

        Args:
            name: ``server-tool``, or the tool's own name where no other server has one of that name.
            arguments: as its server wants them.

        Raises:
            ComponentNotFoundError, AmbiguousNameError: no tool has that name, or several have.
            McpServerError: a server that may have it did not start.
            RunError: the server did not answer.
        """
        names = await self._bridge.call(self._names)
        likely = [server for server in names if name.startswith(f"{server}-")]
        output = await self._call_at(likely, name, arguments) if likely else None
        if output is None:
            output = await self._call_at(names, name, arguments)
        if output is None:
            raise ComponentNotFoundError(f"there is no tool {name!r}", next_step="See: aurite tools list")
        return output

    async def _call_at(self, servers: Sequence[str], name: str, arguments: Mapping[str, JsonValue]) -> ToolOutput | None:
        described, failures = await self._bridge.call(self._described, servers)
        async with self._connections.use(described, failures=failures) as connected:
            found = [
                (connection, tool.name) for connection in connected for tool in connection.tools if _fits(connection, tool, name)
            ]
            if not found and failures:
                raise failures[0]
            if len(found) > 1:
                candidates = ", ".join(f"{connection.server.name}-{tool}" for connection, tool in found)
                raise AmbiguousNameError(f"{name!r} fits several tools: {candidates}", next_step="Give the name of the server too.")
            return await _called(*found[0], arguments) if found else None

    def _names(self) -> list[str]:
        return [component.name for component in self._config.components("mcp_server")]

    def _described(self, names: Sequence[str]) -> tuple[list[Server], list[McpServerError]]:
        servers: list[Server] = []
        failures: list[McpServerError] = []
        for name in names:
            component = self._config.require_component("mcp_server", name)
            try:
                servers.append(describe(component, self._settings, self._config.base_folder))
            except McpServerError as error:
                failures.append(error)
        return servers, failures


async def _called(connection: Connection, tool: str, arguments: Mapping[str, JsonValue]) -> ToolOutput:
    try:
        result = await connection.call(tool, dict(arguments))
    except ToolError as error:
        raise RunError(f"the tool {tool!r} failed: {error}", next_step="See that its MCP server is well.") from error
    return ToolOutput(connection.server.name, tool, _text(result), bool(result.is_error), _document(result))


def _fits(connection: Connection, tool: Tool, name: str) -> bool:
    return name in (tool.name, f"{connection.server.name}-{tool.name}")


def _info(server: str, tool: Tool) -> ToolInfo:
    return ToolInfo(server, tool.name, tool.description or "", tool.input_schema)


def _text(result: CallToolResult) -> str:
    from aurite.runtime.toolset import content_of, text_of

    return text_of(content_of(result))


def _document(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
