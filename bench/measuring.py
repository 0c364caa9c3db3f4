"""Ways to do the same work, timed by turns, and what a row of the table says about them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

Work = Callable[[], object]
Unit = Literal["seconds", "per second", "bytes", "share"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a row may cost."""

    of: Literal["ratio", "value"]
    """``ratio``: ours by the floor. ``value``: ours alone, in the row's unit."""
    most: float | None = None
    least: float | None = None

    def allows(self, floor: float, ours: float) -> bool:
        measured = ours / floor if self.of == "ratio" else ours
        return (self.most is None or measured <= self.most) and (self.least is None or measured >= self.least)


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the table."""

    work: str
    floor: float
    ours: float
    unit: Unit
    budget: Budget | None = None
    """None where the row only tells."""

    @property
    def ratio(self) -> float:
        return self.ours / self.floor

    @property
    def holds(self) -> bool | None:
        """Whether the budget is kept; None where there is none."""
        return None if self.budget is None else self.budget.allows(self.floor, self.ours)


def at_most(ratio: float) -> Budget:
    return Budget("ratio", most=ratio)


def at_least(ratio: float) -> Budget:
    return Budget("ratio", least=ratio)


def seconds_at_most(seconds: float) -> Budget:
    return Budget("value", most=seconds)


def by_turns(*works: Work, rounds: int) -> list[float]:
    """The median seconds of each work. Every round does all of them, each time beginning with another one."""
    taken: list[list[float]] = [[] for _ in works]
    turns = list(zip(works, taken, strict=True))
    for _ in range(rounds):
        for work, seconds in turns:
            seconds.append(_seconds(work))
        turns.append(turns.pop(0))
    return [statistics.median(seconds) for seconds in taken]


def _seconds(work: Work) -> float:
    started = perf_counter()
    result = work()
    ended = perf_counter()
    del result  # giving a hundred thousand objects back is not part of the work
    return ended - started
