"""``aurite list``: what components there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import open_app
from aurite.cli.instants import iso
from aurite.cli.output import counted, on_terminal, problem_document, remark, say_json, say_table, tell_problems
from aurite.errors import UnknownTypeError, UsageError
from aurite.model.kinds import KINDS, kind_of

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.records import Component

_GROUPS = {
    "all": tuple(KINDS),
    "index": tuple(KINDS),
    "workflows": tuple(type_ for type_ in KINDS if type_.endswith("_workflow")),
}
_OF_SOURCE = ("source_file", "context_level", "project_name", "workspace_name")


@click.command("list")
@click.argument("what", required=False, default="all", metavar="[TYPE]")
@click.option("--shadowed", is_flag=True, help="List those that others of the same type and name win over.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_components(what: str, *, shadowed: bool, as_json: bool) -> None:
    """List components.

    TYPE is a type (agents, llms, mcp_servers, linear_workflows, graph_workflows, custom_workflows, evaluations, securities),
    workflows for all three kinds of them, all (the default), or index for all as JSON. What could not be read is listed below,
    on standard error.
    """
    types = _types(what)
    with open_app() as app:
        config = app.config
        # Reading them first asks for changes; the problems are then of the same moment.
        components = config.components(types[0] if len(types) == 1 else None)
        if shadowed:
            components = sorted(config.shadowed(), key=lambda component: component.key)
        chosen = [component for component in components if component.type in types]
        if as_json or what == "index":
            _say_document(app, chosen)
        else:
            _say_components(chosen, with_type=len(types) > 1, root=app.settings.root)
            remark_on(app, chosen, types, shadowed=shadowed)
        tell_problems(config.problems())


def _types(what: str) -> tuple[str, ...]:
    if what in _GROUPS:
        return _GROUPS[what]
    try:
        return (kind_of(what).type,)
    except UnknownTypeError as error:
        words = (*_GROUPS, *(kind.plural for kind in KINDS.values()))
        raise UsageError(f"there is nothing called {what!r} to list", next_step=f"One of: {', '.join(words)}.") from error


def _say_components(components: Sequence[Component], *, with_type: bool, root: Path) -> None:
    rows = (_row(component, with_type=with_type, root=root) for component in components)
    say_table(["Name", *(["Type"] if with_type else []), "From", "Description"], rows, wrapping=("From", "Description"))


def _row(component: Component, *, with_type: bool, root: Path) -> list[str]:
    described = _text(component.config().get("description"))
    return [component.name, *([component.type] if with_type else []), _source(component, root), described]


def _source(component: Component, root: Path) -> str:
    file = _text(_provenance(component).get("source_file"))
    return file.removeprefix(f"{root}/") or component.writer


def _provenance(component: Component) -> dict[str, Any]:
    from aurite.model.jsontext import decode

    known = decode(component.provenance) if component.provenance else {}
    return known if isinstance(known, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _say_document(app: Aurite, components: Sequence[Component]) -> None:
    problems = app.config.problems()
    say_json(
        {
            "store": app.config.location,
            "components": [component_document(component) for component in components],
            "problems": [problem_document(problem) for problem in problems],
        }
    )


def component_document(component: Component) -> dict[str, Any]:
    """A component as ``--json`` lists it: identity, description, revision and where it comes from."""
    known = _provenance(component)
    return {
        "type": component.type,
        "name": component.name,
        "description": component.config().get("description"),
        "revision": component.revision,
        "updated_at": iso(component.updated_at),
        "writer": component.writer,
        **{field: known.get(field) for field in _OF_SOURCE},
    }


def remark_on(app: Aurite, components: Sequence[Component], types: Sequence[str], *, shadowed: bool = False) -> None:
    """Say in which store the components are; where there are none, what would bring some there."""
    if components:
        if on_terminal():
            remark(f"{counted(len(components), 'component')} in {app.store_description}.")
        return
    what = KINDS[types[0]].plural.replace("_", " ") if len(types) == 1 else "components"
    if shadowed:
        remark(f"No shadowed {what} in {app.store_description}.")
        return
    remark(f"No {what} in {app.store_description}.")
    if app.settings.enable_db:
        waiting = sum(type_ in types for type_, _ in app.files.load().components) if app.context.sources else 0
        if waiting:
            remark(f"Files hold {counted(waiting, 'component')} that fit: 'aurite export' brings them into the database.")
    elif not app.config.problems() and not app.config.components():
        remark("Add some below a folder that .aurite names in include_configs, or make a project with examples: 'aurite init'.")
