"""``aurite restore``: a backup back into the database that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import tell_settings
from aurite.cli.migration import ended_properly, told_in_full
from aurite.cli.migration_progress import progress_bars
from aurite.cli.migration_report import document, held, is_empty, say_look
from aurite.cli.output import counted, progress, remark, say_json, say_table
from aurite.settings import Settings
from aurite.stores import backup_file, movable

if TYPE_CHECKING:
    from aurite.storage.moving import Movable
    from aurite.transfer.migrate import MoveReport, OnConflict

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
    if dry_run:
        say_look(report, {}, as_json=as_json)
    elif as_json:
        say_json(document(report, {}))
    else:
        rows = ([table.table, f"{table.read:,}", f"{table.written:,}", f"{table.verified:,}"] for table in report.tables)
        say_table(["Table", "Rows in the backup", "Restored", "Verified"], rows)
        _say_sum(report)


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
    written = counted(sum(table.written for table in report.tables), "row")
    remark(f"Restored {written} from {report.source} to {report.target}; every row was read again and is the same.")
    both = [counted(count, unit) for unit, count in report.conflicts.items() if count]
    if both:
        did = "replaced" if report.on_conflict == "replace" else "left as they were"
        remark(f"In both, and {did}: {' and '.join(both)}.")
