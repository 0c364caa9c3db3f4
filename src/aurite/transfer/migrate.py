"""Migrate: every table of one database into another, proven row by row, complete or not at all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from aurite.errors import InvalidValueError, MisfitError, SameStoreError, TargetNotEmptyError, VerificationError
from aurite.model.records import Problem
from aurite.storage.moving import Movable, MoveSource, MoveTarget
from aurite.storage.tables import TABLES, Table
from aurite.transfer.verify import Difference, Tally, differences

OnConflict = Literal["fail", "skip", "replace"]

Progress = Callable[[str, str, int, int], None]
"""Called now and then: what is done (``copy`` or ``verify``), the table, rows so far, rows in all."""

_REPORT_EVERY = 500
_MOST_SHOWN = 20


@dataclass(slots=True)
class TableReport:
    """What became of one table."""

    table: str
    read: int = 0
    """Rows in the source."""
    written: int = 0
    """Rows brought into the target; fewer than read where some were left out."""
    verified: int = 0
    """Rows of the target that were read again and are the same; 0 where nothing was to be verified."""
    digest: str = ""
    """Sum of the digests of the rows read, hexadecimal."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What a migration did, or would do."""

    source: str
    target: str
    dry_run: bool
    verified: bool
    on_conflict: OnConflict
    tables: list[TableReport]
    target_rows: Mapping[str, int]
    """What the target held before, by table."""
    conflicts: Mapping[str, int] = field(default_factory=dict)
    """How many components and sessions were in both; known once they were staged."""
    config_version: int = 0
    """The target's counter afterwards."""
    seconds: float = 0.0


def migrate(
    source: Movable,
    target: Movable,
    *,
    verify: bool = True,
    on_conflict: OnConflict = "fail",
    dry_run: bool = False,
    progress: Progress = lambda *_: None,
) -> MoveReport:
    """Move every table of a database into another.

    The source is read in one consistent look and never written. The target is filled in one transaction that is committed once the
    proof holds: whatever happens before leaves it as it was.

    Args:
        verify: read the target again before the commit, and compare every row.
        on_conflict: what to do where the target holds something already: refuse; leave out the components and sessions that are
            there; or replace them.
        dry_run: only look: what would be moved, what the target holds, what it cannot hold.

    Raises:
        SameStoreError: both are the same database.
        TargetNotEmptyError: the target holds something, and ``on_conflict`` is ``fail``.
        MisfitError: rows of the source that no other database could hold; ``reasons`` lists them.
        VerificationError: the target's rows were not the source's; ``differences`` lists them.
        OutcomeUnknownError: the connection broke while the target was committed.
        StorageError: a database failed; the target is as it was.
    """
    started = time.monotonic()
    with _both(source, target, dry_run=dry_run) as (origin, destination):
        there = {name: destination.count(table) for name, table in TABLES.items()}
        reports = {name: TableReport(name, read=origin.count(table)) for name, table in TABLES.items()}
        _require_fitting(origin, thorough=dry_run)
        empty = not any(there.values())
        if not (empty or dry_run) and on_conflict == "fail":
            held = ", ".join(f"{count:,} {name}" for name, count in there.items() if count)
            raise TargetNotEmptyError(
                f"the target {destination.location} is not empty: {held}",
                next_step="Name an empty one, or say what to do with --on-conflict skip or --on-conflict replace",
            )
        version = max(origin.config_version(), destination.config_version()) + 1
        conflicts: Mapping[str, int] = {}
        if not dry_run:
            move = _Move(origin, destination, reports, verify=verify, progress=progress)
            conflicts = {} if empty else move.merge(replace=on_conflict == "replace", version=version)
            if empty:
                move.fill()
            destination.commit(version=version)
        return MoveReport(
            source=origin.location,
            target=destination.location,
            dry_run=dry_run,
            verified=verify and not dry_run,
            on_conflict=on_conflict,
            tables=list(reports.values()),
            target_rows=there,
            conflicts=conflicts,
            config_version=version,
            seconds=time.monotonic() - started,
        )


@contextmanager
def _both(source: Movable, target: Movable, *, dry_run: bool) -> Iterator[tuple[MoveSource, MoveTarget]]:
    with source.source() as origin:
        same = SameStoreError(f"source and target are the same database, {origin.location}", next_step="Name another target")
        if target.is_plainly(origin.identity):
            raise same
        with target.target(dry_run=dry_run) as destination:
            if origin.identity == destination.identity:
                raise same
            yield origin, destination


