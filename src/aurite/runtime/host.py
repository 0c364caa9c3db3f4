"""MCP servers that are asked for by name rather than by an agent: registered, listed, tried, and their tools called."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aurite.errors import AmbiguousNameError, ComponentNotFoundError
from aurite.runtime.mcp import Connection, ToolError
from aurite.runtime.secrets import scrub
from aurite.runtime.servers import Endpoint, Program, Server, describe

if TYPE_CHECKING:
    from mcp_types import Tool

    from aurite.config.manager import ConfigManager
    from aurite.model.records import Component
    from aurite.runtime.bridge import Bridge
    from aurite.settings import Settings

__all__ = ["HostedTool", "Registered", "ToolError", "ToolHost"]


@dataclass(frozen=True, slots=True)
class Registered:
    """A server that runs because somebody registered it."""

    server: Server
    connection: Connection
    since: float
    """Seconds since 1970 UTC."""

    @property
    def transport(self) -> str:
        """``stdio``, ``local`` or ``http_stream``."""
        match self.server.place:
            case Endpoint():
                return "http_stream"
            case Program(is_python_file=True):
                return "stdio"
            case _:
                return "local"


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A tool of a registered server."""

    registered: Registered
    tool: Tool

    @property
    def name(self) -> str:
        """``server-tool``."""
        return f"{self.registered.server.name}-{self.tool.name}"

    async def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the tool answered, as MCP's own document.

        Raises:
            ToolError: it did not answer.
        """
        result = await self.registered.connection.call(self.tool.name, arguments)
        document: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return document


class ToolHost:
    """The registered servers of a process; they belong to its event loop."""

    def __init__(self, config: Callable[[], ConfigManager], settings: Settings, bridge: Bridge) -> None:
        self._config = config
        self._settings = settings
        self._bridge = bridge
        self._registered: dict[str, Registered] = {}
        self._guards: dict[str, asyncio.Lock] = {}

    @property
    def servers(self) -> Mapping[str, Registered]:
        """Those that are registered, by name."""
        return dict(sorted(self._registered.items()))

    def tools(self) -> list[HostedTool]:
        """The tools of all registered servers, by the names of servers and as each server lists them."""
        return [HostedTool(registered, tool) for registered in self.servers.values() for tool in registered.connection.tools]

    def find(self, name: str) -> HostedTool | None:
        """The tool of a name, ``server-tool`` or bare; None where there is none.

        Raises:
            AmbiguousNameError: the bare name fits tools of several servers.
        """
        tools = self.tools()
        found = [tool for tool in tools if tool.name == name] or [tool for tool in tools if tool.tool.name == name]
        if len(found) > 1:
            names = ", ".join(repr(tool.name) for tool in found)
            raise AmbiguousNameError(f"several servers have a tool {name!r}", next_step=f"Name one of: {names}")
        return found[0] if found else None

    async def register(self, name: str) -> Registered:
        """A server of the configuration, running; one that runs already, where it is described as before.

        Raises:
            ComponentNotFoundError, InvalidComponentError, McpServerError.
        """
        return await self._start(await self._bridge.call(self._described, name))

    async def register_component(self, component: Component) -> Registered:
        """A server that is described by the caller. Raises: InvalidComponentError, McpServerError."""
        return await self._start(await self._bridge.call(lambda: describe(component, self._settings, self._config().base_folder)))

    async def unregister(self, name: str) -> bool:
        """End a server; False where it is not registered."""
        if name not in self._registered:
            return False
        async with self._guard(name):
            registered = self._registered.pop(name, None)
            if registered is not None:
                await registered.connection.close()
        return registered is not None

    async def restart(self, name: str) -> Registered:
        """A registered server, ended and started anew, as the configuration describes it now where it has it.

        Raises:
            ComponentNotFoundError: it is neither registered nor configured.
            InvalidComponentError, McpServerError.
        """
        known = self._registered.get(name)
        try:
            server = await self._bridge.call(self._described, name)
        except ComponentNotFoundError:
            if known is None:
                raise
            server = known.server
        await self.unregister(name)
        return await self._start(server)

    @asynccontextmanager
    async def tried(self, name: str) -> AsyncIterator[Registered]:
        """A server of the configuration, running for the length of the block beside whatever is registered.

        Raises:
            ComponentNotFoundError, InvalidComponentError, McpServerError.
        """
        server = await self._bridge.call(self._described, name)
        connection = Connection(server)
        await connection.start()
        try:
            yield Registered(server, connection, time.time())
        finally:
            await connection.close()

    async def close(self) -> None:
        """End all servers; calling it twice is fine."""
        for name in tuple(self._registered):
            await self.unregister(name)

    def scrubbed(self, server: Server, text: str) -> str:
        """A text of a server without its secrets."""
        return scrub(text, server.secrets)

    def _described(self, name: str) -> Server:
        config = self._config()
        return describe(config.require_component("mcp_server", name), self._settings, config.base_folder)

    async def _start(self, server: Server) -> Registered:
        async with self._guard(server.name):
            known = self._registered.get(server.name)
            if known is not None and known.connection.alive and known.server.identity == server.identity:
                return known
            connection = Connection(server)
            await connection.start()
            if known is not None:
                await known.connection.close()
            registered = Registered(server, connection, time.time())
            self._registered[server.name] = registered
            return registered

    def _guard(self, name: str) -> asyncio.Lock:
        return self._guards.setdefault(name, asyncio.Lock())
