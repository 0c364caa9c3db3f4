"""``aurite init``: a new project or workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.output import asking_is_possible, printable, remark, say
from aurite.errors import UsageError

if TYPE_CHECKING:
    from aurite.cli.scaffold import ScaffoldKind


@dataclass(frozen=True, slots=True)
class _Wish:
    kind: ScaffoldKind
    name: str
    with_database: bool = False


@click.command
@click.argument("name", required=False)
@click.option("-p", "--project", is_flag=True, help="Make the project NAME.")
@click.option("-w", "--workspace", is_flag=True, help="Make the workspace NAME, a place for several projects.")
def init(name: str | None, *, project: bool, workspace: bool) -> None:
    """Make a folder NAME with the configuration of a project or workspace and examples that run without a key.

    Without -p and -w it asks. A project made inside a workspace becomes one of its projects. Files that are there already are
    never overwritten.
    """
    wish = _wish(name, project=project, workspace=workspace)
    _carry_out(wish)


def _wish(name: str | None, *, project: bool, workspace: bool) -> _Wish:
    from aurite.cli.scaffold import check_folder_name

    if project and workspace:
        raise UsageError("-p and -w exclude each other")
    if name is not None:
        check_folder_name(name)
    if name is not None and (project or workspace):
        return _Wish("project" if project else "workspace", name)
    if not asking_is_possible():
        raise UsageError("there is no terminal to ask on", next_step="Give -p NAME for a project or -w NAME for a workspace.")
    return _ask(name, project=project, workspace=workspace)


def _ask(name: str | None, *, project: bool, workspace: bool) -> _Wish:
    kind: ScaffoldKind = "workspace" if workspace else "project"
    if not project and not workspace:
        answer = click.prompt("Make a project, or a workspace for several projects?", type=_KINDS, default="project", err=True)
        kind = "workspace" if answer == "workspace" else "project"
    if name is None:
        name = click.prompt(f"Name of the {kind}", default=f"my_{kind}", value_proc=_folder_name, err=True)
    with_database = kind == "project" and click.confirm(
        "Keep components and sessions in a SQLite database?", default=False, err=True
    )
    return _Wish(kind, name, with_database)


_KINDS = click.Choice(["project", "workspace"])


def _folder_name(text: str) -> str:
    from aurite.cli.scaffold import check_folder_name

    try:
        return check_folder_name(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def _carry_out(wish: _Wish) -> None:
    from aurite.cli.scaffold import add_to_workspace, scaffold

    folder = Path.cwd() / wish.name
    written = scaffold(wish.kind, folder, with_database=wish.with_database)
    for path in written:
        say(printable(str(path.relative_to(Path.cwd()))))
    if wish.kind == "project":
        workspace = add_to_workspace(folder)
        if workspace is not None:
            remark(f"Added to the workspace {workspace}.")
    remark(f"Made the {wish.kind} {wish.name}. Next:")
    for step in _next_steps(wish):
        remark(f"  {step}")


def _next_steps(wish: _Wish) -> list[str]:
    steps = [f"cd {wish.name}"]
    if wish.kind == "workspace":
        return [*steps, "aurite init -p my_project"]
    if wish.with_database:
        steps.append("aurite export")
    return [*steps, "aurite list", "aurite run 'Weather Agent' 'What is the weather in London?'"]
