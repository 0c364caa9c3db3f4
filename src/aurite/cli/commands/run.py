"""``aurite run``: an agent answers, or a workflow does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import tell_settings
from aurite.cli.errors import Terminated
from aurite.cli.output import say_json
from aurite.cli.streaming import EventLines, Renderer, StreamedAnswer, WorkflowProgress, render
from aurite.errors import AmbiguousNameError, InvalidValueError, RunError, UsageError

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.config.manager import ConfigManager

_TYPES = ("agent", "linear_workflow", "graph_workflow", "custom_workflow")


@dataclass(frozen=True, slots=True)
class _Request:
    name: str
    type: str | None
    """None: that of the one component of the name."""
    message: str | None
    """None: somebody sits at a terminal and types."""
    system_prompt: str | None
    session_id: str | None
    short: bool
    debug: bool
    as_json: bool


@click.command
@click.argument("name")
@click.argument("message", required=False)
@click.option("-t", "--type", "type_", type=click.Choice(_TYPES), help="The type, where an agent and a workflow share the name.")
@click.option("--system-prompt", help="Use this system prompt instead of the agent's own.")
@click.option("-id", "--session-id", help="Keep the run in this session, and go on with it where it is there already.")
@click.option("-s", "--short", is_flag=True, help="Print the answer alone.")
@click.option("-d", "--debug", is_flag=True, help="Print every event of the run as a line of JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the result of the run as JSON.")
def run(
    name: str,
    message: str | None,
    *,
    type_: str | None,
    system_prompt: str | None,
    session_id: str | None,
    short: bool,
    debug: bool,
    as_json: bool,
) -> None:
    """Run the agent or workflow NAME with a MESSAGE; - reads the message from standard input.

    Without MESSAGE an agent talks with you on the terminal until /quit. The answer goes to standard output; tool calls, the steps
    of a workflow and the session id go to standard error.
    """
    if short + debug + as_json > 1:
        raise UsageError("--short, --debug and --json exclude each other")
    if message == "-":
        message = _standard_input()
    if message is None and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise UsageError("the message is missing", next_step="Give it behind the name, or - to read it from standard input.")
    _run_to_its_end(_carry_out(_Request(name, type_, message, system_prompt, session_id, short, debug, as_json)))


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"standard input is not UTF-8 text: byte {error.start} cannot be read") from error


def _run_to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C and a termination signal cancel the run, which is then kept as cancelled, before the program ends."""
    terminated = False

    async def watched() -> None:
        task = asyncio.current_task()

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        await work

    try:
        asyncio.run(watched())
    except asyncio.CancelledError:
        raise Terminated if terminated else KeyboardInterrupt from None


async def _carry_out(request: _Request) -> None:
    from aurite.app import Aurite

    async with Aurite(Path.cwd(), writer="cli") as app:
        tell_settings(app.settings)
        type_ = request.type or _type_of(app.config, request.name)
        if type_ != "agent":
            await _run_workflow(app, request, type_)
        elif request.message is None:
            await _talk(app, request)
        elif request.as_json:
            await _print_result(app, request, request.message)
        else:
            await _stream(app, request, request.message)


def _type_of(config: ConfigManager, name: str) -> str:
    found = [type_ for type_ in _TYPES if config.get_component(type_, name) is not None]
    if len(found) > 1:
        raise AmbiguousNameError(
            f"{name!r} is the name of several components: {', '.join(found)}", next_step=f"Give --type, as in --type {found[0]}."
        )
    return found[0] if found else config.require_component("agent", name).type


async def _run_workflow(app: Aurite, request: _Request, type_: str) -> None:
    if request.message is None:
        raise UsageError("the message is missing", next_step="A workflow does not talk; give it its input behind the name.")
    if request.system_prompt is not None:
        raise UsageError("a workflow has no system prompt", next_step="Leave --system-prompt away.")
    if request.as_json:
        result = await app.run_workflow(request.name, request.message, type=type_, session_id=request.session_id)
        say_json(result.to_dict())
        if result.error is not None:
            raise RunError(result.error)
        return
    renderer: Renderer = EventLines() if request.debug else WorkflowProgress(short=request.short)
    events = app.stream_workflow(request.name, request.message, type=type_, session_id=request.session_id)
    await render(events, renderer)


async def _print_result(app: Aurite, request: _Request, message: str) -> None:
    result = await app.run_agent(request.name, message, system_prompt=request.system_prompt, session_id=request.session_id)
    say_json(result.to_dict())
    if result.status != "success":
        raise RunError(result.error_message or f"the run ended with status {result.status}")


async def _stream(app: Aurite, request: _Request, message: str) -> None:
    renderer: Renderer = EventLines() if request.debug else StreamedAnswer(short=request.short)
    events = app.stream_agent(request.name, message, system_prompt=request.system_prompt, session_id=request.session_id)
    await render(events, renderer)


async def _talk(app: Aurite, request: _Request) -> None:
    from aurite.cli.chat import Chat

    chat = Chat(
        app,
        request.name,
        session_id=request.session_id,
        system_prompt=request.system_prompt,
        short=request.short,
        debug=request.debug,
    )
    await chat.talk()
