"""The one place where errors become one line on standard error and an exit status.

0: all that was asked was done. 1: it was not. 2: wrong usage. 3: partly done, where an option allowed it. 130 and 143: stopped by
Ctrl-C or a termination signal. 141: the reader of the output went away (``| head``).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum

import click

from aurite.cli.output import on_one_line, printable
from aurite.errors import AuriteError, RevisionConflictError, UsageError


class Status(IntEnum):
    """Exit statuses."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


class Terminated(BaseException):
    """A termination signal arrived while something was under way that had to be ended properly."""


def exit_status(program: click.Command, arguments: Sequence[str]) -> int:
    """The exit status of a program that was run with these arguments; whatever it raised has been told in one line."""
    _stand_in_for_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Whatever a terminal's encoding lacks is shown as an escape instead of ending the program.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    status = _guarded(program, arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        _drop_output()
        if error.errno != errno.EPIPE:
            return _failed(f"standard output cannot be written: {error.strerror}")
        return status or Status.READER_GONE
    return status


def _guarded(program: click.Command, arguments: Sequence[str]) -> int:
    try:
        return _run(program, arguments)
    except (KeyboardInterrupt, click.Abort):
        return Status.INTERRUPTED
    except Terminated:
        return Status.TERMINATED
    except Exception as error:  # noqa: BLE001 - the edge: no traceback reaches a user
        return _told(error, with_frames="--traceback" in arguments)


def _told(error: Exception, *, with_frames: bool) -> int:
    match error:
        case BrokenPipeError():
            _drop_output()
            status: int = Status.READER_GONE
        case click.ClickException():
            status = _click_error(error)
        case AuriteError():
            status = _known(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            status = _failed(f"{where}{error.strerror or type(error).__name__}")
        case _:
            status = _unexpected(error, with_frames=with_frames)
    return status


def _run(program: click.Command, arguments: Sequence[str]) -> int:
    # click's own main would print tracebacks for some of these, and turn others into exit status 1.
    try:
        with program.make_context("aurite", list(arguments)) as ctx:
            program.invoke(ctx)
    except click.exceptions.Exit as request:
        return request.exit_code
    return Status.DONE


def _click_error(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.message, err=True)
        return Status.USAGE
    if not isinstance(error, click.UsageError):
        return _failed(error.format_message())
    path = error.ctx.command_path if error.ctx else "aurite"
    _tell(f"{_ended(error.format_message())} Try '{path} --help'.")
    return Status.USAGE


def _known(error: AuriteError) -> int:
    _tell(_ended(str(error)))
    if isinstance(error, RevisionConflictError):
        now = f"revision {error.revision}: {error.current}" if error.current is not None else "deleted"
        click.echo(f"It is now {on_one_line(now)}", err=True)
    return Status.USAGE if isinstance(error, UsageError) else Status.FAILED


def _failed(message: str) -> int:
    _tell(_ended(message))
    return Status.FAILED


def _unexpected(error: Exception, *, with_frames: bool) -> int:
    """Only the type and the place are told: the text of an error that nobody foresaw may hold a password."""
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    hint = "" if with_frames else " Run it again as 'aurite --traceback ...' and report what it shows."
    _tell(f"Aurite itself failed: {type(error).__name__}{place}.{hint}")
    if with_frames:
        click.echo("".join(f"  {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in frames), err=True, nl=False)
    return Status.FAILED


def _tell(sentence: str) -> None:
    try:
        click.echo(f"Error: {printable(on_one_line(sentence))}", err=True)
    except OSError:  # nobody reads standard error; the exit status still tells
        _drop_output()


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?", "`", ":")) else f"{sentence}."


def _stand_in_for_closed_streams() -> None:
    """Without them (``>&-``) the next file that is opened, a database perhaps, would take the place of standard output."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the end of the process does not fail on it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    _stand_in_for_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
