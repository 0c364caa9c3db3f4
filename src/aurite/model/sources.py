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

    @property
    def name(self) -> str:
        """What people call it: the name of the project or workspace; ``user`` for the user's own."""
        return {"project": self.project_name, "workspace": self.workspace_name}.get(self.level) or self.level
