"""The new content of a file of components, proven to read back as what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aurite.errors import InvalidDocumentError, NotSupportedError
from aurite.storage.files.documents import MAX_FILE_BYTES, decode_text, parse_document
from aurite.storage.files.entries import FlawError, Parsed
from aurite.storage.files.json_documents import parse_json
from aurite.storage.files.json_editing import json_splices, rendered
from aurite.storage.files.text_edits import Edits, Splice, spliced

_BOM = "\ufeff"


def parse_for_editing(raw: bytes, suffix: str, shown: str) -> tuple[str, Parsed]:
    """The text of a file without byte order mark, its line ends as ``\\n`` in YAML, and its entries with their places.

    Raises:
        InvalidDocumentError: the file as a whole cannot be read, so it must not be written.
    """
    try:
        text = decode_text(raw)
        if suffix == ".json":
            return text, parse_json(text)
        from aurite.storage.files.yaml_documents import parse_yaml

        text = text.replace("\r\n", "\n")
        parsed = parse_yaml(text)
        if parsed.flaws:
            raise parsed.flaws[0]
    except FlawError as flaw:
        where = f"{shown}:{flaw.line}" if flaw.line else shown
        raise InvalidDocumentError(f"{where} {flaw.reason}; nothing was written", next_step="Mend the file first") from flaw
    return text, parsed


def edited(raw: bytes, suffix: str, edits: Edits, shown: str) -> bytes | None:
    """The content of a file after the edits; None where its last component went and the file held it alone.

    Entries that are not edited keep their text. Line ends and byte order mark stay as they are.

    Raises:
        InvalidDocumentError: the file cannot be read.
        NotSupportedError: no way of writing the values into this file reads back as the same values.
    """
    text, parsed = parse_for_editing(raw, suffix, shown)
    if (
        edits.deleted
        and not edits.added
        and len(edits.deleted) == len(parsed.entries)
        and all(g.form == "single" for g in parsed.groups)
    ):
        return None
    wanted = _after(parsed, edits)
    crlf = 0 < raw.count(b"\n") == raw.count(b"\r\n")
    for attempt in _attempts(text, parsed, suffix, edits):
        new = _as_bytes(attempt, crlf=crlf, bom=raw.startswith(_BOM.encode()))
        if new is not None and _reads_as(new, suffix, wanted):
            return new
    raise NotSupportedError(
        f"{shown} cannot hold this change so that it reads back the same; nothing was written",
        next_step="Keep the component in a .json file, or edit the file by hand",
    )


def _after(parsed: Parsed, edits: Edits) -> list[str]:
    """What each entry shall read as afterwards: its document, or what is wrong with it."""
    wanted = [
        edits.replaced.get(position, entry.flaw or entry.document)
        for position, entry in enumerate(parsed.entries)
        if position not in edits.deleted
    ]
    return [*wanted, *edits.added]


def _reads_as(raw: bytes, suffix: str, wanted: list[str]) -> bool:
    if len(raw) > MAX_FILE_BYTES:
        return False
    parsed = parse_document(raw, suffix)
    return not parsed.flaws and [entry.flaw or entry.document for entry in parsed.entries] == wanted


def _as_bytes(text: str, *, crlf: bool, bom: bool) -> bytes | None:
    if crlf:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        return ((_BOM if bom else "") + text).encode()
    except UnicodeEncodeError:
        return None


def _attempts(text: str, parsed: Parsed, suffix: str, edits: Edits) -> Iterator[str]:
    if suffix == ".json":
        yield _json(text, parsed, edits)
        return
    from ruamel.yaml.error import YAMLError

    from aurite.storage.files.yaml_editing import compact, fresh, merged, rewritten, yaml_splices

    ways: tuple[Callable[[], list[Splice]], ...] = (
        lambda: yaml_splices(text, parsed, edits, merged, fresh),
        lambda: yaml_splices(text, parsed, edits, rewritten, fresh),
        lambda: yaml_splices(text, parsed, edits, lambda _own, _entry, document: compact(document), compact),
    )
    for way in ways:
        try:
            yield spliced(text, way())
        except (YAMLError, ValueError, RecursionError):
            continue  # ruamel.yaml cannot write it in this way


def _json(text: str, parsed: Parsed, edits: Edits) -> str:
    if not parsed.groups:
        return "[\n" + ",\n".join("  " + rendered(document, "  ", "  ") for document in edits.added) + "\n]\n"
    return spliced(text, json_splices(text, parsed, parsed.groups[0], edits, append=True))
