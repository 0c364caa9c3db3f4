"""YAML files of components, read as people mean them.

Of plain words only ``true``, ``false``, ``null``, ``~`` (and their capitalised forms) and numbers as JSON writes them (also ``.5``
and ``1.``) are typed; all others stay text: ``no``, ``on``, ``010``, ``0x1F``, ``22:22``, ``1_000``, dates. ``1.10`` is a number;
where a field wants text, validation refuses it and says to quote it. Aliases and ``<<`` are resolved, within a limit.

The events of libyaml are turned into values here, because its constructors keep the last of two equal keys, run tags and lose
lines.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aurite.errors import InvalidValueError
from aurite.model.jsontext import MAX_DOCUMENT_BYTES, MAX_LEVELS, JsonValue, check, decode, encode
from aurite.storage.files.entries import Entry, FlawError, Form, Group, Parsed

MAX_ALIAS_WEIGHT = MAX_DOCUMENT_BYTES
"""How much aliases may add: one for each character, 64 for each node; about 130,000 nodes."""

_NODE_WEIGHT = 64
_WORDS: Final[dict[str, JsonValue]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BE_TYPED = frozenset("-+.0123456789~tTfFnN")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = "tag:yaml.org,2002:"
_TYPES: Final[dict[str, tuple[type, ...]]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}
_NOTHING: Final = object()
_MERGE: Final = object()
_OPEN: Final = object()


def resolve(word: str) -> JsonValue:
    """What a plain word means: None, a truth value, a number, or the text itself.

    Raises:
        InvalidValueError: it is a number that JSON cannot hold.
    """
    if word and word[0] not in _MAY_BE_TYPED:
        return word
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return int(word) if len(word) < 4000 else decode(word)
    if _FLOAT.fullmatch(word):
        value = float(word)
        if value in (float("inf"), float("-inf")):
            raise InvalidValueError(f"the number {word[:40]} is out of range")
        return value
    if _NOT_FINITE.fullmatch(word):
        raise InvalidValueError(f"{word} is not JSON; quote it where text is meant")
    return word


def parse_yaml(text: str) -> Parsed:
    """The entries of a YAML text, with their places.

    Raises:
        FlawError: the text is not YAML, its aliases expand without end, or it is nested too deeply.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # pure Python where PyYAML was built without libyaml
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        raise _unreadable(text) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        # At the end of the text libyaml points to a line that is not there.
        raise FlawError(min(mark.line, text.count("\n")) + 1 if mark else 0, f"is not YAML: {error.problem}{context}") from error
    return builder.result()


def _unreadable(text: str) -> FlawError:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return FlawError(0, "is not YAML: it holds a character that YAML does not allow")
    line = text.count("\n", 0, found.start()) + 1
    return FlawError(line, f"is not YAML: the character U+{ord(found.group()):04X} is not allowed; write it as an escape in quotes")


class _Frame:
    """A list or object that is being read."""

    __slots__ = ("anchor", "flow", "key", "lines", "merged", "own", "start", "value", "weight")

    def __init__(self, value: list[Any] | dict[str, Any], event: Any, weight: int) -> None:
        self.value = value
        self.anchor = event.anchor
        self.flow = bool(event.flow_style)
        self.start = event.start_mark
        self.weight = weight
        self.key: Any = _NOTHING
        self.own: set[str] = set()
        self.merged = False
        self.lines: dict[str, int] = {}


