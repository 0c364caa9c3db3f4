"""Named SQL statements: one ``.sql`` file per store, each statement with a name and a comment that says what it is for.

A statement starts with ``-- name: load``; ``-- name: append [sqlite]`` is the text for one engine where the engines differ.
Parameters are written ``$1``, ``$2``, ... as psycopg's raw cursor takes them, and become ``?1`` for SQLite, which otherwise binds
by order of appearance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_HEADING = re.compile(r"^-- name: (\w+)(?: \[(\w+)\])?$", re.MULTILINE)


@cache
def statements(store: str, dialect: str) -> Mapping[str, str]:
    """The statements of a store by name, for one engine: ``sqlite`` or ``postgresql``."""
    text = (Path(__file__).parent / f"{store}.sql").read_text(encoding="utf-8")
    pieces = _HEADING.split(text)[1:]
    found: dict[str, str] = {}
    for name, engine, body in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        if engine in {None, dialect}:
            found[name] = written_for(dialect, "\n".join(line for line in body.splitlines() if not line.startswith("--")))
    return MappingProxyType(found)


def written_for(dialect: str, statement: str) -> str:
    """The statement with its parameters in the engine's own spelling."""
    statement = statement.strip().removesuffix(";")
    return statement.replace("$", "?") if dialect == "sqlite" else statement
