"""In which file a new component goes, and whether it may."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aurite.errors import InvalidValueError, NoProjectError
from aurite.model.kinds import KINDS
from aurite.model.sources import Source
from aurite.storage.documents import SUFFIXES


def default_file(sources: Sequence[Source], type_: str) -> Path:
    """The list file of a type in the first folder of the first source.

    Raises:
        NoProjectError: the project names no folder for components.
    """
    first = sources[0]
    if not first.config_folders:
        raise NoProjectError(
            f"{first.folder / '.aurite'} names no folder for components",
            next_step='Add a line such as include_configs = ["config"] to it',
        )
    plural = KINDS[type_].plural
    return first.config_folders[0] / plural / f"{plural}.json"


def chosen_file(sources: Sequence[Source], file: str) -> Path:
    """The file that somebody asked for: absolute, or relative to the project or to its first folder for components.

    Raises:
        InvalidValueError: it lies outside of the folders of components, or its suffix or a hidden folder keeps it from being read.
    """
    if "\x00" in file or not file:
        raise InvalidValueError(f"{file!r} is no path of a file")
    if not file.endswith(SUFFIXES):
        raise InvalidValueError(f"{file!r} is no file for components", next_step="Use .json, .yaml or .yml")
    first = sources[0]
    for start in (first.folder, *first.config_folders[:1]):
        candidate = Path(os.path.normpath(start / file))
        for source in sources:
            for folder in source.config_folders:
                if _would_be_read(candidate, folder):
                    return candidate
    folders = ", ".join(str(folder) for source in sources for folder in source.config_folders)
    raise InvalidValueError(f"{file!r} lies outside of the folders of components", next_step=f"Choose a file below {folders}")


def lies_in(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path, links followed, is below one of the folders."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _would_be_read(path: Path, folder: Path) -> bool:
    if not lies_in(path, [folder]) or not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
