"""``aurite restore``: a backup back into the database that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import tell_settings
from aurite.cli.migration import ended_properly, told_in_full
from aurite.cli.migration_progress import progress_bars
from aurite.cli.migration_report import document, held, is_empty
from aurite.cli.output import counted, progress, remark, say_json, say_table
from aurite.settings import Settings
from aurite.stores import backup_file, movable

if TYPE_CHECKING:
    from aurite.storage.moving import Movable
    from aurite.transfer.migrate import MoveReport, OnConflict, TableReport

_CONFLICTS = click.Choice(["fail", "skip", "replace"], case_sensitive=False)


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--on-conflict",
    type=_CONFLICTS,
    default="fail",
    show_default=True,
    help="A database that is not empty: refuse it, skip the components and sessions that it has, or replace them.",
)
@click.option("--dry-run", is_flag=True, help="Only check the backup and say what would be restored, and what is there.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(file: Path, *, on_conflict: OnConflict, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Bring the backup FILE into the database that the settings name, SQLite or PostgreSQL.

    The backup is checked first, and each row is read again from the database before it counts. The database is complete
    afterwards, or as it was.
    """
    settings = Settings.from_env(Path.cwd())
    tell_settings(settings)
    target = movable(settings)
    if on_conflict == "replace" and not (yes or dry_run):
        _ask(_moved(file, target, on_conflict, dry_run=True))
    report = _moved(file, target, on_conflict, dry_run=dry_run)
    if as_json:
        say_json({name: value for name, value in document(report, {}).items() if name != "env"})
    else:
        heading = ("Table", "Rows in the backup", "In the database", "Restored", "Verified")
        say_table(heading, ([table.table, *_numbers(report, table)] for table in report.tables))
    _say_sum(report)


def _numbers(report: MoveReport, table: TableReport) -> list[str]:
    there = f"{report.target_rows[table.table]:,}"
    done = ["-", "-"] if report.dry_run else [f"{table.written:,}", f"{table.verified:,}"]
    return [f"{table.read:,}", there, *done]


def _moved(file: Path, target: Movable, on_conflict: OnConflict, *, dry_run: bool) -> MoveReport:
    from aurite.transfer.backup import restore as restore_backup

    backup = backup_file(file)
    if dry_run:
        with told_in_full(), ended_properly(), progress("Looking at the backup and the database"):
            return restore_backup(backup, target, on_conflict=on_conflict, dry_run=True)
    with told_in_full(), ended_properly(), progress_bars() as advance:
        return restore_backup(backup, target, on_conflict=on_conflict, progress=advance)


def _ask(look: MoveReport) -> None:
    if not is_empty(look):
        there = held(look.target_rows)
        require_consent(f"{look.target} holds {there}. Replace what is in the backup, too?", yes=False)


def _say_sum(report: MoveReport) -> None:
    if report.dry_run:
        read = counted(sum(table.read for table in report.tables), "row")
        remark(f"Would restore {read} from {report.source} to {report.target}; the backup is as it was made.")
        if not is_empty(report):
            refused = ": it would be refused without --on-conflict" if report.on_conflict == "fail" else ""
            remark(f"The database is not empty ({held(report.target_rows)}){refused}.")
        return
    written = counted(sum(table.written for table in report.tables), "row")
    remark(f"Restored {written} from {report.source} to {report.target}; every row was read again and is the same.")
    both = [counted(count, unit) for unit, count in report.conflicts.items() if count]
    if both:
        did = "replaced" if report.on_conflict == "replace" else "left as they were"
        remark(f"In both, and {did}: {' and '.join(both)}.")
