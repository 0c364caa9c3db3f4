"""JSON files of components: read strictly, at the speed of a parser that is not strict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

from aurite.errors import InvalidValueError
from aurite.model.jsontext import MAX_DOCUMENT_BYTES, MAX_LEVELS, check, decode_strictly
from aurite.storage.files.entries import Entry, FlawError, Group, Parsed

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_encoder = msgspec.json.Encoder()
# Only the extents of values matter to it, and it must not stumble over what is refused with a better reason afterwards.
_scanner = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def parse_json(text: str) -> Parsed:
    """The entries of a JSON text, with their places.

    Raises:
        FlawError: the text is not JSON.
    """
    return _parse_with_places(text) if _has_content(text) else Parsed()


def _has_content(text: str) -> bool:
    space = _SPACE.match(text)
    return space is not None and space.end() < len(text)


def parse_quickly(raw: bytes) -> Parsed | None:
    """The entries of a JSON text in UTF-8 without their places, or None where only the thorough way can tell."""
    # A parser in C keeps the last of two equal keys and says nothing. Written again, its result equals the text without white
    # space only where no key was lost, and every number and string is in its shortest form.
    try:
        value = msgspec.json.decode(raw)
        single = not isinstance(value, list)
        written = [_encoder.encode(item) for item in ([value] if single else value)]
        if (written[0] if single else b"[" + b",".join(written) + b"]") != msgspec.json.format(raw, indent=-1):
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if any(len(one) > MAX_DOCUMENT_BYTES or one.count(b"[") + one.count(b"{") > MAX_LEVELS for one in written):
        return None
    values = [value] if single else value
    return Parsed(tuple(Entry(item, one.decode(), 0) for item, one in zip(values, written, strict=True)))


def _parse_with_places(text: str) -> Parsed:
    start = _skip_space(text, 0)
    try:
        if text[start] == "[":
            spans, end = _list_spans(text, start)
        else:
            _, end = _scanner.raw_decode(text, start)
            spans = [(start, end)]
    except json.JSONDecodeError as error:
        raise FlawError(error.lineno, f"is not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise FlawError(_line(text, start), f"is nested deeper than {MAX_LEVELS} levels") from error
    behind = _skip_space(text, end)
    if behind < len(text):
        raise FlawError(_line(text, behind), "is not JSON: there is more text behind the end")
    group = Group("flow" if text[start] == "[" else "single", 0, len(spans), start, end)
    return Parsed(tuple(_entries(text, spans)), (), (group,))


def _list_spans(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    spans: list[tuple[int, int]] = []
    position = _skip_space(text, start + 1)
    if text[position : position + 1] == "]":
        return spans, position + 1
    while True:
        _, end = _scanner.raw_decode(text, position)
        spans.append((position, end))
        position = _skip_space(text, end)
        if text[position : position + 1] == "]":
            return spans, position + 1
        if text[position : position + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter or the end of the list", text, position)
        position = _skip_space(text, position + 1)


def _entries(text: str, spans: list[tuple[int, int]]) -> Iterator[Entry]:
    line, counted = 1, 0
    for start, end in spans:
        line += text.count("\n", counted, start)
        counted = start
        try:
            value = decode_strictly(text[start:end])
            yield Entry(value, check(value, what="the component"), line, start, end)
        except InvalidValueError as error:
            fault = _first_fault(text, start, end)
            yield Entry(None, "", fault[0] if fault else line, start, end, flaw=fault[1] if fault else error.message)


def _first_fault(text: str, start: int, end: int) -> tuple[int, str] | None:
    """Line and reason of the first repeated key or number that is not JSON within well-formed text."""
    open_objects: list[set[str] | None] = []
    key_is_next = False
    for token in _TOKEN.finditer(text, start, end):
        word = token.group()
        if word in "{[":
            open_objects.append(set() if word == "{" else None)
        elif word in "}]":
            open_objects.pop()
        elif key_is_next:
            keys, key = open_objects[-1], json.loads(word)
            if keys is not None and key in keys:
                return _line(text, token.start()), f"the key {_shown(key)} appears twice in one object"
            if keys is not None:
                keys.add(key)
        elif word[0] not in '",:' and (fault := _number_fault(word)):
            return _line(text, token.start()), fault
        key_is_next = word in "{," and bool(open_objects) and open_objects[-1] is not None
    return None


def _number_fault(word: str) -> str | None:
    if word in ("NaN", "Infinity", "-Infinity"):
        return f"{word} is not JSON"
    if word not in ("true", "false", "null") and not word.lstrip("-").isdigit() and float(word) in (float("inf"), float("-inf")):
        return f"the number {word[:40]} is out of range"
    return None


def _shown(key: str) -> str:
    return repr(key if len(key) <= 80 else key[:80] + "...")


def entry_line(text: str, position: int, field: str | None = None) -> int:
    """The line on which an entry of a JSON text, or a field of it, stands; for messages."""
    entry = _parse_with_places(text).entries[position]
    if field is None:
        return entry.line
    depth, key_is_next = 0, False
    for token in _TOKEN.finditer(text, entry.start, entry.end):
        word = token.group()
        depth += (word in "{[") - (word in "}]")
        if depth == 1 and key_is_next and word[0] == '"' and json.loads(word) == field:
            return _line(text, token.start())
        key_is_next = word in "{,"
    return entry.line


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
