"""A file of components, read strictly: JSON or YAML, one component or a list of them.

Strictly means that nothing is guessed and nothing dropped: a repeated key, a tag, a number that is not JSON or text that is not
UTF-8 is refused with its line. A fault inside one entry of a list spoils that entry alone; a fault of syntax spoils the file.
An empty file holds no components. A YAML file may hold several documents behind each other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aurite.errors import InvalidDocumentError, StoreUnavailableError
from aurite.model.records import Problem
from aurite.storage.files.entries import Entry, FlawError, Parsed

SUFFIXES = (".json", ".yaml", ".yml")
MAX_FILE_BYTES = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FileDocument:
    """What one file holds: the entries that can be used, and the problems of those that cannot."""

    entries: tuple[Entry, ...]
    """Each with its value and its JSON text."""
    problems: tuple[Problem, ...]


def read_document(path: Path) -> FileDocument:
    """The entries of a file, by its suffix; whatever is wrong with the file becomes a problem with file and line.

    Raises:
        InvalidDocumentError: the suffix is none of ``SUFFIXES``.
    """
    shown = shown_path(path)
    try:
        raw = read_bytes(path)
    except (InvalidDocumentError, StoreUnavailableError) as error:
        return FileDocument((), (Problem(shown, error.message),))
    parsed = parse_document(raw, path.suffix)
    problems = [Problem(f"{shown}:{flaw.line}" if flaw.line else shown, flaw.reason) for flaw in parsed.flaws]
    problems += [Problem(f"{shown}:{entry.line}", entry.flaw) for entry in parsed.entries if entry.flaw is not None]
    return FileDocument(tuple(entry for entry in parsed.entries if entry.flaw is None), tuple(problems))


def parse_document(raw: bytes, suffix: str, *, places: bool = False) -> Parsed:
    """The entries of a file's content, spoiled ones included in their place; empty but for one flaw where all of it is spoiled.

    Args:
        places: also find the line and the extent of each entry in JSON, which takes longer; in YAML they are always there.

    Raises:
        InvalidDocumentError: the suffix is none of ``SUFFIXES``.
    """
    # Each format is imported when a file of it is met: most projects hold one of them.
    if suffix not in SUFFIXES:
        raise InvalidDocumentError(f"{suffix or 'a file without suffix'} is no format for components; use .json, .yaml or .yml")
    try:
        if len(raw) > MAX_FILE_BYTES:
            raise FlawError(0, f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
        if suffix == ".json":
            from aurite.storage.files.json_documents import parse_json, parse_quickly

            quick = None if places else parse_quickly(raw.removeprefix(_BOM))
            return quick if quick is not None else parse_json(decode_text(raw))
        from aurite.storage.files.yaml_documents import parse_yaml

        return parse_yaml(decode_text(raw))
    except FlawError as flaw:
        return Parsed(flaws=(flaw,))


def decode_text(raw: bytes) -> str:
    """The text of a file without its byte order mark.

    Raises:
        FlawError: it is not UTF-8; with the line and the number of the byte.
    """
    content = raw.removeprefix(_BOM)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + len(raw) - len(content)
        line = content.count(b"\n", 0, error.start) + 1
        raise FlawError(line, f"is not UTF-8 text: byte {offset} (0x{raw[offset]:02X}) cannot be read; save it as UTF-8") from error


def read_bytes(path: Path) -> bytes:
    """The content of a regular file within the size limit.

    Raises:
        InvalidDocumentError: it is larger than ``MAX_FILE_BYTES``.
        StoreUnavailableError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not make us wait
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_FILE_BYTES:
                raise InvalidDocumentError(f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
            return _all_bytes(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise StoreUnavailableError(f"cannot be read: {reason}") from error


def _all_bytes(descriptor: int, size: int) -> bytes:
    # One more byte than there should be: the usual file is then read by a single call, and its end seen by the next.
    pieces = [os.read(descriptor, size + 1)]
    while pieces[-1] and sum(map(len, pieces)) <= MAX_FILE_BYTES:
        pieces.append(os.read(descriptor, 65536))
    return b"".join(pieces)


def shown_path(path: Path | str) -> str:
    """A path for people; bytes that are no UTF-8 are shown as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
