"""What a ``.env`` file says: names and values with their line numbers, and the lines that say nothing clear.

The rules are those people know from shells and from python-dotenv, without interpolation: ``NAME=value``, blanks around ``=``
and ``export `` in front allowed; ``'literal'``; ``"with \\n \\" and \\\\"``, over several lines if need be; a comment starts at a
``#`` that stands first or after a blank. A value is never repeated in a message: it may be a secret.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from aurite.errors import SettingsError

MAX_BYTES = 1024 * 1024

_ASSIGNMENT = re.compile(r"""[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)(?=[ \t]*=[ \t]*(["']?))""")
_END = r"[ \t]*(?:[ \t]#[^\n]*)?(?:\n|\Z)"
_VALUES = {
    "": re.compile(r"[ \t]*=([^\n\0]*)(?:\n|\Z)"),
    "'": re.compile(r"[ \t]*=[ \t]*'([^'\0]*)'" + _END),
    '"': re.compile(r'[ \t]*=[ \t]*"((?:[^"\\\0]|\\[^\0])*)"' + _END),
}
_COMMENT = re.compile(r"[ \t]#.*")
_ESCAPE = re.compile(r'\\([n"\\])')
_BLANK_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a ``.env`` file and the line where it stands."""

    value: str = field(repr=False)
    line: int


@dataclass(frozen=True, slots=True)
class DotEnv:
    """A ``.env`` file as read; empty where there is none."""

    path: Path
    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()


def read(path: Path) -> DotEnv:
    """What the file says; nothing where it does not exist, a warning where it is a folder or a device.

    Raises:
        SettingsError: it is there and cannot be read, is larger than 1 MiB, or is not UTF-8 text.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return DotEnv(path, warnings=(f"{path} is not a file and was left out",))
        if status.st_size > MAX_BYTES:
            raise SettingsError(f"{path} is larger than 1 MiB", next_step="Keep only variables in it, or move it away.")
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return DotEnv(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", next_step="Let your user read it, or move it away."
        ) from error
    return parse(_decode(content, path), path)


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # `from None`: the driver's error carries the whole file, secrets included, into any traceback.
        raise SettingsError(f"{path}:{line}: the file is not UTF-8 text", next_step="Save it as UTF-8.") from None


def parse(text: str, path: Path) -> DotEnv:
    """What the text says, line by line; the last value of a name counts, as in a shell."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    entries: dict[str, Entry] = {}
    warnings: list[str] = []
    position, line = 0, 1
    while position < len(text):
        blank = _BLANK_LINE.match(text, position)
        statement = None if blank else _statement(text, position)
        if blank:
            end = blank.end()
        elif statement:
            name, value, end = statement
            if name in entries:
                warnings.append(f"{path}:{line}: {name} was set on line {entries[name].line} already; this line counts")
            entries[name] = Entry(value, line)
        else:
            end = text.find("\n", position) + 1 or len(text)
            warnings.append(f"{path}:{line}: this line is not understood and was left out; write NAME=value")
        line += text.count("\n", position, end)
        position = end
    return DotEnv(path, MappingProxyType(entries), tuple(warnings))


def _statement(text: str, start: int) -> tuple[str, str, int] | None:
    """Name, value and end of the statement at ``start``, or None where it is not understood."""
    assignment = _ASSIGNMENT.match(text, start)
    if not assignment:
        return None
    name, quote = assignment.groups()
    match = _VALUES[quote].match(text, assignment.end(1))
    if not match:
        return None
    value = match.group(1)
    if quote == '"':
        value = _ESCAPE.sub(_unescape, value)
    elif not quote:
        value = _COMMENT.sub("", value).strip(" \t")
    return name, value, match.end()


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match.group(1) == "n" else match.group(1)
