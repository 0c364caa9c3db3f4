"""A run as it goes on: its events on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aurite.cli.conversation import shortened
from aurite.cli.output import printable, remark, say_json_line, write
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
            case "error":
                self._error = str(data.get("message"))
            case "llm_response_stop" if data.get("status") not in ("success", None) and self._error is None:
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

    def __init__(self, *, short: bool) -> None:
        super().__init__()
        self._short = short
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

    def close(self) -> None:
        self._end_line()
        if self.session_id is not None and not self._short:
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


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return shortened(value)
    from aurite.model.jsontext import encode

    return shortened(encode(value))
