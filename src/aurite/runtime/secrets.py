"""Texts of other people's servers, with our keys taken out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth|cookie", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"'`,;()\[\]{}<>]+")
_MASK = "***"
_ENOUGH = 6
"""Characters of a key that give it away: providers repeat a wrong key with its middle starred out."""
_LAST = 4
"""Providers show the last four characters of a key."""


def secret_values(named: Mapping[str, str]) -> tuple[str, ...]:
    """The values whose names (of variables or headers) say that they are secrets; short ones are words, not keys."""
    return tuple(value for name, value in named.items() if len(value) >= _ENOUGH and _SECRET_NAME.search(name))


def scrub(text: str, secrets: Iterable[str | None]) -> str:
    """The text without any of the secrets, whole or in part."""
    for secret in secrets:
        if secret:
            text = _scrub_one(text.replace(secret, _MASK), secret)
    return text


def _scrub_one(text: str, secret: str) -> str:
    if len(secret) <= _ENOUGH:
        return text
    pieces = {secret[at : at + _ENOUGH] for at in range(len(secret) - _ENOUGH + 1)}

    def masked(match: re.Match[str]) -> str:
        word = match.group()
        shown = word.endswith(secret[-_LAST:]) and "*" in word
        windows = (word[at : at + _ENOUGH] for at in range(len(word) - _ENOUGH + 1))
        return _MASK if shown or any(window in pieces for window in windows) else word

    return _WORD.sub(masked, text)
