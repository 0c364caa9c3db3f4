"""``aurite import``: the components of the database as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.commands.db import require_existing
from aurite.cli.context import open_app
from aurite.cli.errors import Status
from aurite.cli.migration import ended_properly
from aurite.cli.output import counted, problem_document, progress, remark, say_json, say_table, tell_problems
from aurite.errors import InvalidComponentError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aurite.model.records import Key
    from aurite.transfer.imports import Format, ImportReport


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path), default="imported")
@click.option("--format", "format_", type=click.Choice(["json", "yaml"]), default="json", show_default=True, help="Kind of files.")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is not valid, instead of writing nothing; exit status 3.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def import_(ctx: click.Context, folder: Path, *, format_: Format, skip_invalid: bool, as_json: bool) -> None:
    """Write the components of the database that the settings name, whichever mode is on, as files into a new FOLDER.

    FOLDER (imported, unless given) must not be there, or be empty; it becomes a project with one file for each type, written all or
    nothing. An export from it finds everything the same.
    """
    with open_app() as app:
        require_existing(app)
        try:
            with ended_properly(), progress("Writing components"):
                report = app.import_(folder, format=format_, skip_invalid=skip_invalid)
        except (InvalidComponentError, VerificationError) as error:
            for reason in error.reasons if isinstance(error, InvalidComponentError) else error.differences:
                remark(f"Problem: {reason}")
            raise
    if as_json:
        _say_document(report)
    else:
        say_table(["File", "Components"], ([name, f"{count:,}"] for name, count in report.files.items()))
    _tell(report)
    if report.problems:
        ctx.exit(Status.PARTLY)


def _tell(report: ImportReport) -> None:
    tell_problems(report.problems)
    for one in report.relative_paths:
        start = f" (it started at {one.folder})" if one.folder else ""
        remark(f"Copy along: the {one.field} {one.path} of {one.key[0]} {one.key[1]} starts at the new folder now{start}.")
    for type_, name in report.respelled:
        remark(f"Spelt anew: {type_} {name} was written by hand in the database; its values are the same.")
    skipped = f", {len(report.problems)} skipped" if report.problems else ""
    remark(f"Wrote {counted(len(report.imported), 'component')} of {report.source} to {report.folder}{skipped}.")


def _say_document(report: ImportReport) -> None:
    say_json(
        {
            "source": report.source,
            "folder": report.folder,
            "files": [{"file": name, "components": count} for name, count in report.files.items()],
            "imported": _keys(report.imported),
            "respelled": _keys(report.respelled),
            "relative_paths": [
                {"type": one.key[0], "name": one.key[1], "field": one.field, "path": one.path, "folder": one.folder}
                for one in report.relative_paths
            ],
            "problems": [problem_document(problem) for problem in report.problems],
        }
    )


def _keys(keys: Iterable[Key]) -> list[dict[str, str]]:
    return [{"type": type_, "name": name} for type_, name in keys]
