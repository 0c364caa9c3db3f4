"""``aurite backup``: the database as one file, and whether such a file is still as it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import tell_settings
from aurite.cli.instants import for_people, iso
from aurite.cli.migration import ended_properly, told_in_full
from aurite.cli.migration_progress import progress_bars
from aurite.cli.output import asking_is_possible, counted, remark, say_json, say_table
from aurite.cli.sizes import in_units
from aurite.errors import UsageError
from aurite.settings import Settings
from aurite.stores import backup_file, movable, movable_file

if TYPE_CHECKING:
    from aurite.storage.backup.manifest import Manifest
    from aurite.transfer.backup import BackupReport, CheckReport


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source-path", type=click.Path(path_type=Path), help="Copy this SQLite file, not the database of the settings.")
@click.option(
    "--check", is_flag=True, help="Make none: compare FILE with what it was when it was made; exit status 1 if it differs."
)
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def backup(
    ctx: click.Context, file: Path, *, source_path: Path | None, check: bool, overwrite: bool, yes: bool, as_json: bool
) -> None:
    """Copy the database that the settings name, SQLite or PostgreSQL, into FILE, while others go on writing.

    FILE is a SQLite database with every table and a manifest of digests, readable by its owner alone; it is there whole or not at
    all. For a large PostgreSQL database with other schemas in it, pg_dump may suit better.
    """
    if check:
        if source_path is not None or overwrite:
            raise UsageError("--check makes no backup, so it takes neither --source-path nor --overwrite")
        if _check(file, as_json=as_json):
            ctx.exit(1)
        return
    if overwrite and file.exists():
        _require_consent(file, yes=yes)
    report = _made(file, source_path, overwrite=overwrite)
    if as_json:
        say_json({**_document(report.file, report.bytes, report.manifest), "seconds": round(report.seconds, 6)})
        return
    _say_tables(report.manifest)
    remark(f"Copied {report.manifest.location} to {report.file}: {_amount(report)}.")


def _require_consent(file: Path, *, yes: bool) -> None:
    if not yes and not asking_is_possible():
        raise UsageError(f"{file} is there already, and there is no terminal to ask on", next_step="Give --yes to replace it")
    require_consent(f"Replace {file}?", yes=yes)


def _made(file: Path, source_path: Path | None, *, overwrite: bool) -> BackupReport:
    from aurite.transfer.backup import back_up

    settings = Settings.from_env(Path.cwd())
    tell_settings(settings)
    source = movable(settings) if source_path is None else movable_file(source_path)
    engine = settings.db_type if source_path is None else "sqlite"
    with told_in_full(), ended_properly(), progress_bars() as advance:
        return back_up(source, backup_file(file), engine=engine, overwrite=overwrite, progress=advance)


def _check(file: Path, *, as_json: bool) -> bool:
    """Whether the backup differs; what differs was told."""
    from aurite.transfer.backup import check_backup

    with progress_bars() as advance:
        report = check_backup(backup_file(file), progress=advance)
    if as_json:
        found = {"seconds": round(report.seconds, 6), "differences": list(report.differences)}
        say_json({**_document(report.file, report.bytes, report.manifest), **found})
    else:
        _say_tables(report.manifest)
    for difference in report.differences:
        remark(f"Problem: {difference}")
    made = f"made {for_people(report.manifest.made_at)} from {report.manifest.location}"
    wrong = counted(len(report.differences), "difference")
    said = f"not as it was {made}: {wrong}" if report.differences else f"as it was {made}: {_amount(report)}"
    remark(f"{report.file} is {said}.")
    return bool(report.differences)


def _document(file: str, size: int, manifest: Manifest) -> dict[str, Any]:
    return {
        "file": file,
        "bytes": size,
        "made_at": iso(manifest.made_at),
        "made_by": manifest.made_by,
        "engine": manifest.engine,
        "location": manifest.location,
        "schema_version": manifest.schema_version,
        "tables": [{"table": entry.table.name, "rows": entry.rows, "digest": entry.digest} for entry in manifest.tables],
    }


def _say_tables(manifest: Manifest) -> None:
    say_table(["Table", "Rows"], ([entry.table.name, f"{entry.rows:,}"] for entry in manifest.tables))


def _amount(report: BackupReport | CheckReport) -> str:
    rows = counted(sum(entry.rows for entry in report.manifest.tables), "row")
    return f"{rows}, {in_units(report.bytes)}, {report.seconds:.1f} seconds"
