"""The one place that renders: data to standard output, remarks to standard error.

On a terminal tables have borders and colours (rich, which takes 80 ms to import); piped output is plain aligned text without a
heading. Names and messages are data: never markup, and their control characters are shown as escapes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from aurite.errors import AuriteError

if TYPE_CHECKING:
    from rich.console import Console

    from aurite.model.records import Problem

# C0 and C1 controls, marks that turn the direction of writing, line separators, lone surrogates.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HIDDEN_IN_LINES = re.compile(_HIDDEN.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
_FIRM_WIDTH = 32
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_UNSAFE_IN_JSON = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, *, keep_lines: bool = False) -> str:
    """The text with control characters as escapes, so that it can steer no terminal; line breaks and tabs kept where asked."""
    if text.isprintable():
        return text
    return (_HIDDEN_IN_LINES if keep_lines else _HIDDEN).sub(_escape, text)


def on_one_line(text: str) -> str:
    """The text with each line break as a blank."""
    return _LINE_BREAKS.sub(" ", text.strip("\r\n"))


def say(text: str = "") -> None:
    """One line of data on standard output."""
    write(f"{text}\n")


def write(text: str, *, at_once: bool = False) -> None:
    """Text on standard output as it is.

    Raises:
        BrokenPipeError: the reader went away.
        AuriteError: it cannot be written, as where the disk behind it is full.
    """
    try:
        sys.stdout.write(text)
        if at_once:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AuriteError(f"standard output cannot be written: {error.strerror}") from error


def say_lines(text: str) -> None:
    """Text of several lines on standard output, its control characters as escapes."""
    say(printable(text, keep_lines=True))


def remark(text: str) -> None:
    """One line for people on standard error."""
    click.echo(printable(on_one_line(text)), err=True)


def warn(text: str) -> None:
    """One warning on standard error."""
    remark(f"Warning: {text}")


def tell_problems(problems: Sequence[Problem]) -> None:
    """Each problem on a line of standard error, and how many there are."""
    for problem in problems:
        remark(f"Problem: {problem}")
    if problems:
        remark(f"{counted(len(problems), 'problem')}; the other components are not affected.")


def problem_document(problem: Problem) -> dict[str, str | None]:
    """A problem as ``--json`` prints it."""
    return {"where": problem.where, "reason": problem.reason, "type": problem.type, "name": problem.name}


def counted(number: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def say_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    from aurite.model.jsontext import encode

    say_json_text(encode(value))


def say_json_text(text: str) -> None:
    """JSON text, indented, on standard output; numbers and the order of keys as they are."""
    import msgspec

    try:
        shown = msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, UnicodeEncodeError):  # lone surrogates
        import json

        from aurite.model.jsontext import decode

        shown = json.dumps(decode(text), indent=2, ensure_ascii=False)
    say(in_output_encoding(_UNSAFE_IN_JSON.sub(_json_escape, shown)))


def say_json_line(value: Any) -> None:
    """A value as one line of JSON on standard output."""
    from aurite.model.jsontext import encode

    say(in_output_encoding(json_line(encode(value))))


def json_line(text: str) -> str:
    """JSON text on one line that can steer no terminal; its values, keys and numbers as they are."""
    # Line breaks stand between values alone: inside of texts they are escapes already.
    return _UNSAFE_IN_JSON.sub(_json_escape, text.replace("\r", " ").replace("\n", " "))


def in_output_encoding(text: str) -> str:
    """The text, with escapes as JSON knows them where standard output's encoding lacks one of its characters."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return re.sub(r"[^\x00-\x7f]", _json_escape, text)
    return text


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def asking_is_possible() -> bool:
    """Whether somebody is there to answer: questions are asked on standard error and read from standard input."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say_table(heading: Sequence[str], rows: Iterable[Sequence[str]], *, wrapping: Container[str] = ()) -> None:
    """Rows of text, the first column of each being its name; a heading is shown on terminals alone.

    Args:
        wrapping: columns that may be broken over lines where the terminal is narrow.
    """
    cells = [[printable(on_one_line(cell)) for cell in row] for row in rows]
    if not cells:
        return
    if on_terminal():
        _say_rich_table(heading, cells, wrapping)
    else:
        _say_plain_table(cells)


def _say_plain_table(cells: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[-1] = 0
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    say("\n".join(lines))


def _say_rich_table(heading: Sequence[str], cells: list[list[str]], wrapping: Container[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for position, title in enumerate(heading):
        # A long cell is broken rather than cut: nothing of a name may be missing.
        firm = title not in wrapping and max(len(row[position]) for row in cells) <= _FIRM_WIDTH
        table.add_column(title, overflow="fold", no_wrap=firm, style="cyan" if position == 0 else None)
    for row in cells:
        table.add_row(*map(Text, row))
    terminal().print(table)


def terminal(*, stderr: bool = False) -> Console:
    """A console for a terminal, without markup and without guessing at what looks like a number; ``NO_COLOR`` is honoured."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show on a terminal that something is under way, until the block ends."""
    if not sys.stderr.isatty():
        yield
        return
    with terminal(stderr=True).status(what):
        yield


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
