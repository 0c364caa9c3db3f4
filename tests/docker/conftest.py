"""A container with a project and a data folder, like the one of docker-compose.yml."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.container import Container, put_programs

ANCHOR = '[aurite]\ntype = "project"\ninclude_configs = ["config"]\n'
LLM = '{"type": "llm", "name": "offline", "provider": "offline", "model": "offline"}'


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """The folder of the programs of the image; pytest's own folders are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="aurite-image-"))
    folder.chmod(0o755)
    for name in ("bin", "library"):
        (folder / name).mkdir()
    put_programs(folder / "bin", folder / "library")
    yield folder / "bin"
    shutil.rmtree(folder)


@pytest.fixture
def container(programs: Path) -> Iterator[Container]:
    """A container on SQLite at ``data/aurite.db``, with a project of one component in its working folder."""
    folder = Path(tempfile.mkdtemp(prefix="aurite-container-"))
    folder.chmod(0o755)
    (folder / "bin").symlink_to(programs)
    (folder / "app" / "config").mkdir(parents=True)
    (folder / "app" / ".aurite").write_text(ANCHOR, encoding="utf-8")
    (folder / "app" / "config" / "llms.json").write_text(f"[{LLM}]", encoding="utf-8")
    (folder / "data").mkdir(mode=0o700)
    made = Container(
        folder,
        {
            "AURITE_ENABLE_DB": "true",
            "AURITE_DB_TYPE": "sqlite",
            "AURITE_DB_PATH": str(folder / "data" / "aurite.db"),
            "API_KEY": "k",
        },
    )
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def empty_folder(container: Container) -> Container:
    """The container without a project."""
    shutil.rmtree(container.app)
    container.app.mkdir()
    return container
