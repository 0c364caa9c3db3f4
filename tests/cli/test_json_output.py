"""``--json`` prints the shapes that ``docs/reference/json-output.md`` promises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cli.program import Program
from tests.cli.test_list_and_show import agent

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "json-output.md").read_text(encoding="utf-8")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "list": (),
    "show": ("Weather Agent",),
    "validate": (),
    "apply": ("-f", "-", "--dry-run"),
    "delete": ("agent", "Packing Agent", "--dry-run"),
    "export": ("--dry-run",),
    "migrate": ("--source-type", "sqlite", "--target-path", "copy.db"),
    "import": (),
    "backup": ("kept.db",),
    "restore": ("kept.db", "--dry-run", "--on-conflict", "skip"),
    "doctor": (),
    "run": ("Packing Agent", "It rains", "-id", "one"),
    "sessions list": (),
    "sessions show": ("one",),
    "sessions tag": ("one", "+x"),
    "sessions delete": ("one", "--dry-run"),
    "sessions prune": ("--keep", "1", "--dry-run"),
    "config show": (),
    "schema": (),
    "db status": (),
    "db check": (),
    "db upgrade": (),
    "db drop-legacy": (),
    "db vacuum": (),
}


def promised() -> dict[str, set[str]]:
    """The keys by command, as the first table of the document has them."""
    rows = re.findall(r"^\| `([a-z -]+)` \| (.*) \|$", DOCUMENT, re.MULTILINE)
    return {command: set(re.findall(r"`(\w+)`", keys)) for command, keys in rows}


def keys_of(what: str) -> set[str]:
    """The keys that a line of "The parts" names."""
    line = re.search(rf"^\* {what}[^:]*: (.*(?:\n  .*)*)", DOCUMENT, re.MULTILINE)
    assert line is not None
    return set(re.findall(r"`(\w+)`", line.group(1).split(". ")[0]))


def test_every_command_prints_the_keys_that_are_promised(database: Program) -> None:
    table = promised()
    assert set(table) == set(COMMANDS)

    printed: dict[str, Any] = {
        command: database(*command.split(), *arguments, "--json", stdin=json.dumps(agent("New"))).done().json()
        for command, arguments in COMMANDS.items()
    }

    for command, keys in table.items():
        assert keys <= set(printed[command]), command
        assert command == "db status" or keys == set(printed[command]), command
    assert set(printed["list"]["components"][0]) == keys_of("A component of `list`")
    assert set(printed["validate"]["components"][0]) == keys_of("A component of `validate`")
    assert set(printed["migrate"]["tables"][0]) == keys_of("A table of `migrate`")
    assert set(printed["sessions show"]["messages"][0]) == keys_of("A message")
    assert set(printed["sessions show"]["runs"][0]) == keys_of("A run")
    assert set(printed["backup"]["tables"][0]) == keys_of("A table of `backup`")
    assert set(printed["doctor"]["findings"][0]) == keys_of("A finding")
    assert set(printed["config show"]["settings"][0]) == keys_of("A setting")
    assert set(printed["sessions list"]["sessions"][0]) == table["sessions tag"]


def test_a_problem_in_json_has_the_promised_keys(project: Program) -> None:
    (project.folder / "config" / "bad.json").write_text("{")

    (problem,) = project("list", "--json").done().json()["problems"]
    assert set(problem) == keys_of("A problem")
