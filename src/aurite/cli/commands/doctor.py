"""``aurite doctor``: one page about everything, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aurite.cli.output import counted, progress, remark, say_json, say_table
from aurite.errors import SettingsError

if TYPE_CHECKING:
    from aurite.cli.diagnosis import Finding


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at settings, files, database, components, model keys and MCP servers, and tell what is wrong and what to do.

    Nothing is changed and no network is asked, except for a PostgreSQL server that the settings name. A key is told to be set or
    not, never what it is. Exit status 1 where something is wrong; what is only worth knowing is a note.
    """
    with progress("Looking at everything"):
        findings = _findings()
    count = sum(finding.state == "wrong" for finding in findings)
    if as_json:
        shown = [{"part": f.part, "state": f.state, "what": f.what, "next_step": f.next_step} for f in findings]
        say_json({"wrong": count, "findings": shown})
    else:
        rows = ([finding.part, finding.state, finding.what, finding.next_step or ""] for finding in findings)
        say_table(["Part", "State", "What", "What to do"], rows, wrapping=("What", "What to do"))
        remark(f"{counted(count, 'thing')} wrong." if count else "Nothing is wrong.")
    if count:
        ctx.exit(1)


def _findings() -> list[Finding]:
    from aurite.app import Aurite
    from aurite.cli.diagnosis import diagnose, wrong

    try:
        app = Aurite(Path.cwd(), writer="cli")
    except SettingsError as error:
        return [wrong("settings", error)]
    try:
        return diagnose(app)
    finally:
        app.close()
