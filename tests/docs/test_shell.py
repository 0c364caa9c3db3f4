"""What runs the examples notices what a page says wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks
from tests.docs.shell import Ran, fits, run_blocks
from tests.docs.test_examples import follow

TICKS = "```"


def run(folder: Path, *texts: str, words: str = "run", language: str = "bash") -> list[Ran]:
    return run_blocks(
        [Block(language, frozenset(words.split()), text, line) for line, text in enumerate(texts)], folder, {}, within=30
    )


def test_a_block_fails_where_any_of_its_commands_does(tmp_path: Path) -> None:
    assert [one.ended for one in run(tmp_path, "false\necho done\n")] == ["fails"]


def test_a_block_fails_where_a_command_in_the_middle_of_a_pipe_does(tmp_path: Path) -> None:
    assert [one.ended for one in run(tmp_path, "false | cat\n")] == ["fails"]


def test_nothing_is_run_behind_a_block_that_failed(tmp_path: Path) -> None:
    assert [one.ended for one in run(tmp_path, "false\n", "touch there\n")] == ["fails", ""]
    assert not (tmp_path / "work" / "there").exists()


def test_a_block_that_never_ends_is_given_up(tmp_path: Path) -> None:
    ran = run_blocks([Block("bash", frozenset({"run"}), "sleep 60\n", 1)], tmp_path, {}, within=1)
    assert [one.ended for one in ran] == [""]


def test_later_blocks_see_what_earlier_ones_did(tmp_path: Path) -> None:
    ran = run(tmp_path, "mkdir a\ncd a\nexport WORD=hello\n", 'echo "$WORD" > file\n')
    assert [one.ended for one in ran] == ["passes", "passes"]
    assert (tmp_path / "work" / "a" / "file").read_text(encoding="utf-8") == "hello\n"


def test_output_is_that_of_a_terminal_with_an_empty_home(tmp_path: Path) -> None:
    (one,) = run(tmp_path, "[ -t 1 ] && echo terminal\nls -A ~\necho wrong >&2\n")
    assert one.output == "terminal\nwrong\n"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\nb\n", "a\n\nb\n"),
        ("a   b\n", " a b \n"),
        ("a ... d\n", "a b c d\n"),
        ("a\n...\nd\n", "a\nb\nc\nd\n"),
        ("...\nd\n", "d\n"),
    ],
)
def test_what_is_shown_may_leave_out(shown: str, printed: str) -> None:
    assert fits(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("a ... d\n", "a b\nc d\n"), ("a.c\n", "abc\n"), ("...\nd\n", "d\ne\n")],
)
def test_what_is_shown_may_not_differ(shown: str, printed: str) -> None:
    assert not fits(shown, printed)


@pytest.mark.parametrize(
    "page",
    [
        f"{TICKS}bash run\necho 1\n{TICKS}\n\n{TICKS}text output\n2\n{TICKS}\n",
        f"{TICKS}bash run\nfalse\n{TICKS}\n",
        f"{TICKS}bash run fails\ntrue\n{TICKS}\n",
        f"{TICKS}python run\nraise SystemExit(1)\n{TICKS}\n",
    ],
)
def test_a_page_that_says_something_wrong_is_noticed(page: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        follow(page, tmp_path)


def test_blocks_are_found_with_their_words_and_lines() -> None:
    assert list(blocks(f"# Page\n\n{TICKS}bash run fails\nfalse\n{TICKS}\n")) == [
        Block("bash", frozenset({"run", "fails"}), "false\n", 3)
    ]
