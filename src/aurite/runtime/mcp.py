"""Connections to MCP servers: started when first needed, kept for the life of a runner, started anew when they died.

Each connection lives in a task of its own, because the SDK's scopes must be left by the task that entered them. Others only send
requests through it. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aurite.errors import McpServerError
from aurite.runtime.secrets import scrub
from aurite.runtime.servers import Endpoint, Program, Server
from aurite.runtime.stderr_tail import StderrTail

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client._transport import Transport
    from mcp_types import CallToolResult, Tool


# Without a handler of its own, the SDK's log would reach the terminal where the program has not set up logging: a traceback for
# each line on a server's standard output that is not MCP. A program that sets up logging still gets all of it.
logging.getLogger("mcp").addHandler(logging.NullHandler())


class ToolError(Exception):
    """A tool answered with an error, or not at all. No error of the run: the model is told and goes on."""


class Connection:
    """One running server and its tools."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tools: tuple[Tool, ...] = ()
        self._client: Client | None = None
        self._ready = asyncio.Event()
        self._leave = asyncio.Event()
        self._ended = False
        self._tail = StderrTail()
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return not self._ended and self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Return when the server has told its tools.

        Raises:
            McpServerError: it did not start, or not in time.
        """
        self._task = asyncio.create_task(self._live(), name=f"mcp {self.server.name}")
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._task, ready}, timeout=self.server.registration_timeout, return_when=asyncio.FIRST_COMPLETED)
            if not self._ready.is_set():
                raise self._error(self._reason())
        finally:
            ready.cancel()
            if not self._ready.is_set():
                await self.close()

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """The server's answer.

        Raises:
            ToolError: the call failed, or the server died under it; the next run or call starts it anew.
        """
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT
        from pydantic import ValidationError

        if self._client is None:
            raise ToolError(f"the MCP server {self.server.name!r} is gone")
        try:
            return await self._client.call_tool(tool, arguments, read_timeout_seconds=self.server.timeout)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._ended = True
                raise ToolError(f"the MCP server {self.server.name!r} was lost during the call") from error
            if error.code == REQUEST_TIMEOUT:
                raise ToolError(f"the MCP server {self.server.name!r} did not answer within {self.server.timeout:g} s") from error
            raise ToolError(scrub(error.message, self.server.secrets)) from error
        except (ValidationError, RuntimeError) as error:
            raise ToolError(f"the MCP server {self.server.name!r} answered with something that is not MCP") from error

    async def close(self) -> None:
        """Stop the server; calling it twice is fine."""
        self._leave.set()
        if self._task is not None:
            if not self._ready.is_set():
                self._task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.exception()
        self._tail.close()

    async def _live(self) -> None:
        from mcp import Client

        transport = _watched(_transport(self.server, self._tail), self._has_ended)
        # Newer versions of the protocol have no way for a server to ask for its roots; every server speaks the older ones.
        mode, roots = ("legacy", self._roots()) if self.server.roots else ("auto", None)
        async with Client(transport, mode=mode, list_roots_callback=roots) as client:
            self.tools = await _all_tools(client, self.server)
            self._client = client
            self._ready.set()
            await self._leave.wait()
            self._client = None

    def _has_ended(self) -> None:
        self._ended = True

    def _roots(self) -> Any:
        from mcp_types import ListRootsResult, Root

        async def answer(_context: object) -> ListRootsResult:
            return ListRootsResult(roots=[Root.model_validate({"uri": uri, "name": name}) for uri, name in self.server.roots])

        return answer

    def _reason(self) -> str:
        tail = self._tail.text()
        if self._task is None or not self._task.done():
            late = f"it did not answer within {self.server.registration_timeout:g} s"
            return f"{late}; it wrote: {tail}" if tail else late
        if tail:
            return tail
        error = None if self._task.cancelled() else self._task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return str(error) or type(error).__name__

    def _error(self, reason: str) -> McpServerError:
        said = scrub(reason, self.server.secrets)
        return McpServerError(f"MCP server {self.server.name!r} did not start: {said}", next_step=_next_step(self.server))


class Connections:
    """The servers that a runner has started."""

    def __init__(self) -> None:
        self._running: dict[str, Connection] = {}
        self._starting: dict[str, asyncio.Task[Connection]] = {}
        self._users: Counter[str] = Counter()
        self._latest: dict[str, str] = {}

    async def connect(self, server: Server) -> Connection:
        """The connection to a server, started now where it is not running or died.

        Raises:
            McpServerError: it did not start.
        """
        running = self._running.get(server.identity)
        if running is not None and running.alive:
            return running
        starting = self._starting.get(server.identity)
        if starting is None:
            starting = asyncio.create_task(self._start(server), name=f"start of mcp {server.name}")
            starting.add_done_callback(_looked_at)
            self._starting[server.identity] = starting
        # A run that is cancelled meanwhile leaves the start to others that wait for it, or to the next run.
        return await asyncio.shield(starting)

    @asynccontextmanager
    async def use(
        self, servers: Sequence[Server], *, failures: list[McpServerError] | None = None
    ) -> AsyncIterator[tuple[Connection, ...]]:
        """Connections to all of these, started side by side; none is stopped for being outdated while it is in use.

        Args:
            servers: which ones.
            failures: where given, takes the errors of those that do not start, and the others are connected.

        Raises:
            McpServerError: one of them did not start.
        """
        for server in servers:
            self._users[server.identity] += 1
            self._latest[server.name] = server.identity
        try:
            outcomes = await asyncio.gather(*(self.connect(server) for server in servers), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, McpServerError) and failures is not None:
                    failures.append(outcome)
                elif isinstance(outcome, BaseException):
                    raise outcome
            yield tuple(outcome for outcome in outcomes if isinstance(outcome, Connection))
        finally:
            for server in servers:
                self._users[server.identity] -= 1
            await self._close_outdated()

    async def close(self) -> None:
        """Stop all servers."""
        for starting in self._starting.values():
            starting.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        everything = tuple(self._running.values())
        self._running.clear()
        await asyncio.gather(*(connection.close() for connection in everything))

    async def _start(self, server: Server) -> Connection:
        try:
            dead = self._running.pop(server.identity, None)
            if dead is not None:
                await dead.close()
            connection = Connection(server)
            await connection.start()
            self._running[server.identity] = connection
            return connection
        finally:
            del self._starting[server.identity]

    async def _close_outdated(self) -> None:
        for identity, connection in tuple(self._running.items()):
            if self._latest.get(connection.server.name) != identity and not self._users[identity]:
                del self._running[identity]
                await connection.close()


def _looked_at(task: asyncio.Task[Connection]) -> None:
    """Keep asyncio from reporting a failed start that everybody who waited for it was cancelled from."""
    if not task.cancelled():
        task.exception()


def _transport(server: Server, tail: StderrTail) -> Transport:
    place = server.place
    return _program(place, tail) if isinstance(place, Program) else _endpoint(place)


@asynccontextmanager
async def _program(place: Program, tail: StderrTail) -> AsyncGenerator[Any, None]:
    from mcp.client.stdio import StdioServerParameters, stdio_client

    parameters = StdioServerParameters(command=place.command, args=list(place.args), env=dict(place.environment), cwd=place.folder)
    async with stdio_client(parameters, errlog=tail.stream) as streams:
        tail.started()
        yield streams


@asynccontextmanager
async def _endpoint(place: Endpoint) -> AsyncGenerator[Any, None]:
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    async with (
        create_mcp_http_client(headers=dict(place.headers)) as http,
        streamable_http_client(place.url, http_client=http) as streams,
    ):
        yield streams


@asynccontextmanager
async def _watched(transport: Transport, ended: Callable[[], None]) -> AsyncGenerator[Any, None]:
    async with transport as (read, write):
        yield _WatchedStream(read, ended), write


class _WatchedStream:
    """A server's messages; tells when there will be no more, because the SDK shows that to nobody but a pending request."""

    def __init__(self, stream: Any, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended = ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> _WatchedStream:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise

    async def __aenter__(self) -> _WatchedStream:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)


async def _all_tools(client: Client, server: Server) -> tuple[Tool, ...]:
    if client.server_capabilities.tools is None:
        return ()
    tools: list[Tool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tuple(tool for tool in tools if not {tool.name, f"{server.name}-{tool.name}"} & server.excluded)


def _next_step(server: Server) -> str:
    if isinstance(server.place, Endpoint):
        return "See that the server runs and that its URL is right."
    program = server.place.args[0] if server.place.is_python_file else server.place.command
    return f"Start {program} by hand to see more."
