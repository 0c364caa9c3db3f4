"""The tables that hold what users keep: their columns and keys, the same in every database, as a move needs to know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal["component", "history", "session", "evaluation"]


@dataclass(frozen=True, slots=True)
class Table:
    """One table; the first columns are its key."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    """All of them, the key first."""
    numbers: frozenset[str]
    """Columns that hold integers; all others hold text."""
    optional: frozenset[str]
    """Columns that may be NULL."""
    unit: Unit
    """To what a row belongs when databases are merged: a component, a session or the result of an evaluation moves whole, history
    only into an empty target."""


def _table(name: str, unit: Unit, key: str, rest: str, optional: str = "") -> Table:
    """``#`` behind a column's name: it holds integers."""
    named = [*key.split(), *rest.split()]
    return Table(
        name=name,
        key=tuple(column.removesuffix("#") for column in key.split()),
        columns=tuple(column.removesuffix("#") for column in named),
        numbers=frozenset(column.removesuffix("#") for column in named if column.endswith("#")),
        optional=frozenset(optional.split()),
        unit=unit,
    )


_ALL = (
    _table("components", "component", "type name", "document revision# created_at# updated_at# writer provenance", "provenance"),
    _table(
        "component_revisions",
        "history",
        "revision# type name",
        "change document provenance writer author changed_at#",
        "document provenance author",
    ),
    _table(
        "sessions",
        "session",
        "session_id",
        "base_session_id parent_session_id kind name status title message_count# created_at# active_at#",
        "parent_session_id title",
    ),
    _table("session_tags", "session", "session_id tag", "created_at#"),
    _table(
        "runs",
        "session",
        "run_id",
        "session_id status started_at# ended_at# error result usage owner",
        "ended_at error result usage owner",
    ),
    _table("messages", "session", "session_id seq#", "role document native provider run_id created_at#", "native provider run_id"),
    _table(
        "evaluation_results",
        "evaluation",
        "result_id",
        "evaluation document component_type score status created_at#",
        "component_type score status",
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _ALL})
"""By name, in an order in which each comes after those it refers to."""
