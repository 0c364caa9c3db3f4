"""What a backup says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aurite.model.jsontext import decode, encode
from aurite.storage.tables import TABLES, Table

FORMAT = 1
"""Of backup files; a higher one was made by a newer version."""

SHORT_DIGEST = 8
"""Bytes kept of each row's digest: enough to find a row that was damaged; sums of whole digests prove a table."""


@dataclass(frozen=True, slots=True)
class TableManifest:
    """One table of a backup, with its columns: other versions of Aurite may have others."""

    table: Table
    rows: int
    digest: str
    """Sum of the digests of its rows, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds and where it comes from; never a secret."""

    made_at: int
    made_by: str
    """The version of Aurite."""
    engine: str
    """Of the database that it was made from: ``sqlite`` or ``postgresql``."""
    location: str
    """Of that database."""
    schema_version: int
    """Of the backup file."""
    tables: tuple[TableManifest, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """The short digests of some rows that lie behind each other in the order of their keys."""

    first: bytes
    """The first row of them, as a line of :mod:`aurite.storage.copytext`."""
    digests: bytes


def as_values(manifest: Manifest) -> dict[str, str]:
    """The manifest as names and values."""
    return {
        "format": str(FORMAT),
        "made_at": str(manifest.made_at),
        "made_by": manifest.made_by,
        "engine": manifest.engine,
        "location": manifest.location,
        "schema_version": str(manifest.schema_version),
        "tables": encode([_as_json(entry) for entry in manifest.tables]),
    }


def from_values(values: Mapping[str, str]) -> Manifest:
    """The manifest of names and values.

    Raises:
        KeyError, ValueError, TypeError, InvalidValueError: they are not as :func:`as_values` makes them.
    """
    return Manifest(
        made_at=int(values["made_at"]),
        made_by=values["made_by"],
        engine=values["engine"],
        location=values["location"],
        schema_version=int(values["schema_version"]),
        tables=tuple(map(_from_json, decode(values["tables"]))),
    )


def _as_json(entry: TableManifest) -> dict[str, object]:
    table = entry.table
    return {
        "name": table.name,
        "rows": entry.rows,
        "digest": entry.digest,
        "key": list(table.key),
        "columns": list(table.columns),
        "numbers": sorted(table.numbers),
        "optional": sorted(table.optional),
    }


def _from_json(entry: dict[str, object]) -> TableManifest:
    def words(name: str) -> tuple[str, ...]:
        value = entry[name]
        if not isinstance(value, list) or not all(isinstance(word, str) and word.isidentifier() for word in value):
            raise ValueError(name)
        return tuple(value)

    name, rows = str(entry["name"]), entry["rows"]
    if not name.isidentifier() or not isinstance(rows, int):
        raise ValueError(name)
    unit = TABLES[name].unit if name in TABLES else "session"
    table = Table(name, words("key"), words("columns"), frozenset(words("numbers")), frozenset(words("optional")), unit)
    return TableManifest(table, rows, str(entry["digest"]))
