"""What a move did, or would do: as tables and remarks for people, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aurite.cli import switching
from aurite.cli.output import counted, remark, say_json, say_table

if TYPE_CHECKING:
    from aurite.settings import Settings
    from aurite.transfer.migrate import MoveReport, TableReport

_NOUNS = {
    "components": "component",
    "sessions": "session",
    "messages": "message",
    "evaluation_results": "evaluation result",
    "component_revisions": "revision",
}
_UNITS = {"evaluation": "evaluation result"}
_HEADING = ("Table", "Rows read", "Written", "Verified", "Seconds", "Rows/s")


def document(report: MoveReport, variables: Mapping[str, str]) -> dict[str, Any]:
    """The report as ``--json`` prints it."""
    return {
        "source": report.source,
        "target": report.target,
        "dry_run": report.dry_run,
        "verified": report.verified,
        "on_conflict": report.on_conflict,
        "tables": [
            {
                "table": table.table,
                "read": table.read,
                "written": table.written,
                "verified": table.verified,
                "digest": table.digest or None,
                "seconds": round(table.seconds, 6),
                "rows_per_second": _rate(table.read, table.seconds),
                "target_rows": report.target_rows[table.table],
            }
            for table in report.tables
        ],
        "conflicts": dict(report.conflicts),
        "config_version": report.config_version,
        "seconds": round(report.seconds, 6),
        "env": switching.lines(variables),
    }


def say_move(report: MoveReport, variables: Mapping[str, str], settings: Settings, *, as_json: bool) -> None:
    """What was moved, and how to switch over to it."""
    if as_json:
        say_json(document(report, variables))
    else:
        say_table(_HEADING, _rows(report))
    written = sum(table.written for table in report.tables)
    proof = "not verified, as you said"
    if report.verified:
        proof = "every row was read again and is the same" if written else "nothing was new to the target"
    remark(f"Moved {counted(written, 'row')} from {report.source} to {report.target}; {proof}.")
    for text in _left_out(report):
        remark(text)
    if not as_json:
        switching.tell(variables, settings)


def say_look(report: MoveReport, variables: Mapping[str, str], *, as_json: bool) -> None:
    """What would be moved, and what the target holds."""
    if as_json:
        say_json(document(report, variables))
    else:
        rows = ([table.table, f"{table.read:,}", f"{report.target_rows[table.table]:,}"] for table in report.tables)
        say_table(("Table", "Rows in the source", "Rows in the target"), rows)
    read = sum(table.read for table in report.tables)
    remark(f"Would move {counted(read, 'row')} from {report.source} to {report.target}. Every row fits.")
    if not is_empty(report):
        text = f"The target is not empty ({held(report.target_rows)})"
        refused = report.on_conflict == "fail"
        remark(f"{text}: the move would be refused without --on-conflict." if refused else f"{text}.")


def is_empty(report: MoveReport) -> bool:
    """Whether the target held nothing before."""
    return not any(report.target_rows.values())


def held(rows: Mapping[str, int]) -> str:
    """``7 components, 2 sessions, 20 messages``: what a database holds, for people."""
    return ", ".join(counted(rows[table], noun) for table, noun in _NOUNS.items() if rows.get(table)) or "nothing"


def _rows(report: MoveReport) -> list[list[str]]:
    rows = [_row(table.table, [table], report) for table in report.tables]
    return [*rows, _row("total", report.tables, report)]


def _row(name: str, tables: list[TableReport], report: MoveReport) -> list[str]:
    read, seconds = sum(table.read for table in tables), sum(table.seconds for table in tables)
    rate = _rate(read, seconds)
    return [
        name,
        f"{read:,}",
        f"{sum(table.written for table in tables):,}",
        f"{sum(table.verified for table in tables):,}" if report.verified else "-",
        f"{seconds:.2f}",
        "-" if rate is None else f"{rate:,}",
    ]


def _rate(rows: int, seconds: float) -> int | None:
    return round(rows / seconds) if rows and seconds else None


def _left_out(report: MoveReport) -> list[str]:
    both = [counted(count, _UNITS.get(unit, unit)) for unit, count in report.conflicts.items() if count]
    did = "replaced" if report.on_conflict == "replace" else "left as they were in the target"
    said = [f"In both, and {did}: {' and '.join(both)}."] if both else []
    history = next(table for table in report.tables if table.table == "component_revisions")
    if history.read > history.written:
        said.append(f"The history of components ({counted(history.read, 'row')}) moves into an empty target only.")
    return said
