"""``aurite export``: components of files into the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.errors import Status
from aurite.cli.output import counted, on_terminal, problem_document, progress, remark, say_json, say_table, tell_problems
from aurite.errors import InvalidComponentError

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.records import Key
    from aurite.transfer.export import ExportReport


@click.command
@click.option("--dry-run", is_flag=True, help="Only say what is new, changed, the same, shadowed, and in the database alone.")
@click.option("--prune", is_flag=True, help="Delete what only the database holds.")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is not valid, instead of writing nothing; exit status 3.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def export(ctx: click.Context, *, dry_run: bool, prune: bool, skip_invalid: bool, yes: bool, as_json: bool) -> None:
    """Bring the components of files into the database that the settings name, whichever mode is on; all or nothing.

    What is the same already stays untouched.
    """
    with open_app() as app:
        if prune and not dry_run:
            _require_consent(app, yes=yes)
        try:
            with progress("Exporting components"):
                report = app.export(dry_run=dry_run, prune=prune, skip_invalid=skip_invalid)
        except InvalidComponentError as error:
            for reason in error.reasons:
                remark(f"Problem: {reason}")
            raise
    if as_json:
        _say_document(report, prune=prune)
    else:
        _say_report(report, prune=prune)
    if report.problems:
        ctx.exit(Status.PARTLY if skip_invalid else Status.FAILED)


def _require_consent(app: Aurite, *, yes: bool) -> None:
    extra = app.export(dry_run=True).extra
    if extra and not yes:
        for type_, name in extra:
            remark(f"only in the database: {type_} {name}")
        require_consent(f"Delete {counted(len(extra), 'component')} that only the database holds?", yes=yes)


def _say_report(report: ExportReport, *, prune: bool) -> None:
    groups: list[tuple[str, tuple[Key, ...]]] = [
        ("new", report.new),
        ("changed", report.changed),
        ("pruned" if prune else "only in database", report.extra),
    ]
    if report.dry_run:
        groups += [("same", report.same), ("shadowed", tuple(component.key for component in report.shadowed))]
    if report.dry_run or on_terminal():
        say_table(["Name", "Type", "What"], ([name, type_, group] for group, keys in groups for type_, name in keys))
    tell_problems(report.problems)
    did = "Would export" if report.dry_run else "Exported"
    remark(f"{did} from {report.source} to {report.target}: {_summary(report, prune=prune)}.")


def _summary(report: ExportReport, *, prune: bool) -> str:
    extra = f"{len(report.extra)} {'pruned' if prune else 'only in the database'}"
    parts = [f"{len(report.new)} new", f"{len(report.changed)} changed", f"{len(report.same)} the same", extra]
    if report.shadowed:
        parts.append(f"{len(report.shadowed)} shadowed")
    if report.problems:
        parts.append(f"{len(report.problems)} skipped")
    return ", ".join(parts)


def _say_document(report: ExportReport, *, prune: bool) -> None:
    say_json(
        {
            "source": report.source,
            "target": report.target,
            "dry_run": report.dry_run,
            "new": _keys(report.new),
            "changed": _keys(report.changed),
            "same": _keys(report.same),
            "pruned" if prune else "only_in_database": _keys(report.extra),
            "shadowed": [{"type": component.type, "name": component.name} for component in report.shadowed],
            "problems": [problem_document(problem) for problem in report.problems],
        }
    )


def _keys(keys: tuple[Key, ...]) -> list[dict[str, str]]:
    return [{"type": type_, "name": name} for type_, name in keys]
