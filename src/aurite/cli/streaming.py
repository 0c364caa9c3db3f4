"""A run as it goes on: its events on the terminal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from aurite.cli.conversation import shortened
from aurite.cli.output import printable, remark, say_json, say_json_line, say_lines, write
from aurite.errors import RunError


class Renderer(Protocol):
    """Shows the events of one run."""

    session_id: str | None

    def take(self, event: Mapping[str, Any]) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """End the line that is being written."""
        ...

    def raise_for_status(self) -> None:
        """Raises: RunError, where the run did not come to its proper end."""
        ...


async def render(events: AsyncGenerator[dict[str, Any], None], renderer: Renderer) -> None:
    """Show the events of a run to its end; whoever is cancelled here cancels the run, and waits until that is stored.

    Raises:
        What the run raises; RunError, where it did not come to its proper end.
    """
    try:
        async with aclosing(events):
            async for event in events:
                renderer.take(event)
    finally:
        renderer.close()
    renderer.raise_for_status()


class _Outcome:
    """How the run ended, by its events."""

    def __init__(self) -> None:
        self.session_id: str | None = None
        self._error: str | None = None

    def _note(self, event: Mapping[str, Any]) -> None:
        data = event.get("data", {})
        match event.get("type"):
            case "session_info":
                self.session_id = data.get("session_id")
            case "error" if "step" not in event:
                self._error = str(data.get("message"))
            case "workflow_stop":
                self._error = data.get("error")
            case "llm_response_stop" if "step" not in event and data.get("status") not in ("success", None) and self._error is None:
                self._error = f"the run ended with status {data['status']}: {data.get('reason')}"

    def raise_for_status(self) -> None:
        if self._error is not None:
            raise RunError(self._error)


class EventLines(_Outcome):
    """Every event as a line of JSON on standard output."""

    def take(self, event: Mapping[str, Any]) -> None:
        self._note(event)
        say_json_line(dict(event))
        write("", at_once=True)

    def close(self) -> None:
        """Every line is complete already."""


class StreamedAnswer(_Outcome):
    """The text on standard output as it comes; tool calls and the session on standard error, unless it shall be short."""

    def __init__(self, *, short: bool, names_session: bool = True) -> None:
        super().__init__()
        self._short = short
        self._names_session = names_session and not short
        self._line_is_open = False

    def take(self, event: Mapping[str, Any]) -> None:
        self._note(event)
        data = event.get("data", {})
        match event.get("type"):
            case "llm_response":
                self._write(str(data.get("content", "")))
            case "tool_call":
                self._aside(f"-> {data.get('name')}({_arguments(data.get('input'))})")
            case "tool_output":
                self._aside(f"<- {shortened(str(data.get('output', '')))}")
            case "server_failed":
                self._aside(f"Warning: {data.get('message')}")

    def close(self) -> None:
        self._end_line()
        if self.session_id is not None and self._names_session:
            remark(f"Session: {self.session_id}")

    def _write(self, text: str) -> None:
        if text:
            write(printable(text, keep_lines=True), at_once=True)
            self._line_is_open = not text.endswith("\n")

    def _aside(self, text: str) -> None:
        if not self._short:
            self._end_line()
            remark(text)

    def _end_line(self) -> None:
        if self._line_is_open:
            write("\n", at_once=True)
            self._line_is_open = False


class WorkflowProgress(_Outcome):
    """The workflow's output on standard output; its steps, with their tool calls, on standard error, unless it shall be short."""

    def __init__(self, *, short: bool) -> None:
        super().__init__()
        self._short = short

    def take(self, event: Mapping[str, Any]) -> None:
        self._note(event)
        line = _line_of(event)
        if line is not None and not self._short:
            remark(f"[{event.get('step')}] {line}")
        if event.get("type") == "workflow_stop" and self._error is None:
            output = event["data"].get("final_output")
            if isinstance(output, str):
                say_lines(output)
            else:
                say_json(output)

    def close(self) -> None:
        if self.session_id is not None and not self._short:
            remark(f"Session: {self.session_id}")


def _line_of(event: Mapping[str, Any]) -> str | None:
    """What is shown of an event of a step; its text is not, because steps may speak at the same time."""
    data = event.get("data", {})
    match event.get("type"):
        case "step_start":
            return f"{data.get('name')} ({str(data.get('type')).replace('_', ' ')})"
        case "tool_call":
            return f"-> {data.get('name')}({_arguments(data.get('input'))})"
        case "tool_output":
            return f"<- {shortened(str(data.get('output', '')))}"
        case "server_failed":
            return f"Warning: {data.get('message')}"
        case "step_stop":
            return f"done: {_arguments(data.get('output'))}"
    return None


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return shortened(value)
    from aurite.model.jsontext import encode

    return shortened(encode(value))
