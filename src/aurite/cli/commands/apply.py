"""``aurite apply``: components from files into the store of this mode."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import open_app
from aurite.cli.output import counted, remark, say_json, say_table
from aurite.errors import AuriteError, InvalidComponentError, InvalidDocumentError

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.records import Written

_SUFFIXES = (".json", ".yaml", ".yml")


@click.command
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="JSON or YAML with one component or a list; - reads standard input. May be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(files: Sequence[Path], *, dry_run: bool, as_json: bool) -> None:
    """Create components, or replace those that are there; all of them or none. What is the same already stays untouched."""
    with open_app() as app:
        configs = [config for file in files for config in _components(app, file)]
        written = app.config.put_components(configs, dry_run=dry_run)
        _say(written, app.config.location, dry_run=dry_run, as_json=as_json)


def _components(app: Aurite, file: Path) -> Iterator[dict[str, Any]]:
    raw, shown = _content(file)
    parsed = app.parse_components(raw, file.suffix if file.suffix in _SUFFIXES else _guessed_suffix(raw))
    for flaw in parsed.flaws:
        raise InvalidDocumentError(f"{shown}:{flaw.line}: {flaw.reason}" if flaw.line else f"{shown}: {flaw.reason}")
    for entry in parsed.entries:
        where = f"{shown}:{entry.line}"
        if entry.flaw is not None:
            raise InvalidDocumentError(f"{where}: {entry.flaw}")
        _require_component(entry.value, where)
        yield entry.value


def _content(file: Path) -> tuple[bytes, str]:
    if str(file) == "-":
        return sys.stdin.buffer.read(), "standard input"
    try:
        return file.read_bytes(), str(file)
    except OSError as error:
        raise AuriteError(f"{file} cannot be read: {error.strerror}") from error


def _guessed_suffix(raw: bytes) -> str:
    return ".json" if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") else ".yaml"


def _require_component(value: object, where: str) -> None:
    from aurite.model.validation import identify, require_valid

    try:
        kind, name = identify(value)
        require_valid(kind.type, name, value)
    except InvalidComponentError as error:
        raise InvalidComponentError(f"{where}: {error.message}", reasons=error.reasons, next_step=error.next_step) from error


def _say(written: Written, location: str, *, dry_run: bool, as_json: bool) -> None:
    groups = {"created": written.created, "updated": written.updated, "unchanged": written.unchanged}
    if as_json:
        shown = {group: [{"type": type_, "name": name} for type_, name in keys] for group, keys in groups.items()}
        say_json({"store": location, "dry_run": dry_run, **shown})
        return
    say_table(["Name", "Type", "What"], ([name, type_, group] for group, keys in groups.items() for type_, name in keys))
    total = sum(map(len, groups.values()))
    parts = ", ".join(f"{len(keys)} {group}" for group, keys in groups.items())
    remark(f"{'Would apply' if dry_run else 'Applied'} {counted(total, 'component')} to {location}: {parts}.")
