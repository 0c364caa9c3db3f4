"""Changing entries of YAML lists and documents: comments and order kept, all other entries left as they are.

The lines of a changed entry alone go through ruamel.yaml, which is told that every word is text, so that it writes back unchanged
what was not changed; the values that did change are put in by comparing the old value with the new one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from aurite.errors import InvalidValueError
from aurite.model.jsontext import JsonValue, decode, encode
from aurite.storage.files.entries import Entry, Group, Parsed
from aurite.storage.files.json_editing import json_splices
from aurite.storage.files.text_edits import Edits, Splice
from aurite.storage.files.yaml_documents import resolve

_ALIAS = re.compile(r"(?<![^\s\[{,:])\*(?=[A-Za-z0-9_-])")
_STAND_IN = "aurite.alias."
_PLAIN = re.compile(r"[^\W_]|[^\W_][^\n]*[^\s:]|[_./$(+][^\n]*[^\s:]")
_LITERAL = re.compile(r"(?!\s)[^\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*")

Render = Callable[[str, Entry, str], str]
"""The lines of a changed entry at column 0, from its text there, itself and the new document."""

RenderNew = Callable[[str], str]
"""The lines of a new entry at column 0, from its document."""


def yaml_splices(text: str, parsed: Parsed, edits: Edits, render: Render, render_new: RenderNew) -> list[Splice]:
    """The replacements of pieces of text that carry out the edits in a YAML text."""
    added_lines = [render_new(document) for document in edits.added]
    splices: list[Splice] = []
    added = bool(edits.added)
    for group in reversed(parsed.groups):
        last, added = added, False
        if group.form == "flow" and (group.count or not last):
            splices += json_splices(text, parsed, group, _escaped(edits), append=last)
            continue
        splices += _block_splices(text, parsed, group, edits, render)
        if last:
            splices += _additions(text, parsed, group, added_lines)
    if added:
        splices.append(Splice(len(text), len(text), _ended(text) + "".join(map(_item, added_lines))))
    return splices


def _escaped(edits: Edits) -> Edits:
    return Edits(
        {position: encode_for_yaml(document) for position, document in edits.replaced.items()},
        edits.deleted,
        tuple(map(encode_for_yaml, edits.added)),
    )


def _block_splices(text: str, parsed: Parsed, group: Group, edits: Edits, render: Render) -> list[Splice]:
    splices: list[Splice] = []
    left = group.count
    for position in range(group.first, group.first + group.count):
        entry = parsed.entries[position]
        if position in edits.replaced:
            splices.append(_replacement(text, entry, edits.replaced[position], render))
        elif position in edits.deleted:
            left -= 1
            start, end = _lines(text, entry)
            start = _dash_line(text, start) if group.form == "block" else start
            emptied = group.form == "block" and not left and not (edits.added and group is parsed.groups[-1])
            splices.append(Splice(start, end, "[]\n" if emptied else ""))
    return splices


def _additions(text: str, parsed: Parsed, group: Group, added: list[str]) -> list[Splice]:
    """New entries behind a list of dashes, an empty list, or as further documents behind a component that stands alone."""
    if not group.count:
        head = "" if group.start == 0 or text[group.start - 1] == "\n" else "\n"
        return [Splice(group.start, group.end, head + "".join(map(_item, added)).rstrip("\n"))]
    last = parsed.entries[group.first + group.count - 1]
    _, end = _lines(text, last)
    if group.form == "single":
        return [Splice(end, end, _ended(text[:end]) + "".join(f"---\n{lines}" for lines in added))]
    dash, gap = _dash(text, last)
    lines = "".join(_item(lines, dash, gap) for lines in added)
    return [Splice(end, end, _ended(text[:end]) + lines)]


def _ended(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"


def _item(lines: str, dash: str = "", gap: str = " ") -> str:
    return f"{dash}-{gap}" + _indented(lines, dash + " " + " " * len(gap)).lstrip(" ")


def _lines(text: str, entry: Entry) -> tuple[int, int]:
    """Where the first line of an entry starts and its last one ends."""
    start = text.rfind("\n", 0, entry.start) + 1
    if entry.end > start and text[entry.end - 1] == "\n":
        return start, entry.end
    end = text.find("\n", entry.end)
    return start, len(text) if end < 0 else end + 1


def _dash_line(text: str, start: int) -> int:
    """Where the line with an entry's dash starts, which may stand alone above the entry."""
    if re.match(r" *-", text[start:]):
        return start
    alone = re.search(r"^ *-[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*\Z", text[:start], re.MULTILINE)
    return alone.start() if alone else start


def _dash(text: str, entry: Entry) -> tuple[str, str]:
    """The white space in front of an entry's dash, and between the dash and the entry."""
    line = text[text.rfind("\n", 0, entry.start) + 1 : entry.start]
    found = re.fullmatch(r"( *)-( +)", line)
    return (found.group(1), found.group(2)) if found else (" " * line.count(" "), " ")


def _replacement(text: str, entry: Entry, document: str, render: Render) -> Splice:
    if entry.flow:
        return Splice(entry.start, entry.end, encode_for_yaml(document))
    start, end = _lines(text, entry)
    indent = entry.start - start
    head, own = text[start : entry.start], text[entry.start : end]
    inner = "\n".join(line[min(indent, len(line) - len(line.lstrip(" "))) :] for line in own.split("\n"))
    lines = _indented(render(inner, entry, document), " " * indent)
    return Splice(start, end, head + lines[indent:])


def _indented(lines: str, indent: str) -> str:
    return "".join(indent + line if line.strip() else line for line in lines.splitlines(keepends=True))


