"""The program ``aurite``: its global options, and the table of its commands.

Nothing heavier than click is imported here: ``aurite --help`` stays about as fast as an empty click program.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from aurite.cli.errors import exit_status
from aurite.cli.lazy import Entry, LazyGroup

_COMMANDS = "aurite.cli.commands"

TABLE = {
    "init": Entry(f"{_COMMANDS}.init:init", "Make a project or a workspace with examples."),
    "list": Entry(f"{_COMMANDS}.list:list_components", "List components, of all types or of one."),
    "show": Entry(f"{_COMMANDS}.show:show", "Show a component, or all of a type."),
    "run": Entry(f"{_COMMANDS}.run:run", "Run an agent or a workflow with a message, or talk with an agent."),
    "tools": Entry(f"{_COMMANDS}.tools:tools", "List the tools of MCP servers, and call one."),
    "api": Entry(f"{_COMMANDS}.api:api", "Serve components, tools and runs over HTTP."),
    "serve": Entry(f"{_COMMANDS}.api:api", "The same as api."),
    "validate": Entry(f"{_COMMANDS}.validate:validate", "Check components, and tell every error with file and line."),
    "apply": Entry(f"{_COMMANDS}.apply:apply", "Create or replace components from a file."),
    "delete": Entry(f"{_COMMANDS}.delete:delete", "Delete a component."),
    "export": Entry(f"{_COMMANDS}.export:export", "Bring the components of files into the database."),
    "migrate": Entry(f"{_COMMANDS}.migrate:migrate", "Move every table into another database, proven row by row."),
    "import": Entry(f"{_COMMANDS}.import_:import_", "Write the components of the database as files into a new folder."),
    "backup": Entry(f"{_COMMANDS}.backup:backup", "Copy the database into one file that proves itself, or check one."),
    "restore": Entry(f"{_COMMANDS}.restore:restore", "Bring a backup back into the database."),
    "doctor": Entry(f"{_COMMANDS}.doctor:doctor", "Look at everything, and tell what is wrong and what to do."),
    "sessions": Entry(f"{_COMMANDS}.sessions:sessions", "List, show, tag, export and delete the sessions of runs."),
    "config": Entry(f"{_COMMANDS}.config:config", "Show the settings, and the history of components."),
    "schema": Entry(f"{_COMMANDS}.schema:schema", "Print the JSON Schema of a component type, for editors."),
    "db": Entry(f"{_COMMANDS}.db:db", "Make, show, check and upgrade the database."),
}


def _print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # 20 ms, needed here alone

    click.echo(f"aurite {version('aurite')}")
    ctx.exit()


def _change_directory(ctx: click.Context, _parameter: click.Parameter, folder: Path | None) -> None:
    if folder is not None and not ctx.resilient_parsing:
        os.chdir(folder)


@click.group(cls=LazyGroup, table=TABLE, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_change_directory,
    help="Start in this folder, as if called from there.",
)
@click.option("--traceback", is_flag=True, expose_value=False, help="Where Aurite itself fails, show in which lines of its code.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version.")
def aurite() -> None:
    """Run AI agents from configuration; keep components and sessions in files, SQLite or PostgreSQL."""


def main() -> NoReturn:
    """Run the program with the arguments of this process, and end it with its exit status."""
    sys.exit(exit_status(aurite, sys.argv[1:]))
