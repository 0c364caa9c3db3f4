"""The files of components as files: listed, read and written whole, for people who edit them from afar.

A path is relative to one of the source's folders of components, or to the folder of its ``.aurite``. Whatever it is, only files
that the store itself would read can be reached: links are followed before that is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aurite.errors import InvalidDocumentError, InvalidValueError
from aurite.model.sources import Source
from aurite.storage.file_errors import storage_error
from aurite.storage.files.documents import SUFFIXES, parse_document, read_bytes
from aurite.storage.files.placement import lies_in
from aurite.storage.files.scan import scan
from aurite.storage.files.transaction import locked_folders, replace_files


class ConfigFiles:
    """The files of one source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def paths(self) -> list[str]:
        """Every file, relative to the source's folder where it lies below it, sorted."""
        return sorted(self._shown(Path(path)) for path in scan([self._source]).files)

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none.

        Raises:
            InvalidValueError: the path is none that the source's components are read from.
            InvalidDocumentError, StoreUnavailableError: it cannot be read.
        """
        file = self._existing(path)
        if file is None:
            return None
        try:
            return read_bytes(file).decode()
        except UnicodeDecodeError as error:
            raise InvalidDocumentError(f"{path} is not UTF-8 text") from error

    def create(self, path: str, content: str) -> bool:
        """Write a new file; False where there is one already. Raises: see :meth:`replace`."""
        file = self._new(path)
        raw = _checked(path, content)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidValueError(f"{path!r} leads through a file that is no folder") from error
        except OSError as error:
            raise storage_error(error, file.parent) from error
        with locked_folders([file.parent]):
            if os.path.lexists(file):
                return False
            replace_files({file: raw})
        return True

    def replace(self, path: str, content: str) -> bool:
        """Give a file another content; False where there is no such file.

        Raises:
            InvalidValueError: the path is none that the source's components are read from.
            InvalidDocumentError: the content cannot be read as components; with the line.
            StorageError: it cannot be written.
        """
        return self._write(path, _checked(path, content))

    def delete(self, path: str) -> bool:
        """Delete a file; False where there is no such file. Raises: InvalidValueError, StorageError."""
        return self._write(path, None)

    def _write(self, path: str, raw: bytes | None) -> bool:
        file = self._existing(path)
        if file is None:
            return False
        with locked_folders([file.parent]):
            if not file.is_file():
                return False
            replace_files({file: raw})
        return True

    def _existing(self, path: str) -> Path | None:
        """The file, links followed; None where there is none."""
        candidates = self._candidates(path)
        return next((Path(os.path.realpath(file)) for file in candidates if file.is_file()), None)

    def _new(self, path: str) -> Path:
        candidates = self._candidates(path)
        return next((file for file in candidates if os.path.lexists(file)), candidates[0])

    def _candidates(self, path: str) -> list[Path]:
        """Where the file may lie, in the order of the folders."""
        parts = path.split("/")
        is_plain = all(part and not part.startswith(".") and "\x00" not in part and "\\" not in part for part in parts)
        if not is_plain or not path.endswith(SUFFIXES) or len(path) > 1024 or any(len(part.encode()) > 255 for part in parts):
            raise InvalidValueError(
                f"{path!r} is no path of a file of components",
                next_step=f"Use names without a dot in front, below a folder of components, that end in {', '.join(SUFFIXES)}",
            )
        folders = self._source.config_folders
        beside = self._source.folder / path
        is_beside = any(beside.is_relative_to(folder) for folder in folders)
        found = [file for file in ([beside] if is_beside else [folder / path for folder in folders]) if lies_in(file, folders)]
        if not found:
            raise InvalidValueError(f"{path!r} lies outside of the folders of components")
        return found

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._source.folder).as_posix() if path.is_relative_to(self._source.folder) else path.as_posix()


def source_named(sources: Sequence[Source], name: str) -> Source | None:
    """The source that people call so; None where there is none."""
    return next((source for source in sources if source.name == name), None)


def _checked(path: str, content: str) -> bytes:
    """The bytes of a content that can be read as components.

    Raises:
        InvalidDocumentError.
    """
    try:
        raw = content.encode()
    except UnicodeEncodeError as error:
        raise InvalidDocumentError(f"{path} would hold a lone surrogate, which UTF-8 has not") from error
    parsed = parse_document(raw, Path(path).suffix, places=True)
    flaws = [f"line {flaw.line}: {flaw.reason}" for flaw in parsed.flaws]
    flaws += [f"line {entry.line}: {entry.flaw}" for entry in parsed.entries if entry.flaw is not None]
    if flaws:
        raise InvalidDocumentError(f"{path}: {'; '.join(flaws[:10])}", next_step="Nothing was written; correct it")
    return raw
