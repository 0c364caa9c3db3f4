"""The weather of four cities, always the same: the server that the example project's agents ask."""

from __future__ import annotations

from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather_server")
WEATHER = {"San Francisco": (18, "foggy"), "New York": (22, "cloudy"), "London": (15, "rainy"), "Tokyo": (25, "sunny")}


@server.tool()
def weather_lookup(location: str, units: Literal["metric", "imperial"] = "metric") -> str:
    """The weather of a city."""
    if location not in WEATHER:
        raise ToolError(f"nothing is known about {location}")
    degrees, sky = WEATHER[location]
    return f"{location}: {sky}, {degrees if units == 'metric' else degrees * 9 / 5 + 32:g} degrees"


@server.tool()
def current_time(timezone: str) -> str:
    """The time of a place."""
    return f"It is noon in {timezone}"


@server.prompt()
def weather_assistant(location: str) -> str:
    """Ask for the weather of a city."""
    return f"How is the weather in {location}?"


if __name__ == "__main__":
    server.run()