class _Builder:
    """Turns events into entries; the first flaw inside an entry spoils that entry alone."""

    def __init__(self) -> None:
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Any] = {}
        self._weight = 0
        self._alias_weight = 0
        self._entries: list[Entry] = []
        self._groups: list[Group] = []
        self._flaws: list[FlawError] = []
        self._flaw: FlawError | None = None
        self._first = 0
        self._end = 0
        self._actions = {
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
            "MappingStartEvent": self._open,
            "SequenceStartEvent": self._open,
            "MappingEndEvent": self._close,
            "SequenceEndEvent": self._close,
            "DocumentStartEvent": self._document,
        }

    def take(self, event: Any) -> None:
        action = self._actions.get(type(event).__name__)
        if action is not None:
            action(event)

    def result(self) -> Parsed:
        return Parsed(tuple(self._entries), tuple(self._flaws), tuple(self._groups))

    def _document(self, _event: Any) -> None:
        self._anchors = {}
        self._first = len(self._entries)

    def _spoil(self, line: int, reason: str) -> None:
        if self._flaw is None:
            self._flaw = FlawError(line, reason)

    def _scalar(self, event: Any) -> None:
        before = self._weight
        self._weight += _NODE_WEIGHT + len(event.value)
        self._end = event.end_mark.index
        value = self._scalar_value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._weight - before)
        self._put(value, event, merge=event.value == "<<" and event.implicit[0], flow=True)

    def _scalar_value(self, event: Any) -> JsonValue:
        line = event.start_mark.line + 1
        try:
            if event.tag is None or event.tag == "!":
                return resolve(event.value) if event.implicit[0] and event.tag is None else event.value
            name = event.tag.removeprefix(_TAG) if event.tag.startswith(_TAG) else ""
            if name == "str":
                return event.value
            value = resolve(event.value)
        except InvalidValueError as error:
            self._spoil(line, error.message)
            return None
        if type(value) not in _TYPES.get(name, ()):
            self._spoil(line, f"the tag {_shown_tag(event.tag)} is not allowed" if name not in _TYPES else f"is no {name}")
        return float(value) if name == "float" and isinstance(value, int) else value

    def _alias(self, event: Any) -> None:
        value, weight = self._anchors.get(event.anchor, (None, 0))
        line = event.start_mark.line + 1
        self._end = event.end_mark.index
        if value is _OPEN:
            raise FlawError(line, f"the alias *{event.anchor} refers to what it is part of")
        if event.anchor not in self._anchors:
            raise FlawError(line, f"is not YAML: found undefined alias *{event.anchor}")
        self._weight += weight
        self._alias_weight += weight
        if self._alias_weight > MAX_ALIAS_WEIGHT:
            raise FlawError(line, "its aliases expand to too many nodes (an alias bomb); write the values out")
        self._put(value, event, merge=False, flow=True)

    def _open(self, event: Any) -> None:
        mapping = type(event).__name__ == "MappingStartEvent"
        line = event.start_mark.line + 1
        if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            self._spoil(line, f"the tag {_shown_tag(event.tag)} is not allowed")
        if len(self._frames) > MAX_LEVELS:
            raise FlawError(line, f"is nested deeper than {MAX_LEVELS} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = (_OPEN, 0)
        self._frames.append(_Frame({} if mapping else [], event, self._weight))
        self._weight += _NODE_WEIGHT

    def _close(self, event: Any) -> None:
        frame = self._frames.pop()
        if frame.flow:
            self._end = event.end_mark.index
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, self._weight - frame.weight)
        self._put(frame.value, frame, merge=False, flow=frame.flow)

    def _put(self, value: Any, source: Any, *, merge: bool, flow: bool) -> None:
        """Hand a finished value to what it is part of; ``source`` is its event or frame."""
        start = source.start if isinstance(source, _Frame) else source.start_mark
        if not self._frames:
            self._root(value, source, start, flow=flow)
            return
        frame = self._frames[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
            if len(self._frames) == 1:
                self._entry(value, source, start, flow=flow)
        elif frame.key is _NOTHING:
            self._key(frame, value, start.line + 1, merge=merge)
        else:
            key, frame.key = frame.key, _NOTHING
            if key is _MERGE:
                self._merge(frame, value, start.line + 1)
            else:
                frame.value[key] = value

    def _key(self, frame: _Frame, key: Any, line: int, *, merge: bool) -> None:
        frame.key = _MERGE if merge else key
        if merge:
            if frame.merged:
                self._spoil(line, "the key '<<' appears twice in one object; give it a list")
            frame.merged = True
        elif not isinstance(key, str):
            self._spoil(line, f"a key must be text, not {_shown_key(key)}; put quotes around it")
            frame.key = ""
        elif key in frame.own:
            self._spoil(line, f"the key {key[:80]!r} appears twice in one object")
        else:
            frame.own.add(key)
            if len(self._frames) <= 2:
                frame.lines[key] = line

    def _merge(self, frame: _Frame, value: Any, line: int) -> None:
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                self._spoil(line, "'<<' takes an object, or a list of objects")
                return
            if isinstance(frame.value, dict):
                # Own keys win wherever they stand, and earlier sources over later ones.
                frame.value.update({key: one for key, one in source.items() if key not in frame.value})

    def _root(self, value: Any, source: Any, start: Any, *, flow: bool) -> None:
        if isinstance(value, list) and isinstance(source, _Frame):
            form: Form = "flow" if source.flow else "block"
            self._groups.append(Group(form, self._first, len(self._entries) - self._first, start.index, self._end))
        elif value is not None:
            self._entry(value, source, start, flow=flow)
            self._groups.append(Group("single", self._first, 1, start.index, self._end))
        if self._flaw is not None:
            self._flaws.append(self._flaw)
        self._flaw = None

    def _entry(self, value: Any, source: Any, start: Any, *, flow: bool) -> None:
        lines = source.lines if isinstance(source, _Frame) else {}
        entry = Entry(value, "", start.line + 1, start.index, self._end, flow=flow, field_lines=lines)
        if self._flaw is None:
            try:
                entry.document = check(value, what="the component")
            except InvalidValueError as error:
                self._flaw = FlawError(entry.line, error.message)
        if self._flaw is not None:
            entry.flaw, entry.line = self._flaw.reason, self._flaw.line
        self._flaw = None
        self._entries.append(entry)


def _shown_key(key: JsonValue) -> str:
    if isinstance(key, (dict, list)):
        return "an object" if isinstance(key, dict) else "a list"
    return encode(key)[:40]


def _shown_tag(tag: str) -> str:
    return (f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag)[:80]
