"""The components of one file: the good ones, the misfits, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aurite.errors import InvalidComponentError, InvalidDocumentError, StoreUnavailableError
from aurite.model.jsontext import encode
from aurite.model.records import Component, Key, Problem
from aurite.model.sources import Source
from aurite.model.validation import examine, identify
from aurite.storage.files.documents import decode_text, parse_document, read_bytes, shown_path
from aurite.storage.files.entries import Entry
from aurite.storage.files.scan import FoundFile

WRITER = "file"
_REVISION_BITS = 53
_QUOTE = "; put quotes around it where text is meant"


@dataclass(slots=True)
class ReadFile:
    """What was read from a file at one value of the store's counter."""

    version: int
    components: list[tuple[int, Component]] = field(default_factory=list)
    """With their positions among the entries of the file."""
    misfits: list[tuple[int, Key]] = field(default_factory=list)
    """Entries that say type and name, but do not fit the type."""
    problems: list[Problem] = field(default_factory=list)


def read_file(found: FoundFile, version: int, before: ReadFile | None = None) -> ReadFile:
    """The components of a file; everything that is wrong with it becomes a problem.

    Args:
        before: what was read from it last; components that did not change since keep their times.
    """
    result = ReadFile(version)
    path, shown = Path(found.path), shown_path(found.path)
    try:
        raw = read_bytes(path)
    except (InvalidDocumentError, StoreUnavailableError) as error:
        result.problems.append(Problem(shown, error.message))
        return result
    parsed = parse_document(raw, path.suffix)
    result.problems += [Problem(f"{shown}:{flaw.line}" if flaw.line else shown, flaw.reason) for flaw in parsed.flaws]
    known = {component.key: component for _, component in before.components} if before else {}
    provenance, instant = _provenance(found.path, found.source), found.stamp[0] // 1000
    for position, entry in enumerate(parsed.entries):
        key, wrong = _examined(entry)
        if wrong:
            field_name, reason = wrong
            where = f"{shown}:{_line(raw, path.suffix, entry, position, field_name)}"
            result.problems.append(Problem(where, reason, *(key or (None, None))))
            if key:
                result.misfits.append((position, key))
        elif key:
            old = known.get(key)
            if old is None or old.document != entry.document or old.provenance != provenance:
                old = Component(*key, entry.document, revision_of(entry.document), instant, instant, WRITER, provenance)
            result.components.append((position, old))
    return result


def revision_of(document: str) -> int:
    """A positive number that follows from a document, small enough for a double."""
    digest = hashlib.blake2b(document.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _REVISION_BITS)) or 1


def _examined(entry: Entry) -> tuple[Key | None, tuple[str | None, str] | None]:
    """The key of an entry, where it says one, and field and reason of what is wrong with it, if anything."""
    if entry.flaw is not None:
        return None, (None, entry.flaw)
    hint = _QUOTE if entry.field_lines else ""
    try:
        kind, name = identify(entry.value)
    except InvalidComponentError as error:
        value = entry.value if isinstance(entry.value, dict) else {}
        wrong = [key for key in ("type", "name") if key in value and not isinstance(value[key], str)]
        return None, (wrong[0] if wrong else None, error.message + (hint if wrong else ""))
    errors = examine(kind.type, entry.value).errors
    if not errors:
        return (kind.type, name), None
    reasons = [error + hint if "valid string" in error else error for error in errors]
    return (kind.type, name), (errors[0].split(":")[0].split(".")[0], "; ".join(reasons))


def _line(raw: bytes, suffix: str, entry: Entry, position: int, field_name: str | None) -> int:
    if suffix == ".json" and entry.flaw is None:
        from aurite.storage.files.json_documents import entry_line

        return entry_line(decode_text(raw), position, field_name)
    return entry.field_lines.get(field_name, entry.line) if field_name else entry.line


def _provenance(path: str, source: Source) -> str:
    return encode(dict(_origins(path, source)))


def _origins(path: str, source: Source) -> Iterator[tuple[str, str]]:
    yield "source_file", path
    yield "context_path", str(source.folder)
    yield "context_level", source.level
    if source.project_name is not None:
        yield "project_name", source.project_name
    if source.workspace_name is not None:
        yield "workspace_name", source.workspace_name
