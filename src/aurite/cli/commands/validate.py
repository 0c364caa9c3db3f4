"""``aurite validate``: every error and warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aurite.cli.context import open_app
from aurite.cli.output import counted, on_one_line, printable, remark, say, say_json
from aurite.model.kinds import kind_of

if TYPE_CHECKING:
    from aurite.config.manager import Validation


@click.command
@click.argument("type_", metavar="[TYPE]", required=False)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def validate(ctx: click.Context, type_: str | None, name: str | None, *, as_json: bool) -> None:
    """Check all components, those of a TYPE, or the one of that NAME; exit status 1 where there is an error."""
    wanted = kind_of(type_).type if type_ is not None else None
    with open_app() as app:
        found = [entry for entry in app.config.validate_all_components() if _fits(entry, wanted, name)]
        if wanted is not None and name is not None and not found:
            app.config.require_component(wanted, name)
    if as_json:
        say_json({"components": [_document(entry) for entry in found]})
    else:
        _say_findings(found)
    if any(entry.errors for entry in found):
        ctx.exit(1)


def _fits(entry: Validation, type_: str | None, name: str | None) -> bool:
    # A file that could not be read may hold anything of the type.
    return (type_ in (None, entry.type) or entry.type is None) and name in (None, entry.name)


def _document(entry: Validation) -> dict[str, object]:
    return {
        "type": entry.type,
        "name": entry.name,
        "where": entry.where,
        "errors": list(entry.errors),
        "warnings": list(entry.warnings),
    }


def _say_findings(found: list[Validation]) -> None:
    for entry in found:
        subject = f"{entry.where}: {entry.type} {entry.name!r}" if entry.name is not None else entry.where
        for level, reasons in (("error", entry.errors), ("warning", entry.warnings)):
            for reason in reasons:
                say(printable(on_one_line(f"{level}: {subject}: {reason}")))
    checked = sum(entry.name is not None for entry in found)
    errors, warnings = sum(len(entry.errors) for entry in found), sum(len(entry.warnings) for entry in found)
    remark(f"{counted(checked, 'component')} checked: {counted(errors, 'error')}, {counted(warnings, 'warning')}.")
