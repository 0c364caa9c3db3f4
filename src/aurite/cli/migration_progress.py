"""Progress of a move on a terminal: a bar for each table, with rows per second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aurite.cli.output import terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from aurite.transfer.migrate import Progress

_DOING = {"copy": "copying", "verify": "verifying"}


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """What a move calls as it goes on; where nobody watches, it does nothing."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = ("{task.fields[table]}", "{task.fields[doing]}")
    rate = TextColumn("{task.fields[rate]:>9,.0f} rows/s", markup=False)
    with Bars(
        *(TextColumn(column, markup=False) for column in columns),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        console=terminal(stderr=True),
        transient=True,
    ) as bars:
        yield _Advance(bars)


class _Advance:
    """One bar for each table, which starts anew where something else is done with it."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._doing: dict[str, tuple[str, float]] = {}
        self._last = time.monotonic()

    def __call__(self, what: str, table: str, done: int, total: int) -> None:
        now = time.monotonic()
        if table not in self._tasks:
            self._tasks[table] = self._bars.add_task("", table=table, doing="", rate=0.0)
        doing, since = self._doing.get(table, ("", now))
        if doing != what:
            since = self._last  # one thing at a time: it began when the one before ended
            self._doing[table] = (what, since)
            self._bars.reset(self._tasks[table])
        self._last = now
        elapsed = now - since
        self._bars.update(
            self._tasks[table], total=total, completed=done, doing=_DOING.get(what, what), rate=done / elapsed if elapsed else 0.0
        )
