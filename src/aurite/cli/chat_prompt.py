"""The line that a person types in a chat: several lines where wanted, with completion of commands and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from aurite.cli.output import printable
from aurite.errors import InvalidValueError

_PROMPT: StyleAndTextTuples = [("class:prompt", "> ")]
_STYLE = Style.from_dict({"prompt": "ansicyan bold"})


class ChatPrompt:
    """Reads what a person types. Enter sends, Alt-Enter or Esc Enter begins a line; pasted lines stay together."""

    def __init__(
        self,
        commands: Mapping[str, str],
        arguments: Mapping[str, Callable[[], Sequence[str]]],
        *,
        has_colors: bool,
    ) -> None:
        """Args:
        commands: what each command does, by its name with the slash.
        arguments: what may stand behind a command, by its name; asked for when it is to be completed.
        has_colors: whether the prompt may be coloured.
        """
        self._session: PromptSession[str | None] = PromptSession(
            _PROMPT,
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_bindings(),
            completer=ChatCompleter(commands, arguments),
            complete_in_thread=True,
            complete_while_typing=False,
            style=_STYLE,
            color_depth=None if has_colors else ColorDepth.DEPTH_1_BIT,
            enable_suspend=True,
        )

    async def read(self) -> str | None:
        """What was typed, empty where Ctrl-C threw it away; None for a Ctrl-C where nothing was typed.

        Raises:
            EOFError: Ctrl-D on an empty line.
            InvalidValueError: it is not UTF-8 text.
        """
        typed = await self._session.prompt_async(handle_sigint=False, set_exception_handler=False)
        if typed is not None:
            try:
                typed.encode()
            except UnicodeEncodeError as error:
                raise InvalidValueError("what was typed is not UTF-8 text") from error
        return typed

    def interrupt(self) -> None:
        """Do what Ctrl-C does, where somebody is being asked."""
        if self._session.app.is_running:
            self._session.app.key_processor.send_sigint()


class ChatCompleter(Completer):
    """Completes a command at the beginning, and what stands behind it."""

    def __init__(self, commands: Mapping[str, str], arguments: Mapping[str, Callable[[], Sequence[str]]]) -> None:
        self._commands = commands
        self._arguments = arguments

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 - the signature is prompt_toolkit's
        typed = document.text_before_cursor
        command, blank, begun = typed.partition(" ")
        if not blank:
            for name, purpose in self._commands.items():
                if typed.startswith("/") and name.startswith(typed):
                    yield Completion(name, start_position=-len(typed), display_meta=purpose)
        elif command in self._arguments:
            for value in self._arguments[command]():
                if value.startswith(begun) or value.partition("-")[2].startswith(begun):
                    yield Completion(value, start_position=-len(begun), display=printable(value))


def _bindings() -> KeyBindings:
    keys = KeyBindings()
    is_typing = has_focus(DEFAULT_BUFFER)  # and not searching the history

    @keys.add("enter", filter=is_typing)
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=is_typing)
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline()

    @keys.add("c-c")
    @keys.add("<sigint>")
    def throw_away(event: KeyPressEvent) -> None:
        event.app.exit(result="" if event.app.current_buffer.text else None)

    return keys
