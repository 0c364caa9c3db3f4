"""One row as one line of bytes, the same for every database: PostgreSQL's COPY text format, as COPY TO writes it.

Fields are separated by tabs, NULL is ``\\N``, and seven characters are escaped
(https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"). Two rows have the same line if and only if they are the
same, so a line is what a move sends and what its proof digests: PostgreSQL's own lines need no parsing on either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aurite.errors import InvalidValueError
from aurite.storage.tables import Table

_ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
"""The backslash first: those of the other escapes stay single."""
_MEANT = {escaped: plain for plain, escaped in _ESCAPES.items() if plain != "\\"}
_MAX_INTEGER = 2**63


def line_of(row: Sequence[object], table: Table) -> bytes:
    """The line of a row.

    Raises:
        InvalidValueError: a value is of another type than its column, or no database could hold it; the message names the column.
    """
    fields = []
    for value, column in zip(row, table.columns, strict=True):
        if value is None and column in table.optional:
            fields.append("\\N")
        elif isinstance(value, str) and column not in table.numbers:
            if "\0" in value:
                raise InvalidValueError(f"{column} holds a NUL character")
            fields.append(_escaped(value))
        elif type(value) is int and column in table.numbers and -_MAX_INTEGER <= value < _MAX_INTEGER:
            fields.append(str(value))
        else:
            raise InvalidValueError(f"{column} holds {_kind(value)}, not {'an integer' if column in table.numbers else 'text'}")
    try:
        return "\t".join(fields).encode() + b"\n"
    except UnicodeEncodeError:
        raise InvalidValueError("a text is not UTF-8") from None


def row_of(line: bytes, table: Table) -> tuple[str | int | None, ...]:
    """The row of a line."""
    values: list[str | int | None] = []
    for field, column in zip(line.decode().removesuffix("\n").split("\t"), table.columns, strict=True):
        if field == "\\N":
            values.append(None)
        elif column in table.numbers:
            values.append(int(field))
        else:
            values.append(_unescaped(field) if "\\" in field else field)
    return tuple(values)


def key_of(line: bytes, table: Table) -> tuple[str | int | None, ...]:
    """The key of a line: of type and order as the databases sort it."""
    return row_of(line, table)[: len(table.key)]


def lines_of(rows: Iterable[Sequence[object]], table: Table) -> Iterator[bytes]:
    """The lines of rows."""
    return (line_of(row, table) for row in rows)


def _escaped(text: str) -> str:
    # To look for one character is faster by far than a regular expression, and documents are full of backslashes.
    for plain, escaped in _ESCAPES.items():
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def _unescaped(field: str) -> str:
    # A zero character, which no text holds, stands for backslashes meanwhile: what follows them is no escape.
    field = field.replace("\\\\", "\0")
    if "\\" in field:
        for escaped, plain in _MEANT.items():
            field = field.replace(escaped, plain)
    return field.replace("\0", "\\")


def _kind(value: object) -> str:
    kinds = {bytes: "bytes", float: "a fraction", str: "text", int: "an integer", type(None): "nothing"}
    return kinds.get(type(value), "something else")
