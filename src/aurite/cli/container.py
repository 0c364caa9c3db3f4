"""The entry point of the Docker image: ``python -m aurite.cli.container COMMAND ...``.

Started as root, it makes the data folder the service's and gives up root. Before the service it also waits for the database, brings
the schema up to date and exports the component files. Then the command takes its place, so that signals reach it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from aurite.cli.context import open_app
from aurite.cli.errors import Terminated, exit_status
from aurite.cli.main import TABLE
from aurite.cli.output import counted, remark
from aurite.cli.service_user import Place, become, hand_over, require_writable
from aurite.errors import InvalidComponentError, UsageError

if TYPE_CHECKING:
    from aurite.settings import Settings

SERVICE = ("api", "serve")
DEFAULT = ("aurite", "api")


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def container(ctx: click.Context, *, words: tuple[str, ...]) -> None:
    """Prepare what the command needs, then become it; the service where there is no command."""
    from aurite.settings import Settings

    # Process 1 hears of no signal that it does not ask for.
    signal.signal(signal.SIGTERM, _end)
    command = command_line(words)
    settings = Settings.from_env(Path.cwd())
    _give_up_root(settings)
    if command[0] == "aurite" and command[1:2] and command[1] in SERVICE:
        _prepare(ctx, settings)
    _become_command(command)


def command_line(words: Sequence[str]) -> tuple[str, ...]:
    """The command with its program: commands and options of ``aurite`` may be given without it."""
    if not words:
        return DEFAULT
    return ("aurite", *words) if words[0] in TABLE or words[0].startswith("-") else tuple(words)


def place_of(settings: Settings) -> Place | None:
    """Where Aurite writes on this machine: beside the SQLite file, or the sessions of a project in files."""
    if settings.enable_db:
        return Place(settings.db_path.parent, settings.db_path.name) if settings.db_type == "sqlite" else None
    return Place(settings.root / ".aurite_cache") if settings.anchor else None


def _give_up_root(settings: Settings) -> None:
    place = place_of(settings)
    if os.geteuid() == 0:
        if place is not None:
            hand_over(place)
        become()
    if place is not None and place.prefix:  # without a folder for sessions, agents still run
        require_writable(place)


def _prepare(ctx: click.Context, settings: Settings) -> None:
    from aurite.stores import upgrade_schema, wait_for_server

    if not settings.enable_db:
        return
    wait_for_server(settings, tell=remark)
    steps = upgrade_schema(settings)
    if steps:
        remark(f"Carried out {counted(len(steps), 'step')} of the schema: {', '.join(steps)}.")
    if settings.auto_export:
        _export(ctx)


def _export(ctx: click.Context) -> None:
    from aurite.cli.commands.export import export

    with open_app() as app:
        around = app.context
    if around.project is None and around.workspace is None:
        remark(f"Nothing to export: there is no project in {Path.cwd()}.")
        return
    try:
        ctx.invoke(export, dry_run=False, prune=False, skip_invalid=False, yes=False, as_json=False)
    except InvalidComponentError as error:
        raise InvalidComponentError(
            error.message,
            reasons=error.reasons,
            next_step="Correct them, or set AURITE_AUTO_EXPORT=false to serve what the database holds",
        ) from error


def _become_command(command: tuple[str, ...]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two, and what is ignored stays so in the program that follows.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command of the container, and no shell that could read it otherwise
    except OSError as error:
        raise UsageError(
            f"{command[0]} cannot be started: {error.strerror}", next_step="Give a command of aurite, or a program of the image"
        ) from error


def _end(_number: int, _frame: object) -> NoReturn:
    raise Terminated


def main() -> NoReturn:
    """Run the entry point with the arguments of this process, and end it with its exit status where the command does not start."""
    sys.exit(exit_status(container, sys.argv[1:]))


if __name__ == "__main__":
    main()
