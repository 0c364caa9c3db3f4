"""The names under which models see tools: ``server-tool``, or a safe spelling where providers would refuse that."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

_ACCEPTED = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 64
_DIGITS = 8

ToolKey = tuple[str, str]
"""(server, tool), as both are called by their owners."""


class ToolNames:
    """A table of tools, from what the model calls them to what they are, and back.

    Equal tools in equal order get equal names, in every process.
    """

    def __init__(self, tools: Iterable[ToolKey]) -> None:
        keys = tuple(dict.fromkeys(tools))
        by_name: dict[str, ToolKey] = {}
        for key in keys:
            by_name.setdefault(_plain(key), key)
        by_name = {name: key for name, key in by_name.items() if _ACCEPTED.fullmatch(name)}
        placed = set(by_name.values())
        for key in keys:
            if key not in placed:
                by_name[_escaped(key, by_name)] = key
        self._keys: Mapping[str, ToolKey] = MappingProxyType(by_name)
        self._names: Mapping[ToolKey, str] = MappingProxyType({key: name for name, key in by_name.items()})

    def name(self, key: ToolKey) -> str:
        """What the model calls a tool of the table."""
        return self._names[key]

    def key(self, name: str) -> ToolKey | None:
        """The tool that the model means; None where there is none of that name."""
        return self._keys.get(name)

    def shown(self, name: str) -> str:
        """How people read the name that a model used: ``server-tool``, save where two tools would read the same."""
        key = self._keys.get(name)
        if key is None or self._keys.get(_plain(key), key) != key:
            return name
        return _plain(key)

    def called(self, shown: str) -> str:
        """The model's name for one that people read; the text itself where no tool is shown so."""
        if shown in self._keys:
            return shown
        return next((name for name, key in self._keys.items() if _plain(key) == shown), shown)


def _plain(key: ToolKey) -> str:
    return f"{key[0]}-{key[1]}"


def _escaped(key: ToolKey, taken: Mapping[str, ToolKey]) -> str:
    readable = _REFUSED.sub("_", _plain(key))[: _LONGEST - _DIGITS - 1]
    attempt = 0
    while True:
        digest = hashlib.sha256(json.dumps([*key, attempt]).encode()).hexdigest()[:_DIGITS]
        name = f"{readable}_{digest}"
        if name not in taken:
            return name
        attempt += 1
