"""The table for people, and the same as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

import apsw

from bench.measuring import Budget, Measured, Unit

HEADINGS = ("work", "floor", "ours", "ratio", "budget", "holds")


def as_table(rows: Sequence[Measured]) -> str:
    """A Markdown table, its columns aligned for a terminal."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def as_json(rows: Sequence[Measured]) -> str:
    """One document: when and on what it was measured, and the rows."""
    measured = [
        {
            "work": row.work,
            "unit": row.unit,
            "floor": row.floor,
            "ours": row.ours,
            "ratio": None if row.unit == "share" else round(row.ratio, 3),
            "budget": None if row.budget is None else _budget(row.budget, row.unit),
            "holds": row.holds,
        }
        for row in rows
    ]
    return json.dumps({"measured_at": datetime.now(UTC).isoformat(), "machine": machine(), "rows": measured}, indent=2)


def machine() -> str:
    """What it was measured on, in words that name no host."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()},"
        f" SQLite {apsw.sqlite_lib_version()}"
    )


def _cells(row: Measured) -> tuple[str, ...]:
    budget = "" if row.budget is None else _budget(row.budget, row.unit)
    holds = {True: "yes", False: "NO", None: ""}[row.holds]
    ratio = "" if row.unit == "share" else f"{row.ratio:.2f}x"  # a floor that starves its writers has a share of nothing
    return (row.work, amount(row.floor, row.unit), amount(row.ours, row.unit), ratio, budget, holds)


def _budget(budget: Budget, unit: Unit) -> str:
    limit = budget.most if budget.most is not None else budget.least or 0.0
    sign = "<=" if budget.most is not None else ">="
    return f"{sign} {limit:g}x" if budget.of == "ratio" else f"{sign} {amount(limit, unit)}"


def amount(value: float, unit: Unit) -> str:
    """A number with three digits and its unit."""
    match unit:
        case "seconds" if value < 1e-3:
            return f"{value * 1e6:.3g} us"
        case "seconds" if value < 1:
            return f"{value * 1e3:.3g} ms"
        case "seconds":
            return f"{value:.3g} s"
        case "per second":
            return f"{value:,.0f}/s"
        case "bytes":
            return f"{value / 1024:.1f} KiB"
        case "share":
            return f"{value:.2f}"
