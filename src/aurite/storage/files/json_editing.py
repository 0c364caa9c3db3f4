"""Changing entries in brackets, in JSON or in YAML, without touching a byte of the others."""

from __future__ import annotations

import re

import msgspec

from aurite.storage.files.entries import Entry, Group, Parsed
from aurite.storage.files.text_edits import Edits, Splice

_DEFAULT_UNIT = "  "
_MAX_GROWTH = 8


def json_splices(text: str, parsed: Parsed, group: Group, edits: Edits, *, append: bool) -> list[Splice]:
    """The replacements of pieces of text that carry out the edits within one list in brackets, or one entry alone."""
    entries = parsed.entries[group.first : group.first + group.count]
    kept = [number for number in range(group.count) if group.first + number not in edits.deleted]
    added = edits.added if append else ()
    if not kept:
        return [Splice(group.start, group.end, _whole_list(text, entries, added))]
    splices = [
        Splice(entry.start, entry.end, rendered(edits.replaced[group.first + number], *style_of(text, entry)))
        for number, entry in enumerate(entries)
        if group.first + number in edits.replaced
    ]
    splices += _removals(entries, kept) if group.form == "flow" else []
    if added:
        splices += _additions(text, entries, group, added)
    return splices


def rendered(document: str, base: str, unit: str | None) -> str:
    """A document as it is written into a file.

    Args:
        base: the white space in front of the entry on its line.
        unit: the white space of one level of indentation; "" for one line with blanks, None for one line without.
    """
    if unit is None:
        return document
    try:
        lines = msgspec.json.format(document, indent=1 if unit else 0).split("\n")
    except msgspec.DecodeError:
        return document  # lone surrogates, which the formatter does not take
    levels = [len(line) - len(line.lstrip(" ")) for line in lines]
    if sum(levels) * len(unit) > _MAX_GROWTH * len(document) + 4096:
        return document  # so deep that the indentation would outgrow the content
    return f"\n{base}".join(unit * level + line[level:] for level, line in zip(levels, lines, strict=True))


def style_of(text: str, entry: Entry) -> tuple[str, str | None]:
    """White space in front of an entry's line, and of one level inside it; see ``rendered``."""
    line_start = text.rfind("\n", 0, entry.start) + 1
    base = _leading_space(text[line_start : entry.start])
    written = text[entry.start : entry.end]
    inner = re.match(r"[{\[][ \t]*\r?\n([ \t]*)", written)
    if inner is None:
        return base, "" if re.search(r'": |, "', written) else None
    space = inner.group(1)
    return base, space[len(base) :] if space.startswith(base) and len(space) > len(base) else _DEFAULT_UNIT


def _leading_space(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _removals(entries: tuple[Entry, ...], kept: list[int]) -> list[Splice]:
    splices: list[Splice] = []
    for number in range(len(entries)):
        if number in kept:
            continue
        if number > kept[0]:
            splices.append(Splice(entries[number - 1].end, entries[number].end, ""))
        else:
            splices.append(Splice(entries[number].start, entries[number + 1].start, ""))
    return splices


def _additions(text: str, entries: tuple[Entry, ...], group: Group, added: tuple[str, ...]) -> list[Splice]:
    base, unit = style_of(text, entries[-1])
    if group.form == "single":
        return [
            Splice(group.start, group.start, "[\n"),
            Splice(group.end, group.end, "".join(f",\n{rendered(document, '', unit)}" for document in added) + "\n]"),
        ]
    gap = text[group.start + 1 : entries[0].start]
    gap = gap if not gap.strip() else "\n" + base
    new = "".join(f",{gap or ' '}{rendered(document, base, unit)}" for document in added)
    return [Splice(entries[-1].end, entries[-1].end, new)]


def _whole_list(text: str, entries: tuple[Entry, ...], added: tuple[str, ...]) -> str:
    if not added:
        return "[]"
    base, unit = style_of(text, entries[0]) if entries else (_DEFAULT_UNIT, _DEFAULT_UNIT)
    base = base or (_DEFAULT_UNIT if unit else "")
    return "[\n" + ",\n".join(base + rendered(document, base, unit) for document in added) + "\n]"
