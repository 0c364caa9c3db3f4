"""The SQL of a merge: staged rows brought into tables that hold some of their keys, the same statements on every engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aurite.model.records import Problem
from aurite.storage.tables import TABLES, Table

_UNITS = {
    "component": ("components", ("type", "name")),
    "session": ("sessions", ("session_id",)),
    "evaluation": ("evaluation_results", ("result_id",)),
}
"""The table that says whether a component, a session or a result is there, and the columns by which rows belong to it."""


@dataclass(frozen=True, slots=True)
class MergeStatements:
    conflicts: dict[str, str]
    """By unit, a statement that counts what is both staged and there."""
    steps: list[str]
    """What brings the staged rows in, in order."""


def staging_name(table: Table) -> str:
    """The name of the temporary table beside a table."""
    return f"staged_{table.name}"


def merge_statements(*, replace: bool, version: int) -> MergeStatements:
    """How the staged rows are brought in.

    A session moves whole: its messages are never mixed with those of a session of the same id. History is not merged; each
    component brought in gets one line of it.

    Args:
        replace: what is there gives way; otherwise what is staged is left out.
        version: the revision that components get.
    """
    steps: list[str] = []
    for unit, (owner, key) in _UNITS.items():
        tables = [table for table in TABLES.values() if table.unit == unit]
        for table in reversed(tables):  # dependants before what they depend on
            steps += _make_room(table, owner, key, replace=replace)
        steps += [
            f"INSERT INTO {table.name} ({', '.join(table.columns)}) SELECT {', '.join(table.columns)} FROM {staging_name(table)}"
            for table in tables
            if table.name != "components"
        ]
    staged = staging_name(TABLES["components"])
    columns = ", ".join(TABLES["components"].columns)
    steps += [
        f"UPDATE {staged} SET revision = {version}",
        f"INSERT INTO components ({columns}) SELECT {columns} FROM {staged}",
        "INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, changed_at)"
        f" SELECT {version}, staged.type, staged.name, CASE WHEN (SELECT change FROM component_revisions AS known"
        " WHERE known.type = staged.type AND known.name = staged.name ORDER BY revision DESC LIMIT 1)"
        " IN ('create', 'update') THEN 'update' ELSE 'create' END,"
        f" document, provenance, 'migrate', updated_at FROM {staged} AS staged",
    ]
    return MergeStatements(
        conflicts={
            unit: f"SELECT count(*) FROM {staging_name(TABLES[owner])} AS staged"
            f" WHERE EXISTS (SELECT 1 FROM {owner} WHERE {_same(owner, 'staged', key)})"
            for unit, (owner, key) in _UNITS.items()
        },
        steps=steps,
    )


def merged_rows(table: Table) -> str:
    """What to select from for the rows of a table that belong to what is staged, rows that were not staged included."""
    owner, key = _UNITS[table.unit]
    return (
        f"{table.name} WHERE EXISTS (SELECT 1 FROM {staging_name(TABLES[owner])} AS owner WHERE {_same(table.name, 'owner', key)})"
    )


def clash_statement(*, replace: bool) -> str:
    """What finds staged runs whose id is taken by a run of another session, one that stays."""
    stays = "NOT EXISTS (SELECT 1 FROM staged_sessions AS moving WHERE moving.session_id = runs.session_id)"
    moves = "NOT EXISTS (SELECT 1 FROM sessions AS there WHERE there.session_id = staged.session_id)"
    return (
        "SELECT staged.run_id, staged.session_id, runs.session_id FROM staged_runs AS staged"
        " JOIN runs ON runs.run_id = staged.run_id"
        f" WHERE {stays if replace else moves} ORDER BY staged.run_id"
    )


def clashing_runs(rows: Iterable[Sequence[object]]) -> list[Problem]:
    """The rows of that statement, told."""
    return [
        Problem(f"runs ({run_id!r})", f"it belongs to session {session_id!r}, but in the target to session {taken_by!r}")
        for run_id, session_id, taken_by in rows
    ]


def _make_room(table: Table, owner: str, key: tuple[str, ...], *, replace: bool) -> list[str]:
    stage = staging_name(table)
    if replace:
        there = staging_name(TABLES[owner])
        return [f"DELETE FROM {table.name} WHERE EXISTS (SELECT 1 FROM {there} AS owner WHERE {_same(table.name, 'owner', key)})"]
    return [f"DELETE FROM {stage} WHERE EXISTS (SELECT 1 FROM {owner} WHERE {_same(owner, stage, key)})"]


def _same(one: str, other: str, key: tuple[str, ...]) -> str:
    return " AND ".join(f"{one}.{column} = {other}.{column}" for column in key)
