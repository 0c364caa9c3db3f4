"""A text that a simple regular expression matches: literals, classes, groups, alternatives and repetitions.

Look-arounds, back references and flags are not understood. Whoever uses the text checks it against the expression.
"""

from __future__ import annotations

from collections.abc import Callable

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_MANY = 64
"""More repetitions than this are not tried."""


class PatternNotUnderstoodError(ValueError):
    """The expression uses something beyond the simple."""


def text_for(pattern: str, fits: Callable[[str], bool]) -> str | None:
    """The first text made from the pattern that fits, with as few repetitions as possible; None where none does."""
    for extra in range(_MANY):
        try:
            text = _Reader(pattern, extra).read()
        except (PatternNotUnderstoodError, IndexError, ValueError):
            return None
        if fits(text):
            return text
    return None


class _Reader:
    def __init__(self, pattern: str, extra: int) -> None:
        self._pattern = pattern
        self._at = 0
        self._extra = extra

    def read(self) -> str:
        text = self._alternatives()
        if self._at != len(self._pattern):
            raise PatternNotUnderstoodError(self._pattern)
        return text

    def _alternatives(self) -> str:
        first = self._sequence()
        while self._take("|"):
            self._sequence()
        return first

    def _sequence(self) -> str:
        text = ""
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            item = self._item()
            least, most = self._repetitions()
            text += item * min(least + self._extra, most)
        return text

    def _item(self) -> str:
        character = self._next()
        if character in "^$":
            return ""
        if character == ".":
            return "a"
        if character == "(":
            return self._group()
        if character == "[":
            return self._one_of()
        if character == "\\":
            return self._escape()
        return character

    def _group(self) -> str:
        if self._take("?") and not self._take(":"):
            if not (self._take("P<") or self._take("<")) or self._pattern[self._at] in "=!":
                raise PatternNotUnderstoodError(self._pattern)
            self._at = self._pattern.index(">", self._at) + 1
        text = self._alternatives()
        if not self._take(")"):
            raise PatternNotUnderstoodError(self._pattern)
        return text

    def _one_of(self) -> str:
        refused = self._take("^")
        start = self._at
        members: list[str] = []
        while self._pattern[self._at] != "]" or self._at == start:
            members.append(self._member())
        self._at += 1
        if not refused:
            return members[0]
        ranges = self._pattern[start : self._at - 1]
        return next(candidate for candidate in "aA0 -_~" if not _in_class(candidate, ranges, members))

    def _member(self) -> str:
        character = self._next()
        if character == "\\":
            character = self._escape()
        if self._pattern[self._at] == "-" and self._pattern[self._at + 1] != "]":
            self._at += 1
            if self._next() == "\\":
                self._escape()
        return character

    def _escape(self) -> str:
        character = self._next()
        if character in "bBAZz":
            return ""
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in "ux":
            digits = 4 if character == "u" else 2
            self._at += digits
            return chr(int(self._pattern[self._at - digits : self._at], 16))
        if character.isalnum():
            raise PatternNotUnderstoodError(self._pattern)
        return character

    def _repetitions(self) -> tuple[int, int]:
        """(least, most) of what follows an item; an item without a mark appears once."""
        least, most = 1, 1
        if self._take("*"):
            least, most = 0, _MANY
        elif self._take("+"):
            least, most = 1, _MANY
        elif self._take("?"):
            least, most = 0, 1
        elif self._pattern[self._at : self._at + 2].rstrip("0123456789") == "{":
            end = self._pattern.index("}", self._at)
            low, comma, high = self._pattern[self._at + 1 : end].partition(",")
            least = int(low or 0)
            most = (int(high) if high else least + _MANY) if comma else least
            self._at = end + 1
        else:
            return least, most
        self._take("?")
        return least, most

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True


def _in_class(candidate: str, ranges: str, members: list[str]) -> bool:
    inside = candidate in members
    for at in range(len(ranges) - 2):
        if ranges[at + 1] == "-":
            inside = inside or ranges[at] <= candidate <= ranges[at + 2]
    letters, digits = "\\w" in ranges, "\\w" in ranges or "\\d" in ranges
    return inside or (letters and candidate.isalpha()) or (digits and candidate.isdigit()) or ("\\s" in ranges and candidate == " ")
