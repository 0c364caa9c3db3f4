"""``aurite tools``: what MCP servers offer, and a tool called by hand."""

from __future__ import annotations

import pytest

from tests.cli.program import Program
from tests.cli.test_list_and_show import add

FAILING = '''
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("failing")

@server.tool()
def fail() -> str:
    """Fails."""
    raise ToolError("no luck")

@server.tool()
def weather_lookup(location: str) -> str:
    """Another one of that name."""
    return f"always fine in {location}"

server.run()
'''


@pytest.fixture
def two_servers(project: Program) -> Program:
    (project.folder / "mcp_servers" / "failing.py").write_text(FAILING)
    add(project, "failing.json", {"type": "mcp_server", "name": "failing", "server_path": "mcp_servers/failing.py"})
    return project


def test_tools_are_listed_with_what_they_do(project: Program) -> None:
    ended = project("tools", "list").done()
    (tool,) = project("tools", "list", "weather_server", "--json").done().json()["tools"]

    assert ended.lines[0].startswith("weather_server-weather_lookup  ")
    assert (tool["name"], tool["server"]) == ("weather_server-weather_lookup", "weather_server")
    assert tool["description"]
    assert "location" in tool["input_schema"]["properties"]


def test_a_tool_is_called_by_its_full_name_or_its_own(project: Program) -> None:
    for name in ("weather_server-weather_lookup", "weather_lookup"):
        assert "rainy, 15 °C" in project("tools", "call", name, '{"location": "London"}').done().output
    answer = project("tools", "call", "weather_lookup", '{"location": "London"}', "--json").done().json()
    assert answer["server"] == "weather_server"
    assert "rainy" in answer["content"][0]["text"]


def test_a_name_that_two_servers_have_is_refused_with_both(two_servers: Program) -> None:
    two_servers("tools", "call", "weather_lookup", "{}").refused("weather_server-weather_lookup", "failing-weather_lookup")
    ended = two_servers("tools", "call", "failing-weather_lookup", '{"location": "Rome"}').done()
    assert ended.output == "always fine in Rome\n"


def test_a_tool_that_fails_exits_1_with_its_reason(two_servers: Program) -> None:
    two_servers("tools", "call", "fail").refused("no luck")
    ended = two_servers("tools", "call", "fail", "--json")
    assert ended.status == 1
    assert ended.json()["isError"] is True


def test_what_cannot_be_called_is_refused(project: Program) -> None:
    project("tools", "call", "nothing").refused("no tool 'nothing'", "aurite tools list")
    project("tools", "call", "weather_lookup", "{").refused("not JSON", status=2)
    project("tools", "call", "weather_lookup", "[1]").refused("no object", status=2)
    project("tools", "list", "nowhere").refused("nowhere")


def test_a_server_that_does_not_start_hides_no_other_and_exits_1(project: Program) -> None:
    add(project, "gone.json", {"type": "mcp_server", "name": "gone", "server_path": "mcp_servers/gone.py"})

    ended = project("tools", "list")

    assert ended.status == 1
    assert "weather_server-weather_lookup" in ended.output
    assert "gone.py" in ended.errors
    assert "rainy" in project("tools", "call", "weather_server-weather_lookup", '{"location": "London"}').done().output
