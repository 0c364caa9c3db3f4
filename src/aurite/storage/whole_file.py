"""A text file that lies in its place whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from aurite.errors import StoreUnavailableError
from aurite.storage.drafts import bring_to_disk, draft_folder
from aurite.storage.file_errors import storage_error


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[TextIO]:
    """A file to write UTF-8 text to, readable by its owner alone; it takes its place when the block ends without an error.

    Missing folders are made. A link is followed: what it points to is written.

    Args:
        path: its place.
        overwrite: another file may be there already.

    Raises:
        StorageError: something is in its place, or it cannot be written.
    """
    place = Path(os.path.realpath(path))
    _require_place(place, overwrite=overwrite)
    with draft_folder(place) as folder:
        draft = folder / "file"
        try:
            with draft.open("x", encoding="utf-8", newline="") as file:
                yield file
            draft.chmod(0o600)
            bring_to_disk(draft)
            if overwrite:
                draft.replace(place)
            else:
                os.link(draft, place)
            bring_to_disk(place.parent)
        except FileExistsError as error:
            raise StoreUnavailableError(f"{place} was made by another program meanwhile", next_step="Name another file") from error
        except OSError as error:
            raise storage_error(error, place) from error


def _require_place(place: Path, *, overwrite: bool) -> None:
    if place.is_dir():
        raise StoreUnavailableError(f"{place} is a folder", next_step="Name a file in it")
    if not place.exists():
        return
    if not overwrite:
        raise StoreUnavailableError(
            f"{place} is there already", next_step="Name another file, or replace this one with --overwrite"
        )
    if not place.is_file():
        raise StoreUnavailableError(f"{place} is no file that could be replaced", next_step="Name another file")
