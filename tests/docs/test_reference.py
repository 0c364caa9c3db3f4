"""The reference says what the code does: its generated parts are up to date, its examples are valid, its names exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from aurite.cli.main import aurite
from aurite.model.kinds import KINDS
from aurite.model.validation import examine
from tests.docs.pages import ROOT, blocks, named, pages, prose, read

COMPONENTS = ROOT / "docs" / "reference" / "components"
NOT_WRITTEN_BY_HAND = {"README.md", *(f"docs/reference/{name}.md" for name in ("settings", "cli", "errors", "rest"))}
WORDS_OF_MAKE = re.compile(r"^    make (\w+)|`make (\w+)", re.MULTILINE)


def generate(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(root / "scripts" / "docs.py"), *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def test_generated_parts_are_what_the_code_says_now() -> None:
    ended = generate("--check")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name", sorted(NOT_WRITTEN_BY_HAND))
def test_a_page_with_generated_parts_says_so(name: str) -> None:
    text = read(ROOT / name)
    assert "<!-- generated: " in text
    assert "generated from the code by `make docs`" in text


def test_every_component_type_has_a_page() -> None:
    assert {page.stem for page in COMPONENTS.glob("*.md")} == set(KINDS)


@pytest.mark.parametrize("type_", KINDS)
def test_the_example_of_a_type_is_valid(type_: str) -> None:
    text = read(COMPONENTS / f"{type_}.md")
    assert f"<!-- generated: component {type_} -->" in text
    assert "generated from the code by `make docs`" in text
    examples = [json.loads(block.text) for block in blocks(text) if "component" in block.words]
    assert examples
    for example in examples:
        findings = examine(type_, example)
        assert (findings.errors, findings.warnings) == ((), ())


@cache
def commands() -> dict[str, frozenset[str]]:
    """Every command with its options, those of the program included."""

    def walk(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, frozenset[str]]]:
        yield ctx.command_path, frozenset(opt for parameter in command.get_params(ctx) for opt in parameter.opts)
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                inner = command.get_command(ctx, name)
                assert inner is not None
                yield from walk(inner, click.Context(inner, info_name=name, parent=ctx))

    return dict(walk(aurite, click.Context(aurite, info_name="aurite", **aurite.context_settings)))


def mentioned(text: str) -> Iterator[list[str]]:
    """The command lines of ``aurite`` in a page: in code spans, and in blocks of shell lines."""
    yield from (span.split() for span in re.findall(r"`(aurite [^`]+)`", prose(text)))
    for block in blocks(text):
        if block.language in ("bash", "console", ""):
            yield from (line.split() for line in re.findall(r"(?:^|\s)(aurite [a-z].*)", block.text))


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    for words in mentioned(read(page)):
        command, rest = "aurite", words[1:]
        while rest and f"{command} {rest[0]}" in commands():
            command, rest = f"{command} {rest[0]}", rest[1:]
        is_group = any(other.startswith(f"{command} ") for other in commands())
        assert not (is_group and rest and re.fullmatch(r"[a-z]+", rest[0])), f"no command: {' '.join(words)}"
        for option in (word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)):
            assert option in commands()[command], f"no option {option}: {' '.join(words)}"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_variable_that_a_page_names_is_read_by_the_code(page: Path) -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    for name in re.findall(r"\bAURITE_[A-Z_]*[A-Z]\b", read(page)):
        assert f'"{name}"' in code or name == "AURITE_TEST_PG", f"{name} is read nowhere"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_target_of_make_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for first, second in WORDS_OF_MAKE.findall(read(page)):
        assert (first or second) in targets


def test_an_outdated_part_is_noticed(tmp_path: Path) -> None:
    """A copy of the repository's pages, one number in them changed."""
    for name in ("scripts/docs.py", "docs/reference/settings.md", "docs/reference/cli.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(read(ROOT / name), encoding="utf-8")
    settings = tmp_path / "docs" / "reference" / "settings.md"
    settings.write_text(read(settings).replace("`5432`", "`5433`"), encoding="utf-8")
    (tmp_path / "docs" / "reference" / "components").mkdir()

    ended = generate("--check", root=tmp_path)

    assert ended.returncode == 1
    assert "docs/reference/settings.md: out of date" in ended.stdout
    assert "cli.md" not in ended.stdout
    assert generate(root=tmp_path).returncode == 0
    assert read(settings) == read(ROOT / "docs" / "reference" / "settings.md")
