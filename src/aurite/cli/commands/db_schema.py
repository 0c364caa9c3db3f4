"""``aurite db create|upgrade|drop-legacy|sql``: making a PostgreSQL database, and bringing a schema to this version's."""

from __future__ import annotations

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.migration import told_in_full
from aurite.cli.migration_progress import progress_bars
from aurite.cli.output import asking_is_possible, counted, remark, say, say_json
from aurite.stores import create_on_server, pending_sql, takeover, upgrade_schema

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command
@_json_option
def upgrade(*, as_json: bool) -> None:
    """Bring the schema of the database to this version's, all steps or none; an empty one gets its tables.

    A database of Aurite 0.4 is taken over where it is: every row is written into today's tables and proven, and the old tables are
    kept as legacy_components, legacy_sessions, ... until 'aurite db drop-legacy'. On SQLite a backup is made beside the file first.
    """
    from aurite.transfer.legacy import upgrade_in_place

    with open_app() as app:
        database = takeover(app.settings)
        with told_in_full(), progress_bars() as progress:
            taken_over = upgrade_in_place(database, progress=progress)
        kept = database.kept() if taken_over is not None else {}
        steps = upgrade_schema(app.settings)
    if as_json:
        rows = None if taken_over is None else {table.table: table.verified for table in taken_over}
        say_json({"steps": steps, "taken_over": rows, "kept": kept})
    elif taken_over is not None:
        for table in taken_over:
            remark(f"Taken over and proven: {counted(table.verified, 'row')} of {table.table}.")
        remark(f"The old tables are kept as {', '.join(kept)}; 'aurite db drop-legacy' deletes them.")
    elif steps:
        remark(f"Carried out {counted(len(steps), 'step')}: {', '.join(steps)}.")
    else:
        remark("Nothing to do: the schema is this version's.")


@click.command("drop-legacy")
@click.option("--dry-run", is_flag=True, help="Only say which tables it is about.")
@yes_option
@_json_option
def drop_legacy(*, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete the tables of Aurite 0.4 that 'aurite db upgrade' kept; what was taken over from them stays."""
    with open_app() as app:
        database = takeover(app.settings)
        found = database.kept()
        told = ", ".join(f"{table} ({counted(rows, 'row')})" for table, rows in found.items())
        if found and not dry_run:
            require_consent(f"Delete {told} in {database.location}?", yes=yes)
            found = database.drop_kept()
    if as_json:
        say_json({"dry_run": dry_run, "tables": found})
    elif found:
        remark(f"{'Would delete' if dry_run else 'Deleted'} {told}.")
    else:
        remark("Nothing to do: there are no tables of Aurite 0.4.")


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
