"""Components leave a database as files, and an export from those files finds every one the same."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurite.config.workspace import discover
from aurite.errors import InvalidComponentError, NotSupportedError, StorageError, StoreUnavailableError
from aurite.model.jsontext import JsonValue, check
from aurite.model.records import Author, Create
from aurite.storage.components import SqlComponentStore
from aurite.storage.files.project_folder import ProjectFolder
from aurite.storage.files.store import FileComponentStore
from aurite.testing.samples import AWKWARD_NAMES, AWKWARD_VALUES, agent_document, llm_document
from aurite.testing.values import component_names, json_values
from aurite.transfer.export import export
from aurite.transfer.imports import ImportReport, import_components
from tests.clusters import Server
from tests.transfer.conftest import NewStore
from tests.transfer.databases import PostgresStore, SqliteStore, Store
from tests.transfer.programs import Mover

AUTHOR = Author("python")
Format = Literal["json", "yaml"]


class Importer(Mover):
    module: ClassVar[str] = "tests.transfer.backup_worker"


@contextmanager
def components_of(store: Store) -> Iterator[SqlComponentStore]:
    with closing(SqlComponentStore(store.engine())) as components:
        yield components


def put(store: Store, *documents: tuple[str, str, str]) -> None:
    with components_of(store) as components:
        components.write([Create(*document) for document in documents], author=AUTHOR)


def imported(store: Store, folder: Path, *, format: Format = "json", skip_invalid: bool = False) -> ImportReport:
    with components_of(store) as components:
        return import_components(components, ProjectFolder(folder), format=format, skip_invalid=skip_invalid)


def require_all_the_same(store: Store, folder: Path, count: int) -> None:
    files = FileComponentStore(discover(folder, home=None).sources)
    with components_of(store) as components:
        report = export(files, components, author=AUTHOR, dry_run=True)
    assert (len(report.same), report.new, report.changed, report.extra, report.problems) == (count, (), (), (), ())
    files.close()


def has_lone_surrogate(value: JsonValue) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:  # more digits than Python writes by itself
        return "\\ud" in check(value)
    return False


def all_kinds() -> list[tuple[str, str, str]]:
    documents: list[Mapping[str, JsonValue]] = [
        {"type": "mcp_server", "name": "m", "server_path": "servers/m.py"},
        {"type": "linear_workflow", "name": "m", "steps": ["m"]},
        {"type": "graph_workflow", "name": "m", "nodes": [{"node_id": "1", "name": "m"}], "edges": []},
        {"type": "custom_workflow", "name": "m", "module_path": "flows.m", "class_name": "M"},
        {"type": "evaluation", "name": "m"},
        {"type": "security", "name": "m"},
    ]
    return [
        ("llm", "m", llm_document("m")),
        ("agent", "m", agent_document("m")),
        *((str(document["type"]), "m", check(document)) for document in documents),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(component_names(), st.tuples(st.sampled_from(["llm", "agent"]), json_values()), min_size=1, max_size=6),
    format=st.sampled_from(["json", "yaml"]),
    on_server=st.booleans(),
)
def test_any_components_come_out_and_go_in_the_same(
    values: dict[str, tuple[str, JsonValue]], format: Format, on_server: bool, postgres_server: Server, postgres_template: str
) -> None:
    make = {"llm": llm_document, "agent": agent_document}
    with TemporaryDirectory() as folder:
        name = postgres_server.create_database(template=postgres_template) if on_server else ""
        store: Store = PostgresStore(postgres_server.target(name)) if name else SqliteStore(Path(folder) / "a.db")
        try:
            put(store, *((type_, key, make[type_](key, any=value)) for key, (type_, value) in values.items()))
            place = Path(folder) / "project"
            if format == "yaml" and any(has_lone_surrogate(value) for _, value in values.values()):
                with pytest.raises(NotSupportedError):
                    imported(store, place, format=format)
                assert not place.exists()
                return
            report = imported(store, place, format=format)
            assert len(report.imported) == len(values)
            assert report.respelled == ()
            assert {path.name for path in (place / "config").iterdir()} <= {f"agents.{format}", f"llms.{format}"}
            require_all_the_same(store, place, len(values))
        finally:
            if name:
                postgres_server.drop_database(name)


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_awkward_names_and_values_come_out_and_go_in_the_same(
    new_store: NewStore, engine: str, format: Format, tmp_path: Path
) -> None:
    store = new_store(engine)
    documents = [("llm", name, llm_document(name)) for name in AWKWARD_NAMES]
    documents += [
        ("agent", what, agent_document(what, value=value))
        for what, value in AWKWARD_VALUES.items()
        if format == "json" or not has_lone_surrogate(value)
    ]
    put(store, *documents)
    imported(store, tmp_path / "project", format=format)
    require_all_the_same(store, tmp_path / "project", len(documents))
    assert {path.stem for path in (tmp_path / "project" / "config").iterdir()} == {"llms", "agents"}


def test_each_type_gets_a_file_and_relative_paths_are_told(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    store = new_store(engine)
    put(store, *all_kinds())
    report = imported(store, tmp_path / "deep" / "project")
    assert dict(report.files) == {
        f"config/{plural}.json": 1
        for plural in (
            "agents", "custom_workflows", "evaluations", "graph_workflows",
            "linear_workflows", "llms", "mcp_servers", "securities",
        )
    }  # fmt: skip
    assert [(one.key, one.field, one.path) for one in report.relative_paths] == [
        (("custom_workflow", "m"), "module_path", "flows.m"),
        (("mcp_server", "m"), "server_path", "servers/m.py"),
    ]
    require_all_the_same(store, tmp_path / "deep" / "project", 8)


def test_large_components_are_spread_over_files(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store("sqlite")
    documents = [("llm", f"n{number}", llm_document(f"n{number}", text="x" * 3_000_000)) for number in range(3)]
    deep: JsonValue = [[[[[[[[[[[["y"] * 20_000]]]]]]]]]]]
    put(store, *documents, ("agent", "deep", agent_document("deep", value=[deep] * 5)))
    report = imported(store, tmp_path / "project")
    assert report.files == {"config/agents.json": 1, "config/llms.json": 1, "config/llms-2.json": 1, "config/llms-3.json": 1}
    require_all_the_same(store, tmp_path / "project", 4)


def test_a_bad_row_means_that_nothing_is_written(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    store, place = new_store(engine), tmp_path / "project"
    put(store, ("llm", "good", llm_document("good")))
    store.sql('INSERT INTO components (type, name, document) VALUES (\'llm\', \'bad\', \'{"type": "llm", "name": "bad"}\')')

    with pytest.raises(InvalidComponentError, match="--skip-invalid") as caught:
        imported(store, place)
    assert [reason.split(":")[0] for reason in caught.value.reasons] == ["components llm 'bad'"]
    assert not place.exists()

    report = imported(store, place, skip_invalid=True)
    assert report.imported == (("llm", "good"),)
    assert [(problem.type, problem.name) for problem in report.problems] == [("llm", "bad")]


def test_what_was_written_by_hand_keeps_its_values_and_is_named(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    store, place = new_store(engine), tmp_path / "project"
    document = '{ "type": "llm",  "name": "n", "provider": "offline", "model": "m", "value": 1.50e1 }'
    store.create()
    store.sql(f"INSERT INTO components (type, name, document) VALUES ('llm', 'n', '{document}')")
    report = imported(store, place)
    assert report.respelled == (("llm", "n"),)
    files = FileComponentStore(discover(place, home=None).sources)
    assert files.load().components["llm", "n"].config()["value"] == 15.0
    files.close()


def test_an_empty_database_gives_no_folder(new_store: NewStore, engine: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no components"):
        imported(new_store(engine), tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_only_a_new_or_an_empty_folder_is_filled(new_store: NewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store("sqlite")
    put(store, *all_kinds())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "file" / "below")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name, words in {"full": "not an empty folder", "file": "not an empty folder", "here": "current folder"}.items():
        with pytest.raises(StoreUnavailableError, match=words):
            imported(store, tmp_path / name)
    with pytest.raises(StorageError):
        imported(store, tmp_path / "dangling")
    assert sorted(path.name for path in tmp_path.iterdir() if "draft" in path.name) == []
    assert [path.name for path in (tmp_path / "full").iterdir()] == [".hidden"]

    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    imported(store, tmp_path / "link")
    require_all_the_same(store, tmp_path / "empty", 8)


def test_what_yaml_cannot_hold_is_refused_by_name(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store("sqlite")
    put(store, ("llm", "n", llm_document("n")), ("llm", "half", llm_document("half", text="\ud800")))
    with pytest.raises(NotSupportedError, match=r"same: 'half'; nothing was written\. Write JSON files: --format json"):
        imported(store, tmp_path / "project", format="yaml")
    assert not (tmp_path / "project").exists()
    imported(store, tmp_path / "project")
    require_all_the_same(store, tmp_path / "project", 2)


@pytest.mark.slow
def test_an_import_killed_at_any_moment_leaves_the_whole_folder_or_none(new_store: NewStore, tmp_path: Path) -> None:
    store, place = new_store("sqlite"), tmp_path / "out" / "project"
    put(store, *all_kinds(), *(("llm", name, llm_document(name)) for name in AWKWARD_NAMES))
    count, ended, whole = 8 + len(AWKWARD_NAMES), 0, 0.0
    for moment in range(20):
        with Importer("import_components", store, str(place)) as worker:
            assert worker.line() == "ready"
            worker.go()
            assert worker.line() == "begun"
            begun = time.monotonic()
            if moment == 0:
                worker.wait()
                whole = time.monotonic() - begun
            else:
                time.sleep(whole * (moment - 1) / 16)
                worker.kill()
        if place.exists():
            ended += 1
            require_all_the_same(store, place, count)
            shutil.rmtree(place)
    imported(store, place)
    assert [path.name for path in place.parent.iterdir()] == ["project"]
    assert 0 < ended < 20
