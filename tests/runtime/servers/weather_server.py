"""A real MCP server for the tests: it knows the weather, can fail, wait, count its calls, and die."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather")


@server.tool()
def weather_lookup(city: str, units: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """The weather of a city."""
    print(f"asked about {city}", file=sys.stderr)  # noqa: T201 - what servers do, and users must not see
    return f"Weather in {city}: 21 degrees {units}"


@server.tool()
def current_time(timezone: str) -> str:
    """The time of a place, after a moment's thought."""
    time.sleep(float(os.environ.get("CLOCK_SECONDS", "0")))
    return f"It is noon in {timezone}"


@server.tool()
def fail(reason: str) -> str:
    """Fails."""
    raise ToolError(f"no luck: {reason}")


@server.tool()
def process() -> str:
    """The number of this process."""
    return str(os.getpid())


@server.tool()
def secret_of_environment() -> str:
    """What a variable of the project's .env holds."""
    return os.environ.get("WEATHER_KEY", "nothing")


if __name__ == "__main__":
    if marker := os.environ.get("STARTED_MARKER"):
        with Path(marker).open("a") as file:
            file.write("started\n")
    server.run()
