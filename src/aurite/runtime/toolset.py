"""The tools of connected MCP servers, as pydantic-ai asks for them.

pydantic-ai's own MCP toolset imports fastmcp, which costs a second at each start; this one talks to the SDK's client.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import BinaryContent
from pydantic_ai.tools import RunContext, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from aurite.errors import McpServerError
from aurite.model.jsontext import encode
from aurite.runtime.mcp import Connection, Connections, ToolError
from aurite.runtime.toolnames import ToolKey, ToolNames

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ContentBlock, Tool

_ANY_OBJECT = SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()))
"""Servers check the arguments themselves."""


class McpToolset(AbstractToolset[object]):
    """The tools of one run."""

    def __init__(
        self,
        connections: Connections,
        connected: Sequence[Connection],
        excluded: Collection[str],
        *,
        goes_on_without_servers: bool = False,
    ) -> None:
        self._connections = connections
        self._goes_on = goes_on_without_servers
        self._tools: dict[ToolKey, tuple[Connection, Tool]] = {
            (connection.server.name, tool.name): (connection, tool)
            for connection in connected
            for tool in connection.tools
            if tool.name not in excluded and f"{connection.server.name}-{tool.name}" not in excluded
        }
        self.names = ToolNames(self._tools)

    @property
    def id(self) -> str:
        return "mcp"

    async def get_tools(self, ctx: RunContext[object]) -> dict[str, ToolsetTool[object]]:
        return {self.names.name(key): self._tool(key, tool, ctx.max_retries) for key, (_, tool) in self._tools.items()}

    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[object],  # noqa: ARG002 - the signature is pydantic-ai's
        tool: ToolsetTool[object],  # noqa: ARG002 - the same
    ) -> Any:
        key = self.names.key(name)
        if key is None:
            raise ToolFailed(f"there is no tool {name!r}")
        connection = await self._connected(self._tools[key][0])
        try:
            result = await connection.call(key[1], tool_args)
        except ToolError as error:
            raise ToolFailed(str(error)) from error
        content = content_of(result)
        if result.is_error:
            raise ToolFailed(text_of(content) or "the tool failed and did not say why")
        return content

    async def _connected(self, before: Connection) -> Connection:
        """The connection of before, or a new one where its server died; the model is told where the run goes on without it."""
        try:
            return await self._connections.connect(before.server)
        except McpServerError as error:
            if self._goes_on:
                raise ToolFailed(error.message) from error
            raise

    def _tool(self, key: ToolKey, tool: Tool, retries: int) -> ToolsetTool[object]:
        definition = ToolDefinition(
            name=self.names.name(key), description=tool.description, parameters_json_schema=tool.input_schema
        )
        return ToolsetTool(toolset=self, tool_def=definition, max_retries=retries, args_validator=_ANY_OBJECT)


def text_of(content: Any) -> str:
    """What a tool returned, as text; pictures and sounds are named, not shown."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(item) for item in content)
    if isinstance(content, BinaryContent):
        return f"[{content.media_type}, {len(content.data)} bytes]"
    return encode(content)


def content_of(result: CallToolResult) -> Any:
    """Text where all of it is text, else a list of text and binary content."""
    items = [_item(block) for block in result.content]
    if not items and result.structured_content is not None:
        return encode(result.structured_content)
    texts = [item for item in items if isinstance(item, str)]
    return "\n".join(texts) if len(texts) == len(items) else items


def _item(block: ContentBlock) -> str | BinaryContent:
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            return BinaryContent(base64.b64decode(block.data), media_type=block.mime_type)
        case "resource_link":
            return str(block.uri)
        case "resource":
            text = getattr(block.resource, "text", None)
            return text if isinstance(text, str) else f"[{block.resource.uri}, {block.resource.mime_type or 'binary'}]"
