"""``aurite config``: the settings that hold here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.lazy import Entry, LazyGroup
from aurite.cli.output import say_json, say_table, warn

if TYPE_CHECKING:
    from aurite.settings import Settings


_COMMANDS = "aurite.cli.commands"

TABLE = {
    "show": Entry(f"{_COMMANDS}.config:show", "Show every setting, and where it comes from."),
    "history": Entry(f"{_COMMANDS}.history:history", "Show every change of a component."),
    "diff": Entry(f"{_COMMANDS}.history:diff", "Show how a component differs between two revisions."),
    "rollback": Entry(f"{_COMMANDS}.history:rollback", "Give a component an earlier value again."),
    "restore": Entry(f"{_COMMANDS}.history:restore", "Create a deleted component again."),
}


@click.group(cls=LazyGroup, table=TABLE)
def config() -> None:
    """Show the settings, and the history of components."""


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, as_json: bool) -> None:
    """Show every setting, its value (secrets masked) and where it comes from."""
    from aurite.settings import Settings

    settings = Settings.from_env(Path.cwd())
    if as_json:
        _say_document(settings)
        return
    shown = [[entry.name, entry.value if entry.value is not None else "-", entry.source] for entry in settings.entries]
    say_table(["Variable", "Value", "From"], shown)
    for text in settings.warnings:
        warn(text)


def _say_document(settings: Settings) -> None:
    say_json(
        {
            "root": str(settings.root),
            "settings": [{"name": entry.name, "value": entry.value, "source": entry.source} for entry in settings.entries],
            "warnings": list(settings.warnings),
        }
    )
