"""Export: components of files into an empty database, and once more when nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from aurite.app import Aurite
from aurite.settings import Settings
from bench import bare, material
from bench.measuring import Measured, at_most, by_turns
from bench.scale import Scale

_PER_FILE = 10


def export(scale: Scale, folder: Path) -> Iterator[Measured]:
    """The files read and parsed, and their components inserted in one transaction, beside an export, which also checks each."""
    files = _project(folder, scale.exported)
    settings = replace(Settings.from_env(folder), db_type="sqlite", db_synchronous="FULL")
    floor_number, number = count(), count()

    def export_into(target: Path) -> None:
        app = Aurite(folder, settings=replace(settings, db_path=target), home=folder)
        app.export()
        app.close()

    export_into(folder / "again.db")
    floor, once, again = by_turns(
        lambda: _bare_export(files, folder / f"floor-{next(floor_number)}.db"),
        lambda: export_into(folder / f"export-{next(number)}.db"),
        lambda: export_into(folder / "again.db"),
        rounds=scale.exports,
    )
    work = f"export {scale.exported:,} components from files"
    yield Measured(work, floor, once, "seconds", at_most(1.5))
    yield Measured(f"{work}, the same again", once, again, "seconds", at_most(0.5))


def _project(folder: Path, components: int) -> Path:
    """A project of JSON files with ten components each; the folder that they are in."""
    (folder / ".aurite").write_text(material.PROJECT)
    files = folder / "config" / "agents"
    files.mkdir(parents=True)
    for first in range(0, components, _PER_FILE):
        documents = [material.agent(number) for number in range(first, min(first + _PER_FILE, components))]
        (files / f"agents-{first:06d}.json").write_text(json.dumps(documents, indent=2))
    return files


def _bare_export(files: Path, target: Path) -> None:
    connection = bare.connect(material.empty_store(target))
    connection.execute("BEGIN IMMEDIATE").fetchall()
    connection.execute("UPDATE store_meta SET config_version = 1, writer = 'bench'").fetchall()
    for file in sorted(files.iterdir()):
        provenance = json.dumps({"source_file": str(file), "context_level": "project", "project_name": "bench"})
        for document in bare.decode(file.read_bytes()):
            values = (document["type"], document["name"], bare.encode(document).decode(), 1, provenance)
            connection.execute(bare.INSERT_COMPONENT, values).fetchall()
            connection.execute(bare.INSERT_REVISION, values).fetchall()
    connection.execute("UPDATE store_meta SET writer = NULL").fetchall()
    connection.execute("COMMIT").fetchall()
    connection.close()
