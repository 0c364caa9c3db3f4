"""An MCP server with one tool: fixed weather reports, so that examples answer the same everywhere."""

from mcp.server import MCPServer

REPORTS = {
    "london": "rainy, 15 °C",
    "paris": "cloudy, 18 °C",
    "tokyo": "sunny, 26 °C",
    "new york": "partly cloudy, 22 °C",
}

server = MCPServer("weather_server")


@server.tool()
def weather_lookup(location: str) -> str:
    """Look up the weather of a city: London, Paris, Tokyo or New York."""
    report = REPORTS.get(location.strip().casefold())
    if report is None:
        return f"There is no weather report for {location}. There are reports for London, Paris, Tokyo and New York."
    return f"The weather in {location}: {report}."


if __name__ == "__main__":
    server.run()
