"""JSON as text: what goes in comes back, whichever store it went through.

Encoding and decoding keep key order, integers of any size, floats by their shortest form, ``-0.0``, ``\\u0000`` and lone
surrogates (kept as escapes). NaN and infinities are not JSON and are refused with the path of the field.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from aurite.errors import InvalidValueError

JsonValue = Any
"""None, bool, int, float, str, list or dict with str keys, nested. Recursive aliases cost more than they catch here."""

MAX_LEVELS = 500
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_PLAIN = frozenset((str, int, bool, type(None)))
_digits_lock = threading.Lock()


def encode(value: JsonValue) -> str:
    """The compact JSON text of a value that passed :func:`check`."""
    try:
        return _encoder.encode(value).decode()
    except (UnicodeEncodeError, ValueError, OverflowError, msgspec.MsgspecError):
        # Lone surrogates, and integers beyond what msgspec takes: the standard library writes both.
        return _with_long_integers(lambda: json.dumps(value, separators=(",", ":"), allow_nan=False))


def decode(text: str | bytes) -> JsonValue:
    """The value of a JSON text.

    Raises:
        InvalidValueError: the text is not JSON, or holds a number that a float cannot hold.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, UnicodeDecodeError, RecursionError):
        return decode_strictly(text)


def decode_strictly(text: str | bytes) -> JsonValue:
    """The value of a JSON text in which no object repeats a key; slower than :func:`decode`, for files that people write.

    Raises:
        InvalidValueError: not JSON (with line and column), a repeated key, or a number out of range.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogatepass")
        return _with_long_integers(lambda: _strict_decoder.decode(text))
    except json.JSONDecodeError as error:
        raise InvalidValueError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"not UTF-8 text: byte {error.start} cannot be read") from error
    except RecursionError as error:
        raise InvalidValueError(f"nested deeper than {MAX_LEVELS} levels") from error


def check(value: JsonValue, *, what: str = "value", max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """The JSON text of a value, once it is known to come back exactly as it is.

    Raises:
        InvalidValueError: with the path of the field that is not JSON, or the limit that is broken.
    """
    _check_tree(value, what)
    text = encode(value)
    if len(text) > max_bytes // 4 and len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise InvalidValueError(f"{what} is larger than {max_bytes // 1024 // 1024} MiB")
    if "\\ud" in text and decode_strictly(text) != value:
        raise InvalidValueError(f"{what} has a character in two halves (surrogates side by side), which JSON reads as one")
    return text


def _check_tree(value: JsonValue, what: str) -> None:
    level: list[tuple[JsonValue, str]] = []
    _check_item(value, what, level)
    for _ in range(MAX_LEVELS):
        if not level:
            return
        below: list[tuple[JsonValue, str]] = []
        for item, path in level:
            if type(item) is dict:
                _check_keys(item, path)
                children = [(child, f"{path}.{key}") for key, child in item.items() if type(child) not in _PLAIN]
            else:
                children = [(child, f"{path}[{place}]") for place, child in enumerate(item) if type(child) not in _PLAIN]
            for child, child_path in children:
                _check_item(child, child_path, below)
        level = below
    if level:
        raise InvalidValueError(f"{what} is nested deeper than {MAX_LEVELS} levels")


def _check_keys(item: dict[JsonValue, JsonValue], path: str) -> None:
    for key in item:
        if type(key) is not str:
            raise InvalidValueError(f"{path} has a key that is not text: {key!r}")


def _check_item(item: JsonValue, path: str, containers: list[tuple[JsonValue, str]]) -> None:
    kind = type(item)
    if kind is dict or kind is list:
        containers.append((item, path))
    elif kind is float:
        if not math.isfinite(item):
            raise InvalidValueError(f"{path} is {item}, which is not JSON")
    elif kind not in _PLAIN:
        raise InvalidValueError(f"{path} is a Python {kind.__name__}, which is not JSON")


def _with_long_integers(work: Callable[[], _T]) -> _T:
    # Python refuses integers of more than 4,300 digits as text; documents are bounded already, so the guard is lifted for them.
    with _digits_lock:
        guard = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return work()
        finally:
            sys.set_int_max_str_digits(guard)


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidValueError(f"the key {key!r} appears twice in one object")
            seen.add(key)
    return result


def _refuse_constant(name: str) -> JsonValue:
    raise InvalidValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidValueError(f"the number {text[:40]} is out of range")
    return value


_strict_decoder = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
