"""``aurite tools``: what the MCP servers offer, and a tool called by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import tell_settings
from aurite.cli.output import counted, printable, remark, say_json, say_lines, say_table
from aurite.errors import RunError, UsageError

if TYPE_CHECKING:
    from aurite.runtime.tools import ToolListing, ToolOutput

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group
def tools() -> None:
    """List the tools of MCP servers, and call one without a model."""


@tools.command("list")
@click.argument("server", required=False)
@_json_option
def list_tools(server: str | None, *, as_json: bool) -> None:
    """List the tools of SERVER, or of all MCP servers, each of which is started for it."""
    listing = asyncio.run(_listing(server))
    if as_json:
        say_json({"tools": [tool.to_dict() for tool in listing.tools], "problems": [str(error) for error in listing.failures]})
    else:
        rows = [[tool.name, next(iter(tool.description.splitlines()), "")] for tool in listing.tools]
        say_table(["Tool", "Description"], rows, wrapping=("Description",))
        if not listing.tools and not listing.failures:
            remark("No tools.")
    for error in listing.failures:
        remark(f"Problem: {error}")
    if listing.failures:
        raise RunError(f"{counted(len(listing.failures), 'MCP server')} did not start")


@tools.command("call")
@click.argument("tool")
@click.argument("arguments", required=False, default="{}", metavar="[JSON]")
@_json_option
def call_tool(tool: str, arguments: str, *, as_json: bool) -> None:
    """Call TOOL with its arguments as a JSON object, and print what it answers.

    TOOL is server-tool, or the tool's own name where only one server has one of that name.
    """
    output = asyncio.run(_output(tool, _object(arguments)))
    if as_json:
        say_json({"server": output.server, "tool": output.tool, **output.document})
    elif not output.is_error:
        say_lines(output.text)
    if output.is_error:
        raise RunError(f"the tool {printable(tool)} answered with an error" + (f": {output.text}" if output.text else ""))


def _object(text: str) -> dict[str, Any]:
    from aurite.errors import InvalidValueError
    from aurite.model.jsontext import decode

    try:
        value = decode(text)
    except InvalidValueError as error:
        raise UsageError(f"the arguments are not JSON: {error.message}", next_step="Give them as one JSON object.") from error
    if not isinstance(value, dict):
        raise UsageError("the arguments are JSON, but no object", next_step='Give them by name, as in {"city": "London"}.')
    return value


async def _listing(server: str | None) -> ToolListing:
    from aurite.app import Aurite

    async with Aurite(Path.cwd(), writer="cli") as app:
        tell_settings(app.settings)
        return await app.list_tools(*([server] if server is not None else []))


async def _output(tool: str, arguments: dict[str, Any]) -> ToolOutput:
    from aurite.app import Aurite

    async with Aurite(Path.cwd(), writer="cli") as app:
        tell_settings(app.settings)
        return await app.call_tool(tool, arguments)
