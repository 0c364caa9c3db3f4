"""``aurite db``: the state of the database that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import open_app
from aurite.cli.lazy import Entry, LazyGroup
from aurite.cli.output import counted, printable, problem_document, progress, remark, say, say_json, say_table
from aurite.cli.sizes import in_units
from aurite.errors import StoreUnavailableError
from aurite.stores import describe, examine, postgres_target, vacuum

if TYPE_CHECKING:
    from aurite.app import Aurite

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_UPGRADE = "aurite db upgrade brings it up to date."
_COMMANDS = "aurite.cli.commands"

TABLE = {
    "status": Entry(f"{_COMMANDS}.db:status", "Show where the database is, its versions, size and content."),
    "check": Entry(f"{_COMMANDS}.db:check", "Read the whole database and tell what is wrong with it."),
    "vacuum": Entry(f"{_COMMANDS}.db:vacuum_command", "Give back the space of deleted rows, and say how much."),
    "create": Entry(f"{_COMMANDS}.db_schema:create", "Make the PostgreSQL role and database that the settings name."),
    "upgrade": Entry(f"{_COMMANDS}.db_schema:upgrade", "Bring the schema to this version's."),
    "drop-legacy": Entry(f"{_COMMANDS}.db_schema:drop_legacy", "Delete the tables of Aurite 0.4 that an upgrade kept."),
    "sql": Entry(f"{_COMMANDS}.db_schema:sql", "Print the pending steps, for an administrator to run."),
}


@click.group(cls=LazyGroup, table=TABLE)
def db() -> None:
    """Look at the database that the settings name, whichever mode is on."""


@click.command
@_json_option
def status(*, as_json: bool) -> None:
    """Show where the database is, its version, its size and what is in it; an older schema is shown, not upgraded."""
    with open_app() as app:
        require_existing(app)
        facts = describe(app.settings)
    if as_json:
        say_json(facts)
    else:
        say_table(["What", "Value"], _flat(facts))
    if facts["pending_steps"]:
        remark(f"The schema is older than this version's: {_UPGRADE}")


@click.command
@_json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Read the whole database and tell what is wrong with it; exit status 1 where something is."""
    with open_app() as app:
        require_existing(app)
        problems = examine(app.settings)
        location = str(app.settings.db_path) if app.settings.db_type == "sqlite" else postgres_target(app.settings).location
    if as_json:
        say_json({"database": location, "problems": [problem_document(problem) for problem in problems]})
    else:
        for problem in problems:
            say(printable(str(problem)))
        remark(f"{location}: {counted(len(problems), 'problem') if problems else 'no problems'}.")
    if problems:
        ctx.exit(1)


@click.command("vacuum")
@_json_option
def vacuum_command(*, as_json: bool) -> None:
    """Give space that deleted rows took back, and say how much.

    SQLite: the file is written anew without holes, and its WAL folded in; writers wait meanwhile, and as much space as the database
    holds must be free. PostgreSQL: VACUUM (ANALYZE) of Aurite's tables; nobody waits, and most of the space stays with the tables.
    """
    with open_app() as app:
        require_existing(app)
        with progress("Vacuuming"):
            before, after = vacuum(app.settings)
    if as_json:
        say_json({"bytes_before": before, "bytes_after": after})
        return
    gave = f"gave back {in_units(before - after)}" if after < before else "there was nothing to give back"
    remark(f"{in_units(before)} before, {in_units(after)} now: {gave}.")


def require_existing(app: Aurite) -> None:
    """Returns where there is a database to look at: looking must not make one.

    Raises:
        StoreUnavailableError: there is none yet.
    """
    path = app.settings.db_path
    if app.settings.db_type == "sqlite" and not path.exists():
        raise StoreUnavailableError(f"there is no database at {path} yet", next_step="'aurite export' makes one.")


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield [f"{prefix}{name}", _in_words(value)]


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "-" if value is None else str(value)
