"""The talks that pages show go as they show them, in what the commands of the page have made."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program, Terminal
from tests.docs.pages import Block, blocks, named, pages, read
from tests.docs.shell import run_blocks

ASKED = "\x1b[?2004h"
"""What a terminal is told when a line begins to be read."""


def talks(page: Path) -> list[Block]:
    return [block for block in blocks(read(page)) if "talk" in block.words]


PAGES = [page for page in pages() if talks(page)]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", "TZ": "UTC"}
    return Program(tmp_path / "work", {**variables, "PROMPT_TOOLKIT_NO_CPR": "1"})


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_talk_goes_as_the_page_shows_it(page: Path, program: Program, tmp_path: Path) -> None:
    commands = [block for block in blocks(read(page)) if "run" in block.words]
    assert {one.ended for one in run_blocks(commands, tmp_path, {})} == {"passes"}
    (folder,) = re.findall(r"^cd (\S+)$", "".join(block.text for block in commands), re.MULTILINE)

    for block in talks(page):
        hold(block.text, program.inside(folder))


@pytest.mark.parametrize(
    "shown",
    [
        "$ aurite run 'Packing Agent'\n> Rain\nSomething else\n> /quit\n",
        "$ aurite run 'Packing Agent'\n> Rain\nYou said: Snow\n> /quit\n",
        "$ aurite run 'Packing Agent'\n> Rain\n",
    ],
)
def test_a_talk_that_goes_otherwise_is_noticed(shown: str, program: Program, tmp_path: Path) -> None:
    program.folder.mkdir()
    (tmp_path / "home").mkdir()
    program("init", "-p", "demo").done()
    with pytest.raises(AssertionError):
        hold(shown, program.inside("demo"), within=5)


def hold(talk: str, program: Program, *, within: float = 30) -> None:
    """Type what the page has behind ``>``, and see that what it shows else comes, in its order."""
    command, *lines = talk.splitlines()
    words = shlex.split(command)
    assert words[:2] == ["$", "aurite"]
    with program.terminal(*words[2:], columns=110) as person:
        for line in lines:
            if line.startswith("> "):
                person.sees(ASKED, within=within)
                person.types(f"{line[2:]}\r")
            else:
                see(person, line, within)
        status, _ = person.ends(within=within)
    assert status == 0


def see(person: Terminal, line: str, within: float) -> None:
    for part in parts(line):
        person.sees(part, within=within)


def parts(line: str) -> Iterator[str]:
    """What has to be seen of a line: ``...`` stands for any text, and for any lines."""
    yield from (part.strip() for part in line.split("...") if part.strip())