def take_over(origin: MoveSource, destination: MoveTarget, *, progress: Progress = lambda *_: None) -> list[TableReport]:
    """What became of each table, once every row of a source is in an empty target and proven; the caller commits it.

    Raises:
        MisfitError, VerificationError, StorageError: as for :func:`migrate`.
    """
    _require_fitting(origin, thorough=True)
    reports = {name: TableReport(name, read=origin.count(table)) for name, table in TABLES.items()}
    _Move(origin, destination, reports, verify=True, progress=progress).fill()
    return list(reports.values())


def _require_fitting(origin: MoveSource, *, thorough: bool = False) -> None:
    misfits: list[Problem] = []
    for table in TABLES.values():
        misfits += origin.misfits(table, thorough=thorough)
    if misfits:
        raise _misfit_error(origin, misfits, "Mend them in the source, then run the command again")


def _misfit_error(origin: MoveSource, misfits: list[Problem], next_step: str) -> MisfitError:
    count = "1 row" if len(misfits) == 1 else f"{len(misfits):,} rows"
    return MisfitError(
        f"{count} of {origin.location} cannot be moved; the first: {misfits[0]}",
        reasons=tuple(map(str, misfits)),
        next_step=next_step,
    )


class _Move:
    """One move under way."""

    def __init__(
        self,
        origin: MoveSource,
        destination: MoveTarget,
        reports: Mapping[str, TableReport],
        *,
        verify: bool,
        progress: Progress,
    ) -> None:
        self._origin = origin
        self._destination = destination
        self._reports = reports
        self._verify = verify
        self._progress = progress

    def fill(self) -> None:
        """Every table into an empty target."""
        tallies = {name: self._copy(table, self._destination.load) for name, table in TABLES.items()}
        for name, table in TABLES.items():
            self._reports[name].written = tallies[name].rows
            if self._verify:
                self._prove(table, tallies[name], self._origin.lines, self._destination.lines)

    def merge(self, *, replace: bool, version: int) -> Mapping[str, int]:
        """Every table but the history into a target that holds something; how many components and sessions were in both."""
        moving = {name: table for name, table in TABLES.items() if table.unit != "history"}
        for table in moving.values():
            tally = self._copy(table, self._destination.stage)
            if self._verify:
                self._prove(table, tally, self._origin.lines, self._staged)
        conflicts = self._destination.conflicts()
        clashes = self._destination.clashes(replace=replace)
        if clashes:
            raise _misfit_error(self._origin, clashes, "Name another target, or delete these sessions there")
        self._destination.merge(replace=replace, version=version)
        for name, table in moving.items():
            expected = Tally().take(self._staged(table))
            self._reports[name].written = expected.rows
            if self._verify:
                self._prove(table, expected, self._staged, self._merged)
        return conflicts

    def _staged(self, table: Table) -> Iterator[bytes]:
        return self._destination.lines(table, staged=True)

    def _merged(self, table: Table) -> Iterator[bytes]:
        return self._destination.lines(table, merged=True)

    def _copy(self, table: Table, put: Callable[[Table, Iterable[bytes]], None]) -> Tally:
        started, tally, report = time.monotonic(), Tally(), self._reports[table.name]
        try:
            put(table, tally.watching(self._told("copy", table, self._origin.lines(table))))
        except InvalidValueError:
            _require_fitting(self._origin, thorough=True)  # names every row that cannot be moved, where it was one of the source's
            raise
        report.read, report.digest = tally.rows, tally.digest
        report.seconds += time.monotonic() - started
        return tally

    def _prove(
        self,
        table: Table,
        expected: Tally,
        wanted: Callable[[Table], Iterator[bytes]],
        found: Callable[[Table], Iterator[bytes]],
    ) -> None:
        started = time.monotonic()
        tally = Tally().take(self._told("verify", table, found(table)))
        if not tally.same_as(expected):
            with tempfile.TemporaryFile() as aside:  # both may come over one connection, which tells one thing at a time
                aside.writelines(wanted(table))
                aside.seek(0)
                raise _verification_error(differences(table, aside, found(table), most=_MOST_SHOWN), table)
        self._reports[table.name].verified = tally.rows
        self._reports[table.name].seconds += time.monotonic() - started

    def _told(self, what: str, table: Table, lines: Iterable[bytes]) -> Iterator[bytes]:
        total, done = self._reports[table.name].read, 0
        for line in lines:
            yield line
            done += 1
            if done % _REPORT_EVERY == 0:
                self._progress(what, table.name, done, total)
        self._progress(what, table.name, done, total)


def _verification_error(found: list[Difference], table: Table) -> VerificationError:
    first = str(found[0]) if found else f"a row of {table.name}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return VerificationError(
        f"the target's rows are not the source's: {first}{more}; nothing was kept",
        differences=tuple(map(str, found)),
        next_step="Look for triggers or programs that change the target, then run the command again",
    )
