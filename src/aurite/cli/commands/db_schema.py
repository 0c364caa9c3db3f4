"""``aurite db create|upgrade|sql``: making a PostgreSQL database, and bringing a schema to this version's."""

from __future__ import annotations

import click

from aurite.cli.context import open_app
from aurite.cli.output import asking_is_possible, counted, remark, say, say_json
from aurite.stores import create_on_server, pending_sql, upgrade_schema

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command
@_json_option
def upgrade(*, as_json: bool) -> None:
    """Bring the schema of the database to this version's, all steps or none; an empty one gets its tables."""
    with open_app() as app:
        steps = upgrade_schema(app.settings)
    if as_json:
        say_json({"steps": steps})
    elif steps:
        remark(f"Carried out {counted(len(steps), 'step')}: {', '.join(steps)}.")
    else:
        remark("Nothing to do: the schema is this version's.")


@click.command
def sql() -> None:
    """Print the SQL of the steps that a PostgreSQL database lacks, for an administrator to run."""
    with open_app() as app:
        script = pending_sql(app.settings)
    if script:
        say(script)
    else:
        remark("Nothing to do: the schema is this version's.")


@click.command
@click.option("--admin-user", default="postgres", show_default=True, help="Who may create roles and databases.")
@click.option("--admin-database", default="postgres", show_default=True, help="A database that is there, to connect to.")
@click.option("--ask-password", is_flag=True, help="Ask for the administrator's password; else AURITE_DB_ADMIN_PASSWORD is used.")
@click.option("--dry-run", is_flag=True, help="Only print the statements.")
@_json_option
def create(*, admin_user: str, admin_database: str, ask_password: bool, dry_run: bool, as_json: bool) -> None:
    """Make the role and the database that the settings name, on the server that they name.

    What is there already stays as it is. The tables are made by the first command that opens the database.
    """
    with open_app() as app:
        password = app.settings.secret("AURITE_DB_ADMIN_PASSWORD")
        if ask_password:
            if not asking_is_possible():
                raise click.UsageError("--ask-password needs a terminal; set AURITE_DB_ADMIN_PASSWORD instead")
            password = click.prompt(f"Password of {admin_user}", hide_input=True, err=True)
        creation = create_on_server(
            app.settings, admin_user=admin_user, admin_password=password, admin_database=admin_database, dry_run=dry_run
        )
    if as_json:
        say_json({"dry_run": dry_run, "statements": list(creation.statements), "present": list(creation.present)})
        return
    for what in creation.present:
        remark(f"There already: {what}.")
    for statement in creation.statements:
        say(f"{statement};")
    if not dry_run:
        remark(f"Done: {counted(len(creation.statements), 'statement')}." if creation.statements else "Nothing to do.")
