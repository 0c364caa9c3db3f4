"""How much of each work a run does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and repetitions of all rows."""

    indexes: tuple[int, ...]
    """Components in the index that is loaded."""
    loads: int
    reads: int
    """How often a read of microseconds is repeated."""
    appends: int
    long_session: int
    """Messages that are there before one is appended."""
    writing_seconds: float
    writing_rounds: int
    session_length: int
    """Messages of the session that is read."""
    listed: tuple[int, ...]
    """Sessions in the store of which 50 are listed."""
    lists: int
    new_sessions: int
    exported: int
    exports: int
    kept_sessions: int
    """Sessions whose bytes on disk are counted."""
    starts: int
    moved: int
    """Messages that a migration moves."""
    moves: int
    requests: int
    """Of each client of the service."""


FULL = Scale(
    indexes=(10_000, 100_000),
    loads=7,
    reads=5_000,
    appends=1_000,
    long_session=5_000,
    writing_seconds=1.5,
    writing_rounds=7,
    session_length=1_000,
    listed=(10_000, 100_000),
    lists=500,
    new_sessions=1_000,
    exported=10_000,
    exports=3,
    kept_sessions=500,
    starts=25,
    moved=1_000_000,
    moves=3,
    requests=1_500,
)

QUICK = Scale(
    indexes=(2_000,),
    loads=3,
    reads=500,
    appends=100,
    long_session=1_000,
    writing_seconds=0.4,
    writing_rounds=1,
    session_length=1_000,
    listed=(2_000,),
    lists=50,
    new_sessions=100,
    exported=500,
    exports=1,
    kept_sessions=50,
    starts=5,
    moved=50_000,
    moves=1,
    requests=60,
)
