"""A new folder with a project in it: an ``.aurite`` and files of components, in its place whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aurite.errors import NotSupportedError, StoreUnavailableError
from aurite.model.jsontext import decode
from aurite.model.records import Snapshot
from aurite.model.sources import Source
from aurite.storage.drafts import bring_to_disk, draft_folder
from aurite.storage.file_errors import storage_error
from aurite.storage.files.document_writer import edited
from aurite.storage.files.store import FileComponentStore
from aurite.storage.files.text_edits import Edits

ANCHOR_TEXT = '[aurite]\ntype = "project"\ninclude_configs = ["config"]\n'
_CONFIG = "config"
_MOST_NAMED = 5
_ENOUGH = 4 * 1024 * 1024
"""Characters of components in one file, about: far below what a file may have, indentation included."""


class ProjectFolder:
    """A place where no project is yet.

    Raises:
        StoreUnavailableError: something is there already, or it is the current folder, which cannot be replaced under a shell.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self._require_free()

    @contextmanager
    def draft(self) -> Iterator[ProjectDraft]:
        """Begin a project; it lies in its place once it was put there, and until then nothing does."""
        with draft_folder(self.path) as folder:
            root = folder / self.path.name
            (root / _CONFIG).mkdir(parents=True)
            yield ProjectDraft(root, self)

    def _require_free(self) -> None:
        if self.path == Path.cwd():
            raise StoreUnavailableError(f"{self.path} is the current folder", next_step="Name a new folder in it")
        if not os.path.lexists(self.path):
            return
        try:
            if not self.path.is_dir() or any(self.path.iterdir()):
                raise not_free(self.path)
        except OSError as error:
            raise storage_error(error, self.path) from error


class ProjectDraft:
    """A project that is being made."""

    def __init__(self, root: Path, place: ProjectFolder) -> None:
        self._root = root
        self._place = place

    def write(self, stem: str, documents: Sequence[str], suffix: str) -> dict[str, int]:
        """New files of components by their path below the folder, and how many are in each; several where one would be too large.

        Args:
            stem: the name of the first file without its suffix.
            documents: JSON texts.
            suffix: ``.json`` or ``.yaml``.

        Raises:
            NotSupportedError: a file of this kind cannot hold one of them so that it reads back the same.
            StorageError: it cannot be written.
        """
        written = {}
        for number, part in enumerate(_parts(documents), start=1):
            name = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
            self._write(self._root / _CONFIG / name, _content(part, suffix, name))
            written[f"{_CONFIG}/{name}"] = len(part)
        return written

    def read(self) -> Snapshot:
        """The components as any program will read them from the files."""
        store = FileComponentStore([Source("project", self._root, (self._root / _CONFIG,))])
        try:
            return store.load()
        finally:
            store.close()

    def put_in_place(self) -> None:
        """Bring it to disk and into its place.

        Raises:
            StorageError: it cannot be written there, or something is there by now.
        """
        self._write(self._root / ".aurite", ANCHOR_TEXT.encode())
        place = self._place.path
        try:
            bring_to_disk(self._root / _CONFIG)
            bring_to_disk(self._root)
            self._root.rename(place)  # takes the place of an empty folder, and of nothing else
            bring_to_disk(place.parent)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise not_free(place) from error
            raise storage_error(error, place) from error

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.write_bytes(content)
            bring_to_disk(path)
        except OSError as error:
            raise storage_error(error, self._place.path) from error


def not_free(path: Path) -> StoreUnavailableError:
    """The error for a place where something is."""
    return StoreUnavailableError(f"{path} is there already and not an empty folder", next_step="Name a new folder")


def _parts(documents: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for document in documents:
        if part and size + len(document) > _ENOUGH:
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document)
    if part:
        yield part


def _content(documents: Sequence[str], suffix: str, shown: str) -> bytes:
    try:
        content = edited(b"", suffix, Edits(added=tuple(documents)), shown)
    except NotSupportedError as error:
        if suffix != ".json":
            unfit = [_name_of(document) for document in documents if not _fits(document, suffix, shown)]
            which = f": {', '.join(unfit[:_MOST_NAMED])}" if unfit else ""
            raise NotSupportedError(
                f"{shown} cannot hold every component so that it reads back the same{which}; nothing was written",
                next_step="Write JSON files: --format json",
            ) from error
        content = None
    # Indented it would be larger than a file may be.
    return content if content is not None else ("[\n" + ",\n".join(documents) + "\n]\n").encode()


def _fits(document: str, suffix: str, shown: str) -> bool:
    try:
        edited(b"", suffix, Edits(added=(document,)), shown)
    except NotSupportedError:
        return False
    return True


def _name_of(document: str) -> str:
    return repr(decode(document)["name"])
