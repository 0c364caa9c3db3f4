"""Plans kept as files in the folder ``plans`` of the project."""

from __future__ import annotations

from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("planning_server")
FOLDER = Path("plans")


@server.tool()
def save_plan(plan_name: str, plan_content: str) -> str:
    """Keep a plan under a name."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{plan_name}.txt").write_text(plan_content, encoding="utf-8")
    return f"The plan {plan_name} is saved."


@server.tool()
def list_plans() -> list[str]:
    """The names of all plans."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


@server.resource("planning://plan/{name}")
def plan(name: str) -> str:
    """One plan."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    server.run()
