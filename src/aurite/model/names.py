"""Names are data: bounded text, compared by code point, never a pattern, a path, markup or SQL."""

from __future__ import annotations

from aurite.errors import InvalidValueError

MAX_NAME = 255


def check_name(name: object, what: str) -> str:
    """The name itself, once it is allowed.

    Args:
        name: any value that claims to be a name.
        what: what it names, for the message: "component name", "session id", "tag".

    Raises:
        InvalidValueError: not text, empty, over 255 code points, or with a control character or lone surrogate.
    """
    if not isinstance(name, str):
        raise InvalidValueError(f"a {what} must be text, not {type(name).__name__}")
    if not name:
        raise InvalidValueError(f"a {what} must not be empty")
    if len(name) > MAX_NAME:
        raise InvalidValueError(f"the {what} {name[:40]!r}... has {len(name)} characters; at most {MAX_NAME} are allowed")
    if name.isprintable():
        return name
    for position, character in enumerate(name):
        code = ord(character)
        if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000:
            raise InvalidValueError(
                f"the {what} {name!r} has the character U+{code:04X} at position {position + 1}; "
                "control characters and lone surrogates are not allowed"
            )
    return name


def check_text(text: str | None, what: str) -> None:
    """Nothing, where every store can keep the text: UTF-8 has no lone surrogates, PostgreSQL no NUL.

    Raises:
        InvalidValueError.
    """
    if text is None:
        return
    if "\0" in text:
        raise InvalidValueError(f"the {what} has a NUL character", next_step="In JSON, write it as an escape")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"the {what} has a lone surrogate at position {error.start + 1}", next_step="In JSON, write it as an escape"
        ) from error
