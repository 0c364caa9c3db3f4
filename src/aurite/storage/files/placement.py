"""In which file a new component goes, and whether it may."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aurite.errors import InvalidValueError, NoProjectError
from aurite.model.kinds import KINDS
from aurite.model.sources import Source
from aurite.storage.files.documents import SUFFIXES


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
    folders = [folder for source in sources for folder in source.config_folders]
    candidate = Path(os.path.normpath(sources[0].folder / file))
    within = [folder for folder in folders if candidate.is_relative_to(folder)]
    if not within and folders and ".." not in Path(file).parts:
        candidate, within = folders[0] / file, [folder for folder in folders[:1] if (folders[0] / file).is_relative_to(folder)]
    if not any(_would_be_read(candidate, folder) for folder in within):
        shown = ", ".join(map(str, folders))
        raise InvalidValueError(f"{file!r} lies outside of the folders of components", next_step=f"Choose a file below {shown}")
    return candidate


def lies_in(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path, links followed, is below one of the folders."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _would_be_read(path: Path, folder: Path) -> bool:
    return lies_in(path, [folder]) and not any(part.startswith(".") for part in path.relative_to(folder).parts)
