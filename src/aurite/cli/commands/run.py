"""``aurite run``: an agent answers."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.context import tell_settings
from aurite.cli.errors import Terminated
from aurite.cli.output import remark, say_json
from aurite.cli.streaming import EventLines, Renderer, StreamedAnswer
from aurite.errors import InvalidValueError, NotSupportedError, RunError, UsageError

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.config.manager import ConfigManager

_WORKFLOWS = ("linear_workflow", "graph_workflow", "custom_workflow")


@dataclass(frozen=True, slots=True)
class _Request:
    name: str
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
@click.option("--system-prompt", help="Use this system prompt instead of the agent's own.")
@click.option("-id", "--session-id", help="Keep the run in this session, and go on with it where it is there already.")
@click.option("-s", "--short", is_flag=True, help="Print the answer alone.")
@click.option("-d", "--debug", is_flag=True, help="Print every event of the run as a line of JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the result of the run as JSON.")
def run(
    name: str, message: str | None, *, system_prompt: str | None, session_id: str | None, short: bool, debug: bool, as_json: bool
) -> None:
    """Run the agent NAME with a MESSAGE; - reads the message from standard input.

    Without MESSAGE it talks with you on the terminal until /quit. The answer goes to standard output; tool calls and the session
    id go to standard error.
    """
    if short + debug + as_json > 1:
        raise UsageError("--short, --debug and --json exclude each other")
    if message == "-":
        message = _standard_input()
    if message is None and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise UsageError("the message is missing", next_step="Give it behind the name, or - to read it from standard input.")
    _run_to_its_end(_carry_out(_Request(name, message, system_prompt, session_id, short, debug, as_json)))


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
        _require_agent(app.config, request.name)
        if request.message is None:
            await _talk(app, request)
        elif request.as_json:
            await _print_result(app, request, request.message)
        else:
            await _stream(app, request, request.message, request.session_id)


def _require_agent(config: ConfigManager, name: str) -> None:
    if config.get_component("agent", name) is not None:
        return
    for type_ in _WORKFLOWS:
        if config.get_component(type_, name) is not None:
            raise NotSupportedError(
                f"{name!r} is a {type_.replace('_', ' ')}, and this version runs agents alone",
                next_step="Run its agents one by one.",
            )
    config.require_component("agent", name)


async def _print_result(app: Aurite, request: _Request, message: str) -> None:
    result = await app.run_agent(request.name, message, system_prompt=request.system_prompt, session_id=request.session_id)
    say_json(result.to_dict())
    if result.status != "success":
        raise RunError(result.error_message or f"the run ended with status {result.status}")


async def _stream(app: Aurite, request: _Request, message: str, session_id: str | None) -> str | None:
    """The id of the session that keeps the run; None where it is not kept."""
    renderer: Renderer = EventLines() if request.debug else StreamedAnswer(short=request.short)
    events = app.stream_agent(request.name, message, system_prompt=request.system_prompt, session_id=session_id)
    try:
        # Closed by hand: the run must be kept as cancelled before the app closes, where nobody reads what is printed any more.
        async with aclosing(events):
            async for event in events:
                renderer.take(event)
    finally:
        renderer.close()
    renderer.raise_for_status()
    return renderer.session_id


async def _talk(app: Aurite, request: _Request) -> None:
    from prompt_toolkit import PromptSession

    prompt: PromptSession[str] = PromptSession()
    session_id = request.session_id
    remark(f"Talking with {request.name}; /quit ends it.")
    while True:
        try:
            message = (await prompt.prompt_async("> ")).strip()
        except EOFError:
            return
        if message == "/quit":
            return
        if message:
            try:
                session_id = await _stream(app, request, message, session_id) or session_id
            except RunError as error:
                remark(f"Error: {error}")
