"""``aurite init`` makes a project or workspace that works, and never touches a file that is there."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest

from aurite.variables import VARIABLES
from tests.cli.program import Program


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments", [("-p", "demo"), ("demo", "-p"), ("--project", "demo"), ("demo", "--project")])
def test_a_project_holds_components_of_which_each_is_valid(aurite: Program, arguments: tuple[str, ...]) -> None:
    written = aurite("init", *arguments).done().lines

    assert sorted(written) == sorted(f"demo/{name}" for name in content(aurite.folder / "demo"))
    project = aurite.inside("demo")
    project("validate").done()
    names = {entry["name"] for entry in project("list", "--json").done().json()["components"]}
    assert {"Weather Agent", "offline", "weather_server"} <= names


def test_the_example_of_an_env_file_names_every_variable_and_sets_none(project: Program) -> None:
    lines = (project.folder / ".env.example").read_text().splitlines()

    assert all(any(line.startswith(f"#{variable.name}=") for line in lines) for variable in VARIABLES)
    assert all(line.startswith("#") or not line for line in lines)


def test_what_a_project_must_not_share_is_ignored_by_git(project: Program) -> None:
    ignored = (project.folder / ".gitignore").read_text().splitlines()

    assert {".env", ".aurite_db/", ".aurite_cache/"} <= set(ignored)


def test_a_project_inside_a_workspace_becomes_one_of_its_projects(aurite: Program) -> None:
    aurite("init", "-w", "team").done()
    team = aurite.inside("team")
    anchor = team.folder / ".aurite"
    anchor.write_text(anchor.read_text() + "# kept\n")
    team("init", "-p", "one").done()
    (team.folder / "deeper").mkdir()
    team.inside("deeper")("init", "-p", "two").done()

    text = anchor.read_text()
    assert tomllib.loads(text)["aurite"]["projects"] == ["one", "deeper/two"]
    assert text.endswith("# kept\n")
    assert "Weather Agent" in team.inside("one")("list", "agents").done().output


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "-x", "ä", "a\n", "~"])
def test_a_name_that_is_no_plain_folder_name_is_refused(aurite: Program, name: str) -> None:
    aurite("init", "-p", "--", name).refused("name", status=2)

    assert not list(aurite.folder.iterdir())


def test_a_file_that_is_there_is_never_overwritten_and_nothing_is_written_beside_it(aurite: Program) -> None:
    mine = aurite.folder / "demo" / "config" / "agents" / "example_agents.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    aurite("init", "-p", "demo").refused("example_agents.json", "nothing was written")

    assert content(aurite.folder) == {"demo/config/agents/example_agents.json": b"mine"}


def test_a_dangling_link_counts_as_a_file_that_is_there(aurite: Program) -> None:
    (aurite.folder / "demo").mkdir()
    (aurite.folder / "demo" / ".aurite").symlink_to("/nowhere/at/all")

    aurite("init", "-p", "demo").refused(".aurite", "nothing was written")


def test_a_folder_that_cannot_be_written_is_refused_with_its_name(aurite: Program) -> None:
    aurite.folder.chmod(0o555)

    aurite.without_power()("init", "-p", "demo").refused("demo", "permission denied")


def test_without_a_terminal_it_asks_nothing(aurite: Program) -> None:
    for arguments in ((), ("demo",), ("-p",), ("-w",)):
        aurite("init", *arguments).refused("-p NAME", "-w NAME", status=2)

    aurite("init", "-p", "-w", "demo").refused("-p and -w", status=2)
    assert not list(aurite.folder.iterdir())


def test_on_a_terminal_a_short_wizard_asks_and_names_the_next_steps(aurite: Program) -> None:
    with aurite.terminal("init") as person:
        person.sees("project, or a workspace")
        person.types("project\n")
        person.sees("Name of the project")
        person.types("not/good\n")
        person.sees("cannot be the name")
        person.types("demo\n")
        person.sees("SQLite database?")
        person.types("y\n")
        person.sees("aurite export")
        status, _ = person.ends()

    assert status == 0
    env = aurite.folder / "demo" / ".env"
    assert env.read_text() == "AURITE_ENABLE_DB=true\n"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    demo = aurite.inside("demo")
    demo("export").done()
    assert demo("list", "--json").done().json()["store"].endswith(".aurite_db/aurite.db")


def test_ctrl_c_in_the_wizard_writes_nothing(aurite: Program) -> None:
    with aurite.terminal("init") as person:
        person.sees("project, or a workspace")
        person.presses_ctrl_c()
        status, shown = person.ends()

    assert status == 130
    assert "Traceback" not in shown
    assert not list(aurite.folder.iterdir())


def test_the_weather_server_speaks_mcp(project: Program) -> None:
    import asyncio
    import sys

    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def ask(location: str) -> str:
        server = project.folder / "mcp_servers" / "weather_server.py"
        parameters = StdioServerParameters(command=sys.executable, args=[str(server)])
        async with Client(stdio_client(parameters)) as client:
            tools = await client.list_tools()
            assert [tool.name for tool in tools.tools] == ["weather_lookup"]
            result = await client.call_tool("weather_lookup", {"location": location})
            return json.dumps(result.model_dump(mode="json"), ensure_ascii=False)

    assert "rainy, 15 °C" in asyncio.run(ask("London"))
    assert "no weather report for Atlantis" in asyncio.run(ask("Atlantis"))
