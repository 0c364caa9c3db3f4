"""A workspace with a project in it, whose components need no network; and the three places where components may be kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aurite.storage.postgres.target import PostgresTarget

MODES = ("files", "sqlite", "postgresql")

_SERVER = '''
import asyncio
from mcp.server import MCPServer

server = MCPServer("tools")

@server.tool()
def weather(city: str) -> str:
    """The weather of a city."""
    return f"It rains in {city}."

@server.tool()
async def wait(seconds: float = 30.0) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "waited"

server.run()
'''

_WORKFLOW = """
import asyncio
from aurite import BaseCustomWorkflow


class Echo(BaseCustomWorkflow):
    async def run(self, initial_input, executor, session_id=None):
        result = await executor.run_agent("Plain Agent", str(initial_input), session_id=session_id)
        return result.text


class Slow(BaseCustomWorkflow):
    async def run(self, initial_input, executor, session_id=None):
        await executor.run_agent("Plain Agent", "begin", session_id=session_id)
        try:
            await asyncio.sleep(float(initial_input))
        finally:
            await asyncio.sleep(0.5)  # gives something back
        return "slept"

    def get_input_type(self):
        return float
"""

COMPONENTS: tuple[dict[str, Any], ...] = (
    {"type": "llm", "name": "offline", "provider": "offline", "model": "offline"},
    {"type": "llm", "name": "no key", "provider": "openai", "model": "gpt", "api_key_env_var": "A_KEY_THAT_IS_NOT_SET"},
    {"type": "agent", "name": "Plain Agent", "llm_config_id": "offline", "system_prompt": "Be plain.", "include_history": True},
    {"type": "agent", "name": "Tool Agent", "llm_config_id": "offline", "mcp_servers": ["tools"], "exclude_components": ["wait"]},
    {
        "type": "agent",
        "name": "Slow Agent",
        "llm_config_id": "offline",
        "mcp_servers": ["tools"],
        "exclude_components": ["weather"],
    },
    {"type": "agent", "name": "Keyless Agent", "llm_config_id": "no key"},
    {"type": "agent", "name": "Lost Agent", "llm_config_id": "nowhere"},
    {"type": "mcp_server", "name": "tools", "server_path": "tools.py", "capabilities": ["tools"], "timeout": 60},
    {"type": "mcp_server", "name": "twin", "server_path": "tools.py", "capabilities": ["tools"], "timeout": 0.5},
    {"type": "mcp_server", "name": "broken", "command": "no-such-program", "capabilities": ["tools"]},
    {"type": "linear_workflow", "name": "Two Steps", "steps": ["Plain Agent", "Plain Agent"]},
    {"type": "linear_workflow", "name": "Lost Steps", "steps": ["nobody"]},
    {
        "type": "graph_workflow",
        "name": "Fork",
        "nodes": [
            {"node_id": "a", "name": "Plain Agent", "type": "agent"},
            {"node_id": "b", "name": "Plain Agent", "type": "agent"},
        ],
        "edges": [{"from": "a", "to": "b"}],
    },
    {"type": "custom_workflow", "name": "Echo", "module_path": "workflows.py", "class_name": "Echo"},
    {"type": "custom_workflow", "name": "Slow", "module_path": "workflows.py", "class_name": "Slow"},
    {"type": "custom_workflow", "name": "Lost Class", "module_path": "workflows.py", "class_name": "Nobody"},
)


def make(folder: Path) -> Path:
    """The folder of the project ``demo`` in a new workspace; a second project ``other`` lies beside it."""
    (folder / ".aurite").write_text('[aurite]\ntype = "workspace"\nprojects = ["demo", "other"]\n', encoding="utf-8")
    for name in ("demo", "other"):
        project = folder / name
        (project / "config").mkdir(parents=True)
        (project / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n', encoding="utf-8")
    demo = folder / "demo"
    (demo / "config" / "all.json").write_text(json.dumps(COMPONENTS), encoding="utf-8")
    (demo / "tools.py").write_text(_SERVER, encoding="utf-8")
    (demo / "workflows.py").write_text(_WORKFLOW, encoding="utf-8")
    return demo


def mode_variables(mode: str, target: PostgresTarget | None) -> dict[str, str]:
    """The variables that turn a mode on."""
    if mode == "files":
        return {}
    if mode == "sqlite":
        return {"AURITE_ENABLE_DB": "true"}
    assert target is not None
    password = {"AURITE_DB_PASSWORD": target.password.reveal()} if target.password else {}
    return {
        "AURITE_ENABLE_DB": "true",
        "AURITE_DB_TYPE": "postgresql",
        "AURITE_DB_HOST": target.host,
        "AURITE_DB_PORT": str(target.port),
        "AURITE_DB_USER": target.user,
        "AURITE_DB_NAME": target.dbname,
        **password,
    }


def export(folder: Path, variables: Mapping[str, str]) -> None:
    """Bring the components of the files into the database."""
    subprocess.run([sys.executable, "-m", "aurite", "export"], cwd=folder, env=dict(variables), check=True, capture_output=True)