def merged(own: str, entry: Entry, document: str) -> str:
    """The entry's own lines with what changed put in; comments and order stay."""
    # Aliases may point into other entries, so a word stands in for each while ruamel.yaml has the lines.
    yaml = _round_trip(own)
    tree = yaml.load(_ALIAS.sub(_STAND_IN, own))
    _adapt(tree, entry.value, decode(document))
    _keep_anchors(tree)
    return _dumped(yaml, tree).replace(_STAND_IN, "*")


def fresh(document: str) -> str:
    """The lines of a document that has none yet."""
    yaml = _round_trip("")
    return _dumped(yaml, _node(decode(document)))


def rewritten(_own: str, _entry: Entry, document: str) -> str:
    """The entry's lines made anew, where the old ones cannot hold the new value."""
    return fresh(document)


def compact(document: str) -> str:
    """A document in one line of braces, which holds what no other form does."""
    return encode_for_yaml(document) + "\n"


def encode_for_yaml(document: str) -> str:
    """A document in braces that YAML reads as the same value: characters that YAML reserves are escaped."""
    return re.sub("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found.group()):04x}", document)


def _round_trip(own: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class EveryWordIsText(VersionedResolver):
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            from ruamel.yaml.nodes import ScalarNode

            if kind is ScalarNode:
                return self.yaml_text
            return super().resolve(kind, value, implicit)

        @property
        def yaml_text(self) -> Any:
            from ruamel.yaml.tag import Tag

            return Tag(suffix="tag:yaml.org,2002:str")

    yaml = YAML(typ="rt", pure=True)
    yaml.Resolver = EveryWordIsText
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.width = 2**31
    yaml.allow_duplicate_keys = False
    mapping, offset = _indentation(own)
    yaml.indent(mapping=mapping, sequence=mapping + offset if offset else 2, offset=offset)
    return yaml


def _indentation(own: str) -> tuple[int, int]:
    """The columns per level of objects, and of the dashes of lists below their key."""
    mapping = re.search(r"^[^\s#-][^\n]*:[ ]*\n(?:[ ]*#[^\n]*\n)*([ ]+)[^\s#-]", own, re.MULTILINE)
    dashes = re.search(r"^[^\s#-][^\n]*:[ ]*\n(?:[ ]*#[^\n]*\n)*([ ]*)-[ ]", own, re.MULTILINE)
    return (len(mapping.group(1)) if mapping else 2, len(dashes.group(1)) if dashes else 2)


def _dumped(yaml: Any, tree: Any) -> str:
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def _adapt(node: Any, old: JsonValue, new: JsonValue) -> None:
    """Change a tree of ruamel.yaml from the old to the new value, touching only what differs."""
    if isinstance(new, dict):
        _adapt_object(node, old, new)
    else:
        _adapt_list(node, old, new)


def _adapt_object(node: Any, old: JsonValue, new: dict[str, JsonValue]) -> None:
    for key in [key for key in node if key not in new and key in old]:
        del node[key]
    for key, value in new.items():
        if key in node and key in old:
            _adapt_item(node, key, old[key], value)
        elif key not in old or _differ(old[key], value):
            node[_key(key)] = _node(value)
    wanted = [key for key in new if key in node]
    if [key for key in node if key in new] != wanted:
        for key in wanted:
            node.move_to_end(key)  # its comments go with it


def _adapt_list(node: Any, old: JsonValue, new: list[JsonValue]) -> None:
    for position in range(len(old) - 1, len(new) - 1, -1):
        del node[position]
    for position, value in enumerate(new):
        if position < len(old):
            _adapt_item(node, position, old[position], value)
        else:
            node.append(_node(value))


def _adapt_item(node: Any, place: Any, old: JsonValue, new: JsonValue) -> None:
    if not _differ(old, new):
        return
    if type(old) is type(new) and isinstance(new, (dict, list)) and type(node[place]).__name__ in ("CommentedMap", "CommentedSeq"):
        _adapt(node[place], old, new)
    else:
        node[place] = _node(new)


def _differ(old: JsonValue, new: JsonValue) -> bool:
    return old is not new and encode(old) != encode(new)


def _keep_anchors(tree: Any) -> None:
    """Have every anchor written, also where its aliases stand in another entry."""
    stack, seen = [tree], set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        anchor = getattr(node, "anchor", None)
        if anchor is not None and anchor.value:
            anchor.always_dump = True
        stack += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _node(value: JsonValue) -> Any:
    """A value as ruamel.yaml shall write it: what reads as text is quoted where a plain word would be something else."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString, PlainScalarString

    if isinstance(value, dict):
        return CommentedMap((_key(key), _node(one)) for key, one in value.items())
    if isinstance(value, list):
        return CommentedSeq(_node(one) for one in value)
    if not isinstance(value, str):
        return PlainScalarString(encode(value))
    if _is_plain(value):
        return PlainScalarString(value)
    if "\n" in value and not re.search(r"[ \t]\n|[ \t]$|\n\n$", value) and _LITERAL.fullmatch(value):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value)


def _key(key: str) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, PlainScalarString

    return PlainScalarString(key) if _is_plain(key) else DoubleQuotedScalarString(key)


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or not text.isprintable() or ": " in text or " #" in text:
        return False
    try:
        return isinstance(resolve(text), str) and _is_text_to_others(text)
    except InvalidValueError:
        return False


def _is_text_to_others(text: str) -> bool:
    """Whether readers of YAML 1.1, such as Aurite 0.4, take a plain word for text, too: not so ``no``, ``010`` and dates."""
    from yaml import ScalarNode
    from yaml.resolver import Resolver

    resolver: Any = Resolver()
    return bool(resolver.resolve(ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str")
