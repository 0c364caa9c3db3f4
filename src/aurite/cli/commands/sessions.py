"""``aurite sessions``: the kept conversations."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.commands.prune import prune
from aurite.cli.commands.sessions_export import export
from aurite.cli.context import open_app
from aurite.cli.conversation import all_messages, message_document, readable, run_document, session_document
from aurite.cli.instants import InstantType, for_people
from aurite.cli.output import counted, printable, remark, say, say_json, say_lines, say_table, write
from aurite.errors import UsageError

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.records import Cursor, DeletedSessions, Message, Page, Session
    from aurite.storage.ports import SessionStore

_FOLLOW_SECONDS = 0.5
_STATUSES = ("running", "completed", "failed", "max_iterations_reached", "cancelled", "interrupted")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group
def sessions() -> None:
    """List, show, tag, export and delete the sessions of runs.

    A session is named by its full id, or by the id that its run was given, where that is unambiguous.
    """


@dataclass(frozen=True, slots=True)
class _Listing:
    sort: Literal["created", "active"]
    limit: int
    after: str | None


@sessions.command("list")
@click.option("--agent", help="Only those of this agent.")
@click.option("--workflow", help="Only those of this workflow.")
@click.option("--base", help="Only those of this base session id: a workflow and its steps.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those whose latest run has this status.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--since", type=InstantType(), help="Only those made at this time or later: a date, a time, or 2h, 3d.")
@click.option("--until", type=InstantType(), help="Only those made before this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most this many.")
@click.option("--after", metavar="CURSOR", help="Go on where an earlier listing ended, which told this cursor.")
@click.option(
    "--sort", type=click.Choice(["created", "active"]), default="created", show_default=True, help="Newest first, by this time."
)
@_json_option
def list_sessions(
    *,
    agent: str | None,
    workflow: str | None,
    base: str | None,
    status: str | None,
    tag: str | None,
    since: int | None,
    until: int | None,
    limit: int,
    after: str | None,
    sort: Literal["created", "active"],
    as_json: bool,
) -> None:
    """List sessions, newest first."""
    from aurite.model.records import SessionFilter

    chosen = SessionFilter(
        agent=agent, workflow=workflow, base_session_id=base, status=status, tag=tag, created_from=since, created_until=until
    )
    cursor = _cursor(after, sort) if after is not None else None
    with open_app() as app:
        page = app.sessions.list(chosen, limit=limit, after=cursor, order=sort)
        _say_page(app, page, sort, as_json=as_json)


def _say_page(app: Aurite, page: Page, sort: str, *, as_json: bool) -> None:
    following = _token(page.next, sort) if page.next is not None else None
    if as_json:
        shown = [session_document(session) for session in page.sessions]
        say_json({"store": app.sessions.location, "sessions": shown, "next": following})
        return
    heading = ["Session", "Of", "Status", "Messages", "Created", "Title and tags"]
    say_table(heading, map(_row, page.sessions), wrapping=("Of", "Title and tags"))
    if not page.sessions:
        remark(f"No sessions that fit in {app.sessions.location}.")
    elif following is not None:
        remark(f"There are more: --after {following}")


def _row(session: Session) -> list[str]:
    notes = " ".join([*([session.title] if session.title else []), *(f"+{tag}" for tag in session.tags)])
    return [session.session_id, session.name, session.status, str(session.message_count), for_people(session.created_at), notes]


def _token(cursor: Cursor, sort: str) -> str:
    return base64.urlsafe_b64encode(f"{sort}:{cursor.instant}:{cursor.session_id}".encode()).decode().rstrip("=")


def _cursor(token: str, sort: str) -> Cursor:
    from aurite.model.records import Cursor

    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        made_for, instant, session_id = text.split(":", 2)
        cursor = Cursor(int(instant), session_id)
    except ValueError as error:
        raise UsageError(
            "--after is not a cursor of an earlier listing", next_step="Copy it whole, or leave --after away."
        ) from error
    if made_for != sort:
        raise UsageError(f"--after comes from a listing with --sort {made_for}", next_step=f"Give --sort {made_for} again.")
    return cursor


@sessions.command
@click.argument("session")
@_json_option
def show(session: str, *, as_json: bool) -> None:
    """Print the conversation of a session."""
    with open_app() as app:
        found = app.sessions.find(session)
        if as_json:
            runs = [run_document(run) for run in app.sessions.runs(found.session_id)]
            messages = [message_document(message) for message in all_messages(app.sessions, found.session_id)]
            say_json({"session": session_document(found), "runs": runs, "messages": messages})
            return
        _say_head(found)
        for message in all_messages(app.sessions, found.session_id):
            say()
            say_lines(readable(message))
        for run in app.sessions.runs(found.session_id):
            if run.error:
                remark(f"Run {run.run_id} {run.status}: {run.error}")


def _say_head(session: Session) -> None:
    title = f"  {session.title}" if session.title else ""
    say(printable(f"{session.session_id}{title}"))
    tags = "".join(f" +{tag}" for tag in session.tags)
    count = counted(session.message_count, "message")
    say(printable(f"{session.kind} {session.name}, {session.status}, {count}, {for_people(session.created_at)}{tags}"))


@sessions.command
@click.argument("session")
@click.option(
    "-n", "count", type=click.IntRange(0, 100_000), default=20, show_default=True, help="How many of the newest messages."
)
@click.option("--follow", is_flag=True, help="Go on with new messages as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each message.")
def tail(session: str, *, count: int, follow: bool, as_json: bool) -> None:
    """Print the newest messages of a session."""
    with open_app() as app:
        found = app.sessions.find(session)
        messages = app.sessions.last_messages(found.session_id, count) if count else []
        last = found.message_count
        for message in messages:
            _say_message(message, as_json=as_json)
            last = message.seq
        while follow:
            write("", at_once=True)
            time.sleep(_FOLLOW_SECONDS)
            for message in app.sessions.messages(found.session_id, after=last):
                _say_message(message, as_json=as_json)
                last = message.seq


def _say_message(message: Message, *, as_json: bool) -> None:
    if as_json:
        from aurite.cli.output import say_json_line

        say_json_line(message_document(message))
    else:
        say_lines(readable(message))


class _TagCommand(click.Command):
    """Reads ``+word`` as ``--add word`` and ``-word`` as ``--remove word``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spelt: list[str] = []
        for word in args:
            if word.startswith("+") and len(word) > 1:
                spelt.append(f"--add={word[1:]}")
            elif word.startswith("-") and not word.startswith("--") and len(word) > 1 and word != "-h":
                spelt.append(f"--remove={word[1:]}")
            else:
                spelt.append(word)
        return super().parse_args(ctx, spelt)


