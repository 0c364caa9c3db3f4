"""What shall change in a file, and the pieces of text that do it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Edits:
    """Changes to the entries of one file, by position; documents are JSON text."""

    replaced: dict[int, str] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    added: tuple[str, ...] = ()
    """In order, behind all that is there."""


@dataclass(frozen=True, slots=True)
class Splice:
    """New text in place of the text between two places, in code points."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with all pieces replaced; they must not overlap, and those at one place go in their order."""
    pieces: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        pieces += (text[position : splice.start], splice.text)
        position = splice.end
    return "".join((*pieces, text[position:]))
