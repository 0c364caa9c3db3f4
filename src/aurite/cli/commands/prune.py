"""``aurite sessions prune``: old or superfluous sessions deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.instants import InstantType
from aurite.cli.output import counted, progress, remark, say_json
from aurite.errors import UsageError

if TYPE_CHECKING:
    from aurite.transfer.retention import Pruned, Retention

_STATUSES = ("running", "completed", "failed", "max_iterations_reached", "cancelled", "interrupted")


@click.command
@click.option("--older-than", type=InstantType(), metavar="TIME", help="Those not active for so long, as 90d, or since a date.")
@click.option("--keep", type=click.IntRange(min=0), help="Those beyond this many of the most recently active.")
@click.option("--agent", help="Only those of this agent.")
@click.option("--workflow", help="Only those of this workflow.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those whose latest run has this status.")
@click.option("--include-running", is_flag=True, help="Also those with a run that has not ended, as after a crash.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Delete this many at a time.")
@click.option("--dry-run", is_flag=True, help="Only say how much would be deleted.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(
    *,
    older_than: int | None,
    keep: int | None,
    agent: str | None,
    workflow: str | None,
    tag: str | None,
    status: str | None,
    include_running: bool,
    batch: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete sessions that nobody has used for long, or that are too many.

    At least one of --older-than and --keep must be given; with both, only what is old and beyond the number goes. Active is when a
    run last started or ended. A session counts once: the steps of a workflow go with it, stay with it, and are not counted; a
    workflow one of whose steps was active lately is not old. --keep counts among the sessions that fit the other options. A
    session with a run that has not ended stays. Batches are deleted one after the other, each all or nothing, so that others can
    write in between; to stop halfway loses nothing but what was said.
    """
    from aurite.model.records import SessionFilter
    from aurite.transfer.retention import Retention

    if older_than is None and keep is None:
        raise UsageError("neither --older-than nor --keep is given", next_step="Say which sessions may go: --older-than 90d.")
    chosen = SessionFilter(agent=agent, workflow=workflow, tag=tag, status=status)
    rule = Retention(idle_since=older_than, keep=keep, filter=chosen, include_running=include_running)
    pruned, location = _pruned(rule, batch=batch, dry_run=dry_run, yes=yes)
    if as_json:
        say_json(
            {
                "store": location,
                "dry_run": dry_run,
                "sessions": pruned.sessions,
                "messages": pruned.messages,
                "batches": pruned.batches,
                "running": pruned.running,
            }
        )
    remark(f"{'Would delete' if dry_run else 'Deleted'} {_amount(pruned)} in {location}.")
    if pruned.running:
        remark(f"Left alone: {counted(pruned.running, 'session')} with a run that has not ended (see --include-running).")


def _pruned(rule: Retention, *, batch: int, dry_run: bool, yes: bool) -> tuple[Pruned, str]:
    from aurite.transfer.retention import prune as prune_sessions

    with open_app() as app:
        if dry_run or not yes:
            with progress("Counting sessions"):
                pruned = prune_sessions(app.sessions, rule, batch=batch, dry_run=True)
            if dry_run or not pruned.sessions:
                return pruned, app.sessions.location
            require_consent(f"Delete {_amount(pruned)} in {app.sessions.location}?", yes=yes)
        with progress("Deleting sessions"):
            return prune_sessions(app.sessions, rule, batch=batch), app.sessions.location


def _amount(pruned: Pruned) -> str:
    return f"{counted(pruned.sessions, 'session')} with {counted(pruned.messages, 'message')}"
