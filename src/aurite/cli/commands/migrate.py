"""``aurite migrate``: every table of one database into another, proven row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from aurite.cli.asking import yes_option
from aurite.cli.context import tell_settings
from aurite.cli.migration import Move, end
from aurite.cli.migration_questions import Questions, agree
from aurite.cli.migration_report import is_empty, say_look, say_move
from aurite.cli.output import asking_is_possible
from aurite.errors import UsageError
from aurite.settings import Settings
from aurite.transfer.plan import Engine, Said, Side, from_settings, places, with_engine

if TYPE_CHECKING:
    from aurite.transfer.migrate import OnConflict

_TYPES = click.Choice(["sqlite", "postgresql", "postgres"], case_sensitive=False)
_CONFLICTS = click.Choice(["fail", "skip", "replace"], case_sensitive=False)


def _usable_text(_ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value == "":
        raise click.BadParameter("it is empty", param=parameter)
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise click.BadParameter("it is not UTF-8 text", param=parameter)
    return value


def _side_options(side: Side) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of one side; each becomes the argument ``side_name``."""
    options: tuple[tuple[str, click.ParamType[Any], str], ...] = (
        ("type", _TYPES, f"What the {side} is."),
        ("path", click.STRING, f"The {side}'s SQLite file; AURITE_DB_PATH unless given."),
        ("host", click.STRING, f"The {side}'s PostgreSQL server; AURITE_DB_HOST unless given."),
        ("port", click.IntRange(1, 65535), "Its port; AURITE_DB_PORT unless given."),
        ("user", click.STRING, "The role to connect as; AURITE_DB_USER unless given."),
        ("name", click.STRING, "The database's name; AURITE_DB_NAME unless given."),
        ("schema", click.STRING, "The schema of its tables; AURITE_DB_SCHEMA unless given."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name, kind, text in reversed(options):
            command = click.option(f"--{side}-{name}", type=kind, callback=_usable_text, help=text)(command)
        return command

    return decorate


@click.command
@click.option("--from-env", is_flag=True, help="Move from the database that the settings name to one of the opposite type.")
@_side_options("source")
@_side_options("target")
@click.option("--verify/--no-verify", default=True, help="Read the target again and compare every row; on unless said.")
@click.option(
    "--on-conflict",
    type=_CONFLICTS,
    default="fail",
    show_default=True,
    help="A target that is not empty: refuse it, skip the components and sessions that it has, or replace them.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be moved, and what the target holds and cannot hold.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(
    *, from_env: bool, verify: bool, on_conflict: OnConflict, dry_run: bool, yes: bool, as_json: bool, **sides: Any
) -> None:
    """Move every table of a database into another: from SQLite to PostgreSQL, back, or between two of one kind.

    Without options it asks on a terminal. What options leave open comes from the environment and .env. The source is only read;
    the target is complete and proven row by row, or as it was. Passwords come from AURITE_DB_PASSWORD, or for two servers from
    AURITE_SOURCE_DB_PASSWORD and AURITE_TARGET_DB_PASSWORD (or files named by the same with _FILE); a terminal is asked.
    """
    settings = Settings.from_env(Path.cwd())
    tell_settings(settings)
    source, target = _said("source", sides), _said("target", sides)
    is_wizard = not from_env and source.is_silent() and target.is_silent()
    _require_answers(is_wizard=is_wizard, on_conflict=on_conflict, agreed=yes or dry_run)
    if from_env:
        source, target = from_settings(source, target, settings)
    move = _decided(with_engine(source), with_engine(target), settings, is_wizard=is_wizard, verify=verify)
    if dry_run:
        say_look(move.look(on_conflict), move.target.variables, as_json=as_json)
        return
    if not yes and (is_wizard or on_conflict == "replace"):
        on_conflict = _agreed(move, on_conflict, is_wizard=is_wizard)
    say_move(move.carry_out(on_conflict), move.target.variables, settings, as_json=as_json)


def _said(side: Side, sides: dict[str, Any]) -> Said:
    given = {name.removeprefix(f"{side}_"): value for name, value in sides.items() if name.startswith(f"{side}_")}
    engine, path = given.pop("type"), given.pop("path")
    return Said(
        side,
        engine=cast("Engine", "postgresql" if engine == "postgres" else engine),
        path=None if path is None else Path(path),
        **given,
    )


def _require_answers(*, is_wizard: bool, on_conflict: OnConflict, agreed: bool) -> None:
    """Without a terminal nothing can be asked, so it is refused before anything is opened."""
    if asking_is_possible():
        return
    if is_wizard:
        raise UsageError(
            "there is no terminal to ask on",
            next_step="Give --from-env, or --source-type and --target-type with what else they need",
        )
    if on_conflict == "replace" and not agreed:
        raise UsageError(
            "--on-conflict replace deletes what it replaces, and there is no terminal to ask on",
            next_step="Give --yes to go ahead, or --dry-run to look first",
        )


def _decided(source: Said, target: Said, settings: Settings, *, is_wizard: bool, verify: bool) -> Move:
    if asking_is_possible():
        questions = Questions(settings, about_everything=is_wizard)
        source, target = questions.fill(source, target)
    source, target = _with_password(source, settings), _with_password(target, settings)
    start, finish = places(source, target, settings, folder=Path.cwd())
    return Move(end(start, settings), end(finish, settings), verify=verify)


def _with_password(said: Said, settings: Settings) -> Said:
    if said.engine != "postgresql" or said.password is not None:
        return said
    return replace(said, password=settings.password_of(said.side))


def _agreed(move: Move, on_conflict: OnConflict, *, is_wizard: bool) -> OnConflict:
    look = move.look(on_conflict)
    if is_empty(look) and not is_wizard:
        return on_conflict
    return agree(look, on_conflict, verify=move.verify)
