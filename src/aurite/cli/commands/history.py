"""``aurite config history|diff|rollback|restore``: what became of a component, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.instants import for_people, iso
from aurite.cli.output import remark, say, say_json, say_lines, say_table
from aurite.model.jsontext import decode
from aurite.model.kinds import kind_of

if TYPE_CHECKING:
    from aurite.model.records import Component, ComponentRevision

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_expected_option = click.option("--expected-revision", type=int, help="Refuse where the component has another revision by now.")


@click.command
@click.argument("type_", metavar="TYPE")
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest.")
@_json_option
def history(type_: str, name: str, *, limit: int | None, as_json: bool) -> None:
    """Show every change of the component NAME of a TYPE, newest first: when, what, from where, by whom."""
    with open_app() as app:
        revisions = app.config.history.revisions(type_, name)[:limit]
    if as_json:
        say_json({"type": kind_of(type_).type, "name": name, "revisions": [_document(revision) for revision in revisions]})
        return
    rows = [[str(r.revision), for_people(r.changed_at), r.change, r.writer, r.author or "-"] for r in revisions]
    say_table(["Revision", "When", "Change", "From", "By"], rows)


@click.command
@click.argument("type_", metavar="TYPE")
@click.argument("name")
@click.argument("before", type=int, required=False)
@click.argument("after", type=int, required=False)
@_json_option
def diff(type_: str, name: str, before: int | None, after: int | None, *, as_json: bool) -> None:
    """Show how NAME differs between the revisions BEFORE and AFTER.

    Without AFTER the newest is meant, without both the last change.
    """
    with open_app() as app:
        text = app.config.history.diff(type_, name, before, after)
    if as_json:
        say_json({"type": kind_of(type_).type, "name": name, "before": before, "after": after, "diff": text.splitlines()})
    elif text:
        say_lines(text)
    else:
        remark("No difference.")


@click.command
@click.argument("type_", metavar="TYPE")
@click.argument("name")
@click.argument("revision", type=int)
@_expected_option
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@yes_option
@_json_option
def rollback(
    type_: str, name: str, revision: int, *, expected_revision: int | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Give NAME the value that it had at REVISION; that becomes a new revision, and nothing of the history is lost."""
    kind = kind_of(type_)
    with open_app() as app:
        current = app.config.require_component(kind.type, name)
        text = app.config.history.diff(kind.type, name, current.revision, revision)
        if dry_run:
            say_json({"dry_run": True, "diff": text.splitlines()}) if as_json else say(text or "No difference.")
            return
        require_consent(f"Replace {kind.label} {name!r} by its revision {revision}?", yes=yes)
        expected = current.revision if expected_revision is None else expected_revision
        component = app.config.history.roll_back(kind.type, name, revision, expected_revision=expected)
    _tell(component, f"{kind.label} {name!r} has the value of revision {revision} again", as_json=as_json)


@click.command
@click.argument("type_", metavar="TYPE")
@click.argument("name")
@_json_option
def restore(type_: str, name: str, *, as_json: bool) -> None:
    """Create a deleted component again, with the last value that it had."""
    kind = kind_of(type_)
    with open_app() as app:
        component = app.config.history.restore(kind.type, name)
    _tell(component, f"{kind.label} {name!r} is there again", as_json=as_json)


def _tell(component: Component, sentence: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"type": component.type, "name": component.name, "revision": component.revision})
    else:
        remark(f"{sentence}; this is revision {component.revision}.")


def _document(revision: ComponentRevision) -> dict[str, Any]:
    return {
        "revision": revision.revision,
        "change": revision.change,
        "writer": revision.writer,
        "author": revision.author,
        "changed_at": iso(revision.changed_at),
        "document": None if revision.document is None else decode(revision.document),
    }
