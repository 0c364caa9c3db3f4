"""Whole processes, from the start of Python to their end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import material
from bench.measuring import Measured, Work, at_most, by_turns
from bench.scale import Scale

_EMPTY = '''\
import sys

import click


@click.group()
def main():
    """Nothing."""


sys.exit(main())
'''
COMPONENTS = 20


def start(scale: Scale, folder: Path) -> Iterator[Measured]:
    """``aurite`` beside an empty click program that prints its help, in a small project."""
    (folder / ".aurite").write_text(material.PROJECT)
    agents = folder / "config" / "agents"
    agents.mkdir(parents=True)
    (agents / "agents.json").write_bytes(_documents())
    material.store_of_components(folder / "aurite.db", COMPONENTS)
    aurite = [str(Path(sys.executable).with_name("aurite"))]
    environment = {"HOME": str(folder / "home"), "LANG": "C.UTF-8"}
    sqlite = {"AURITE_DB_TYPE": "sqlite", "AURITE_DB_PATH": "aurite.db"}
    floor, helped, on_sqlite, on_files = by_turns(
        empty(folder),
        _program([*aurite, "--help"], folder, environment),
        listing(folder, sqlite),
        _program([*aurite, "list", "agents"], folder, environment),
        rounds=scale.starts,
    )
    yield Measured("aurite --help", floor, helped, "seconds", at_most(1.5))
    yield Measured("aurite list agents, SQLite", floor, on_sqlite, "seconds", at_most(2.5))
    yield Measured("aurite list agents, files", floor, on_files, "seconds", at_most(6.0))


def empty(folder: Path) -> Work:
    """An empty click program that prints its help."""
    program = folder / "empty.py"
    program.write_text(_EMPTY)
    return _program([sys.executable, str(program), "--help"], folder, {"HOME": str(folder / "home"), "LANG": "C.UTF-8"})


def listing(folder: Path, settings: Mapping[str, str]) -> Work:
    """``aurite list agents`` from a database."""
    environment = {"HOME": str(folder / "home"), "LANG": "C.UTF-8", "AURITE_ENABLE_DB": "true", **settings}
    return _program([str(Path(sys.executable).with_name("aurite")), "list", "agents"], folder, environment)


def _documents() -> bytes:
    import msgspec

    return msgspec.json.encode([material.agent(number) for number in range(COMPONENTS)])


def _program(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> Work:
    return lambda: subprocess.run(arguments, cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603  our own programs
