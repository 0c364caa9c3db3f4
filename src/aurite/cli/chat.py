"""``aurite run NAME`` without a message: a person talks with an agent on the terminal, in sessions that are kept."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aurite.cli.chat_commands import COMMANDS, SESSIONS_SHOWN, obey
from aurite.cli.chat_prompt import ChatPrompt
from aurite.cli.conversation import readable
from aurite.cli.output import counted, remark, say_lines
from aurite.cli.streaming import EventLines, Renderer, StreamedAnswer, render
from aurite.errors import AuriteError, SessionExistsError, StorageError, UsageError
from aurite.runtime.stream import put_away

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.model.records import Message, Session
    from aurite.runtime.plan import Plan

_LOOKED_AT = 50
"""Messages of a session that is gone on with, among which the last question and answer are looked for."""


class Chat:
    """A talk with one agent. The model sees the session so far unless the agent's ``include_history`` is false."""

    def __init__(
        self,
        app: Aurite,
        agent: str,
        *,
        session_id: str | None = None,
        system_prompt: str | None = None,
        short: bool = False,
        debug: bool = False,
    ) -> None:
        self.app = app
        self.agent = agent
        self.session_id = session_id
        """The session that the next message goes into; None: one that is made for it."""
        self.is_over = False
        self._system_prompt = system_prompt
        self._short = short
        self._debug = debug
        self._is_kept = True
        self._work: asyncio.Task[None] | None = None
        arguments = {"/switch": self._session_ids}
        purposes = {name: command.purpose for name, command in COMMANDS.items()}
        self._prompt = ChatPrompt(purposes, arguments, has_colors=not app.settings.no_color)

    async def talk(self) -> None:
        """Returns when the person has left.

        Raises:
            ComponentNotFoundError, InvalidComponentError, RunError: the agent cannot run as it is configured.
            SessionExistsError: the session to begin with belongs to another agent or workflow.
            InvalidValueError: its id is not allowed.
        """
        plan = await self.plan()
        self._is_kept = plan.is_kept
        remark(
            f"Talking with {self.agent} ({plan.llm.provider.name}, {plan.llm.model}). /help shows what you can do, /quit ends it."
        )
        if not plan.is_kept:
            remark("Nothing of it is kept, and each message is answered alone: this agent's include_history is false.")
        await self._open_first()
        with self._interruptible():
            while not self.is_over:
                await self._turn()
        if self.session_id is not None and self._is_kept:
            remark(f"To go on: aurite run {shlex.quote(self.agent)} -id {shlex.quote(self.session_id)}")

    async def plan(self) -> Plan:
        """What the agent works with, as it is configured now. Raises: see :meth:`talk`."""
        return await self.app.plan_agent(self.agent, system_prompt=self._system_prompt)

    async def go_on_with(self, session: Session) -> None:
        """Make this the session of the next message, and show how it ended.

        Raises:
            UsageError: the agent's runs are not kept in sessions.
            SessionExistsError: it belongs to another agent or workflow.
        """
        if not self._is_kept:
            raise UsageError("this agent's include_history is false, so it goes on with no session")
        if (session.kind, session.name) != ("agent", self.agent):
            raise SessionExistsError(
                f"session {session.session_id!r} belongs to the {session.kind} {session.name!r}",
                next_step=f"See: aurite sessions list --agent {shlex.quote(self.agent)}",
            )
        last = await asyncio.to_thread(self._last_said, session.session_id)
        self.session_id = session.session_id
        remark(f"Session: {session.session_id}, with {counted(session.message_count, 'message')}")
        for message in last:
            say_lines(readable(message))

    def recent_sessions(self, limit: int) -> list[Session]:
        """The sessions of this agent that were active last. Raises: StorageError."""
        from aurite.model.records import SessionFilter

        return list(self.app.sessions.list(SessionFilter(agent=self.agent), limit=limit, order="active").sessions)

    async def _open_first(self) -> None:
        if self.session_id is None:
            return
        from aurite.runtime.recorder import session_id_for

        self.session_id = session_id_for(self.session_id)
        found = await asyncio.to_thread(self.app.sessions.get, self.session_id)
        if found is not None and self._is_kept:
            await self.go_on_with(found)

    async def _turn(self) -> None:
        """One line is read and done; what goes wrong with it is told, and the talk goes on."""
        try:
            typed = await self._prompt.read()
            if typed is None:
                remark("/quit or Ctrl-D ends it.")
            elif typed.startswith("/"):
                await self._until_stopped(obey(self, typed))
            elif typed.strip():
                await self._until_stopped(self._answer(typed.strip()))
        except EOFError:
            self.is_over = True
        except AuriteError as error:
            remark(f"Error: {error}")

    async def _answer(self, message: str) -> None:
        renderer: Renderer = EventLines() if self._debug else StreamedAnswer(short=self._short, names_session=False)
        events = self.app.stream_agent(
            self.agent, message, system_prompt=self._system_prompt, session_id=self.session_id, shows_history=True
        )
        before = self.session_id
        try:
            await render(events, renderer)
        finally:
            self.session_id = renderer.session_id or self.session_id
            if self.session_id != before and not (self._short or self._debug):
                remark(f"Session: {self.session_id}")

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that Ctrl-C may stop."""
        self._work = asyncio.create_task(work)
        try:
            await asyncio.wait({self._work})
        finally:
            await put_away(self._work)  # where this task was cancelled: the run is kept as cancelled before the app closes
        if self._work.cancelled():
            remark("Stopped.")
        else:
            self._work.result()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGINT)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)

    def _interrupt(self) -> None:
        if self._work is None or self._work.done():
            self._prompt.interrupt()
        elif not self._work.cancelling():  # pressed again while the run is being ended: it must not be left half stored
            self._work.cancel()

    def _session_ids(self) -> list[str]:
        try:
            return [session.session_id for session in self.recent_sessions(SESSIONS_SHOWN)]
        except StorageError:  # a completion is only an offer; whoever goes on is told what is wrong
            return []

    def _last_said(self, session_id: str) -> list[Message]:
        """The last question, and what was answered at the end."""
        latest = {message.role: message for message in self.app.sessions.last_messages(session_id, _LOOKED_AT)}
        return sorted((latest[role] for role in ("user", "assistant") if role in latest), key=lambda message: message.seq)
