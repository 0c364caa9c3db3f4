"""The page about the architecture shows the rooms as they are, and the decisions stay short."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, blocks, read
from tests.test_architecture import MAY_LOOK_INTO

SOURCE = ROOT / "src" / "aurite"
PAGE = read(ROOT / "docs" / "explanation" / "architecture.md")
DECISIONS = re.findall(
    r"^### (.+)\n\n(.*?)(?=^### |\Z)", read(ROOT / "docs" / "explanation" / "decisions.md"), re.MULTILINE | re.DOTALL
)


def test_it_shows_every_room_that_there_is() -> None:
    shown = re.findall(r"^  ([\w./]+)", next(blocks(PAGE)).text, re.MULTILINE)
    there = {path.name + "/" for path in SOURCE.iterdir() if list(path.glob("[a-z]*.py"))} | {
        path.name for path in SOURCE.glob("*.py")
    }
    assert set(shown) == there - {"__main__.py", "templates/"}
    assert {name.strip("/").removesuffix(".py") for name in shown} <= set(MAY_LOOK_INTO)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./]+(?:\.py|/))`", PAGE))))
def test_every_file_and_folder_that_it_names_exists(path: str) -> None:
    assert (ROOT / path).exists() or (SOURCE / path).exists()


@pytest.mark.parametrize(("title", "text"), DECISIONS, ids=[title for title, _ in DECISIONS])
def test_a_decision_is_short_and_says_when_to_turn_back(title: str, text: str) -> None:
    assert len(text.strip().splitlines()) <= 8, title
    for part in ("**Question.** ", "**Choice.** ", "**Cost.** ", "**Turn back** "):
        assert text.count(part) == 1
