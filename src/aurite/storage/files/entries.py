"""What parsing a file of components gives: entries in their places, groups that hold them, and flaws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from aurite.errors import InvalidDocumentError
from aurite.model.jsontext import JsonValue

Form = Literal["single", "flow", "block"]
"""One component alone; a list in brackets; a YAML list with a dash per entry."""

_NO_LINES: Mapping[str, int] = MappingProxyType({})


class FlawError(InvalidDocumentError):
    """Something in a file that cannot be read, at a line that counts from 1; 0 where it is the whole file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class Entry:
    """One entry of a file, good or spoiled."""

    value: JsonValue
    document: str
    """Its JSON text; empty where it is spoiled."""
    line: int
    """0 where nobody asked for places, in JSON."""
    start: int = 0
    """Where its text starts and ends in the file's text, in code points; both 0 where nobody asked for places."""
    end: int = 0
    flaw: str | None = None
    flow: bool = True
    """Written in braces or brackets, as everything in JSON is."""
    field_lines: Mapping[str, int] = field(default_factory=lambda: _NO_LINES)
    """Where its own fields stand, in YAML."""


@dataclass(frozen=True, slots=True)
class Group:
    """A root of the file: a list with entries, or a single entry. JSON has one, YAML one per document."""

    form: Form
    first: int
    """Position of its first entry among all entries of the file."""
    count: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """The content of a file."""

    entries: tuple[Entry, ...] = ()
    flaws: tuple[FlawError, ...] = ()
    """Of the file as a whole; where there is one, the file must not be written."""
    groups: tuple[Group, ...] = ()
