"""Where files of components may lie: the folders of one ``.aurite``, in order of their rank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["project", "workspace", "user"]


@dataclass(frozen=True, slots=True)
class Source:
    """The folders that one ``.aurite`` names."""

    level: Level
    folder: Path
    """Where the ``.aurite`` lies; relative paths of its components start here."""
    config_folders: tuple[Path, ...]
    project_name: str | None = None
    workspace_name: str | None = None