@sessions.command(cls=_TagCommand, options_metavar="[+TAG ...] [-TAG ...] [OPTIONS]")
@click.argument("session")
@click.option("--add", multiple=True, help="Add this tag; +TAG is short for it.")
@click.option("--remove", multiple=True, help="Remove this tag; -TAG is short for it.")
@_json_option
def tag(session: str, *, add: tuple[str, ...], remove: tuple[str, ...], as_json: bool) -> None:
    """Add tags to a session, or remove them; without any, show them."""
    with open_app() as app:
        found = app.sessions.find(session)
        if add or remove:
            found = app.sessions.tag(found.session_id, add=add, remove=remove)
    if as_json:
        say_json(session_document(found))
    else:
        say(printable(" ".join([found.session_id, *(f"+{word}" for word in found.tags)])))


@sessions.command
@click.argument("session")
@click.argument("text")
def title(session: str, text: str) -> None:
    """Give a session a title; an empty one takes it away."""
    with open_app() as app:
        app.sessions.set_title(app.sessions.find(session).session_id, text or None)


@sessions.command
@click.argument("session", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@yes_option
@_json_option
def delete(session: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete sessions with their messages, and the steps of workflows along with them."""
    with open_app() as app:
        ids = _ids(app.sessions, session)
        deleted = app.sessions.delete(ids, dry_run=True)
        if not dry_run:
            require_consent(f"Delete {_amount(deleted)} in {app.sessions.location}?", yes=yes)
            deleted = app.sessions.delete(ids)
    if as_json:
        say_json({"dry_run": dry_run, "session_ids": list(deleted.session_ids), "messages": deleted.messages})
        return
    for session_id in deleted.session_ids:
        say(printable(session_id))
    remark(f"{'Would delete' if dry_run else 'Deleted'} {_amount(deleted)}.")


def _ids(store: SessionStore, references: Sequence[str]) -> list[str]:
    ids = [store.find(reference).session_id for reference in references]
    return list(dict.fromkeys(ids))


def _amount(deleted: DeletedSessions) -> str:
    return f"{counted(len(deleted.session_ids), 'session')} with {counted(deleted.messages, 'message')}"


sessions.add_command(export)
sessions.add_command(prune)
