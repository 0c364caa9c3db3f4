"""Export: the components of files become rows, all of them or none, and what is equal stays untouched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import InvalidComponentError, NoProjectError
from aurite.settings import Secret, Settings
from aurite.storage.postgres.target import PostgresTarget

REFERENCE = Path(__file__).parents[1] / "data" / "aurite-0.4" / "project"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a database of each kind, by the environment."""
    monkeypatch.setenv("AURITE_ENABLE_DB", "true")
    if request.param == "postgresql":
        target: PostgresTarget = request.getfixturevalue("empty_postgres")
        known = {"TYPE": "postgres", "HOST": target.host, "PORT": target.port, "USER": target.user, "NAME": target.dbname}
        for name, value in known.items():
            monkeypatch.setenv(f"AURITE_DB_{name}", str(value))
        if isinstance(target.password, Secret):
            monkeypatch.setenv("AURITE_DB_PASSWORD", target.password.reveal())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REFERENCE, tmp_path / "project"))


@pytest.fixture
def app(project: Path, database: None) -> Iterator[Aurite]:
    app = Aurite(project, settings=Settings.from_env(project))
    yield app
    app.close()


def written_in(project: Path) -> dict[tuple[str, str], Any]:
    """What the files of a project hold, the first of equal keys by path."""
    found: dict[tuple[str, str], Any] = {}
    for path in sorted((project / "config").rglob("*.json")):
        for document in json.loads(path.read_text(encoding="utf-8")):
            found.setdefault((document["type"], document["name"]), document)
    return found


def test_the_project_of_aurite_0_4_exports_whole(app: Aurite, project: Path) -> None:
    wanted = written_in(project)
    report = app.export()
    assert set(report.new) == set(wanted)
    assert report.problems == ()
    assert len(report.shadowed) == 2
    stored = {component.key: component for component in app.config.components()}
    assert {key: component.config() for key, component in stored.items()} == wanted
    for key, component in stored.items():
        assert list(component.config()) == list(wanted[key])
        origin = json.loads(component.provenance or "{}")
        assert origin["context_path"] == str(project)
        assert Path(origin["source_file"]).is_file()


def test_the_same_again_leaves_every_row_untouched(app: Aurite) -> None:
    app.export()
    before = app.config.components()
    version = app.config.version
    report = app.export()
    assert (report.new, report.changed) == ((), ())
    assert app.config.components() == before
    assert app.config.version == version


def test_a_dry_run_tells_and_writes_nothing(app: Aurite, project: Path) -> None:
    app.export()
    file = project / "config" / "llms" / "new.json"
    file.write_text('{"type": "llm", "name": "new", "provider": "openai", "model": "m"}', encoding="utf-8")
    changed = project / "config" / "testing" / "security.json"
    changed.write_text(changed.read_text(encoding="utf-8").replace('"development"', '"other"'), encoding="utf-8")
    app.config.create_component("llm", {"name": "extra", "provider": "openai", "model": "m"})
    version = app.config.version
    report = app.export(dry_run=True, prune=True)
    assert (report.new, report.changed, report.extra) == ((("llm", "new"),), (("security", "default"),), (("llm", "extra"),))
    assert not report.pruned
    assert app.config.version == version


def test_pruning_deletes_what_only_the_database_holds(app: Aurite) -> None:
    app.export()
    app.config.create_component("llm", {"name": "extra", "provider": "openai", "model": "m"})
    assert app.export().extra == (("llm", "extra"),)
    assert app.config.get_config("llm", "extra") is not None
    report = app.export(prune=True)
    assert report.pruned
    assert app.config.get_config("llm", "extra") is None
    assert app.config.history.revisions("llm", "extra")[0].change == "delete"


def test_one_bad_entry_means_that_nothing_is_written_unless_it_may_be_left_out(app: Aurite, project: Path) -> None:
    (project / "config" / "broken.json").write_text('[{"type": "llm", "name": "x"}]', encoding="utf-8")
    with pytest.raises(InvalidComponentError, match=r"broken\.json") as refused:
        app.export()
    assert len(refused.value.reasons) == 1
    assert app.config.components() == []
    report = app.export(skip_invalid=True)
    assert len(report.new) == len(written_in(project)) - 1
    assert len(report.problems) == 1


def test_pruning_beside_an_unreadable_file_is_refused_because_it_could_delete_what_that_file_holds(
    app: Aurite, project: Path
) -> None:
    app.export()
    (project / "config" / "testing" / "security.json").write_text("[", encoding="utf-8")
    with pytest.raises(InvalidComponentError):
        app.export(prune=True, skip_invalid=True)
    assert app.config.get_config("security", "default") is not None


def test_without_a_project_there_is_nothing_to_export(tmp_path: Path, database: None) -> None:
    app = Aurite(tmp_path, settings=Settings.from_env(tmp_path))
    with pytest.raises(NoProjectError):
        app.export()
    app.close()
