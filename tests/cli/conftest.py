"""A home without anything in it, and the program in an empty folder beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def aurite(tmp_path: Path) -> Program:
    """The program in an empty folder."""
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    return Program(folder, {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"})


@pytest.fixture
def project(aurite: Program) -> Program:
    """The program in a project that ``aurite init`` made; components in files."""
    aurite("init", "-p", "demo").done()
    return aurite.inside("demo")


@pytest.fixture
def database(project: Program) -> Program:
    """The program in such a project, its components exported to SQLite."""
    program = project.with_variables(AURITE_ENABLE_DB="true")
    program("export").done()
    return program
