"""``aurite delete``: away with a component."""

from __future__ import annotations

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.output import remark, say_json
from aurite.errors import RevisionConflictError
from aurite.model.kinds import kind_of


@click.command
@click.argument("type_", metavar="TYPE")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--expected-revision", type=int, help="Refuse where the component has another revision by now.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def delete(type_: str, name: str, *, dry_run: bool, expected_revision: int | None, yes: bool, as_json: bool) -> None:
    """Delete the component NAME of a TYPE."""
    kind = kind_of(type_)
    with open_app() as app:
        component = app.config.require_component(kind.type, name)
        if expected_revision not in (None, component.revision):
            raise RevisionConflictError(
                f"{kind.label} {name!r} is at revision {component.revision}, not {expected_revision}; nothing was deleted",
                current=component.document,
                revision=component.revision,
                next_step="Look at what changed, and delete it with the new revision.",
            )
        place = app.config.place_of(component)
        if not dry_run:
            require_consent(f"Delete the {kind.label} {name!r} from {place}?", yes=yes)
            app.config.delete_config(kind.type, name, expected_revision=expected_revision)
        if as_json:
            say_json({"dry_run": dry_run, "type": kind.type, "name": name, "revision": component.revision})
        else:
            remark(f"{'Would delete' if dry_run else 'Deleted'} {kind.label} {name!r} in {place}.")
