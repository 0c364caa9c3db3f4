"""What a person can ask of a chat besides talking: words that begin with a slash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from aurite.cli.conversation import shortened, text_of
from aurite.cli.instants import for_people
from aurite.cli.output import printable, remark, say, say_table
from aurite.errors import UsageError

if TYPE_CHECKING:
    from aurite.cli.chat import Chat
    from aurite.model.records import Session
    from aurite.storage.ports import SessionStore

SESSIONS_SHOWN = 20
_BEGINNING = 60
_LOOKED_AT = 4
"""Messages that are read to find the first one of the user: a system prompt may come before it."""


@dataclass(frozen=True, slots=True)
class ChatCommand:
    """One command."""

    purpose: str
    carry_out: Callable[[Chat, str], Awaitable[None]]
    argument: str | None = None
    """What has to stand behind its name; None: nothing may."""


async def obey(chat: Chat, line: str) -> None:
    """Do what a line that begins with a slash says.

    Raises:
        UsageError: there is no such command, or it has too few or too many words.
        AuriteError: it could not be done.
    """
    name, _, argument = line.strip().partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(
            f"there is no command {name}", next_step="/help lists them; a message that begins with / needs a blank before it."
        )
    if argument and command.argument is None:
        raise UsageError(f"{name} takes nothing behind it")
    if not argument and command.argument is not None:
        raise UsageError(f"{name} needs the {command.argument} behind it")
    await command.carry_out(chat, argument.strip())


async def _begin_anew(chat: Chat, _argument: str) -> None:
    chat.session_id = None
    remark("The next message begins a new session.")


async def _list_sessions(chat: Chat, _argument: str) -> None:
    rows = await asyncio.to_thread(_session_rows, chat)
    say_table(["Session", "Status", "Messages", "Active", "About"], rows, wrapping=("About",))
    if not rows:
        remark(f"There are no sessions of {chat.agent} yet.")


def _session_rows(chat: Chat) -> list[list[str]]:
    return [
        [
            f"{session.session_id}{' *' if session.session_id == chat.session_id else ''}",
            session.status,
            str(session.message_count),
            for_people(session.active_at),
            session.title or _beginning(chat.app.sessions, session),
        ]
        for session in chat.recent_sessions(SESSIONS_SHOWN)
    ]


def _beginning(store: SessionStore, session: Session) -> str:
    from aurite.model.jsontext import decode

    said = (decode(message.document) for message in store.messages(session.session_id, limit=_LOOKED_AT) if message.role == "user")
    text = shortened(next((text_of(document.get("content")) for document in said if isinstance(document, dict)), ""))
    return text if len(text) <= _BEGINNING else f"{text[:_BEGINNING]}..."


async def _switch(chat: Chat, reference: str) -> None:
    await chat.go_on_with(await asyncio.to_thread(chat.app.sessions.find, reference))


async def _list_tools(chat: Chat, _argument: str) -> None:
    plan = await chat.plan()
    servers = tuple(server.name for server in plan.servers)
    listing = await chat.app.list_tools(*servers) if servers else None
    tools = [tool for tool in (listing.tools if listing else ()) if not {tool.name, tool.tool} & set(plan.agent.exclude_components)]
    say_table(["Tool", "What it does"], [[tool.name, shortened(tool.description)] for tool in tools], wrapping=("What it does",))
    for failure in chain(plan.failures, listing.failures if listing else ()):
        remark(f"Problem: {failure}")
    if plan.agent.auto:
        remark(f"Besides, {chat.agent} picks MCP servers for each message.")
    elif not tools:
        remark(f"{chat.agent} has no tools.")


async def _help(_chat: Chat, _argument: str) -> None:
    width = max(len(_shown(name)) for name in COMMANDS)
    for name, command in COMMANDS.items():
        say(printable(f"{_shown(name).ljust(width)}  {command.purpose}"))
    say()
    say("Enter sends; Alt-Enter, or Esc and then Enter, begins a new line. Tab completes commands and session ids.")
    say("Ctrl-C stops an answer, or throws away what you type. A message that begins with / needs a blank before it.")


async def _quit(chat: Chat, _argument: str) -> None:
    chat.is_over = True


def _shown(name: str) -> str:
    argument = COMMANDS[name].argument
    return f"{name} {argument.upper()}" if argument else name


COMMANDS: Mapping[str, ChatCommand] = MappingProxyType(
    {
        "/new": ChatCommand("Begin a new session.", _begin_anew),
        "/sessions": ChatCommand("List the latest sessions of this agent.", _list_sessions),
        "/switch": ChatCommand("Go on with another session.", _switch, argument="id"),
        "/tools": ChatCommand("List the tools that this agent has.", _list_tools),
        "/help": ChatCommand("Show this.", _help),
        "/quit": ChatCommand("Leave; Ctrl-D does the same.", _quit),
    }
)
