"""The proof of a move: sums of row digests, computed while rows pass, and where two of them differ, which rows it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from aurite.storage.copytext import key_of
from aurite.storage.tables import Table

_BYTES = 16
_MODULUS = 1 << (8 * _BYTES)


@dataclass(slots=True)
class Tally:
    """How many rows there were, and the sum of their digests: equal for the same rows in any order."""

    rows: int = 0
    total: int = 0

    def watching(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines as they are, counted and digested as they pass."""
        digest = hashlib.blake2b
        for line in lines:
            self.rows += 1
            self.total += int.from_bytes(digest(line, digest_size=_BYTES).digest(), "little")
            yield line

    def take(self, lines: Iterable[bytes]) -> Tally:
        """Itself, after counting and digesting all lines."""
        for _ in self.watching(lines):
            pass
        return self

    @property
    def digest(self) -> str:
        """The sum as hexadecimal text."""
        return f"{self.total % _MODULUS:032x}"

    def same_as(self, other: Tally) -> bool:
        return (self.rows, self.digest) == (other.rows, other.digest)


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same on both sides."""

    table: str
    key: tuple[str | int | None, ...]
    what: str
    """``missing`` in the target, ``extra`` in the target, or ``changed`` there."""

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(map(repr, self.key))}) is {self.what}"


def differences(table: Table, source: Iterable[bytes], target: Iterable[bytes], *, most: int = 20) -> list[Difference]:
    """The first rows that are not the same in two streams of lines, both in the order of their keys."""
    return list(islice(_differences(table, iter(source), iter(target)), most))


def _differences(table: Table, source: Iterator[bytes], target: Iterator[bytes]) -> Iterator[Difference]:
    here, there = next(source, None), next(target, None)
    while here is not None or there is not None:
        if here == there:
            here, there = next(source, None), next(target, None)
            continue
        wanted = None if here is None else key_of(here, table)
        found = None if there is None else key_of(there, table)
        if found is None or (wanted is not None and sorts_before(wanted, found)):
            yield Difference(table.name, wanted or (), "missing")
            here = next(source, None)
        elif wanted is None or sorts_before(found, wanted):
            yield Difference(table.name, found, "extra")
            there = next(target, None)
        else:
            yield Difference(table.name, wanted, "changed")
            here, there = next(source, None), next(target, None)


def sorts_before(one: tuple[str | int | None, ...], other: tuple[str | int | None, ...]) -> bool:
    """Whether a key comes first: by code point, as bytes of UTF-8 sort, which is the order that both databases give."""
    return _sortable(one) < _sortable(other)


def _sortable(key: tuple[str | int | None, ...]) -> tuple[bytes | int, ...]:
    return tuple(part.encode() if isinstance(part, str) else part or 0 for part in key)
