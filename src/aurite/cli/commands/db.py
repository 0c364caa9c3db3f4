"""``aurite db``: the state of the database that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import open_app
from aurite.cli.lazy import Entry, LazyGroup
from aurite.cli.output import counted, printable, problem_document, remark, say, say_json, say_table
from aurite.errors import StoreUnavailableError
from aurite.stores import open_as_it_is

if TYPE_CHECKING:
    from aurite.app import Aurite

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_COMMANDS = "aurite.cli.commands"

TABLE = {
    "status": Entry(f"{_COMMANDS}.db:status", "Show where the database is, its versions, size and content."),
    "check": Entry(f"{_COMMANDS}.db:check", "Read the whole database and tell what is wrong with it."),
    "create": Entry(f"{_COMMANDS}.db_schema:create", "Make the PostgreSQL role and database that the settings name."),
    "upgrade": Entry(f"{_COMMANDS}.db_schema:upgrade", "Bring the schema to this version's."),
    "sql": Entry(f"{_COMMANDS}.db_schema:sql", "Print the pending steps, for an administrator to run."),
}


@click.group(cls=LazyGroup, table=TABLE)
def db() -> None:
    """Look at the database that the settings name, whichever mode is on."""


@click.command
@_json_option
def status(*, as_json: bool) -> None:
    """Show where the database is, its version, its size and what is in it."""
    with open_app() as app:
        _require_existing(app)
        database = open_as_it_is(app.settings)
        try:
            facts = database.status()
        finally:
            database.close()
    if as_json:
        say_json(facts)
    else:
        say_table(["What", "Value"], _flat(facts))


@click.command
@_json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Read the whole database and tell what is wrong with it; exit status 1 where something is."""
    with open_app() as app:
        _require_existing(app)
        problems = app.database().check()
        location = app.database().location
    if as_json:
        say_json({"database": location, "problems": [problem_document(problem) for problem in problems]})
    else:
        for problem in problems:
            say(printable(str(problem)))
        remark(f"{location}: {counted(len(problems), 'problem') if problems else 'no problems'}.")
    if problems:
        ctx.exit(1)


def _require_existing(app: Aurite) -> None:
    # Looking at a database must not make one.
    path = app.settings.db_path
    if app.settings.db_type == "sqlite" and not path.exists():
        raise StoreUnavailableError(f"there is no database at {path} yet", next_step="'aurite export' makes one.")


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield [f"{prefix}{name}", "-" if value is None else str(value)]
