"""Components in files: found in order of rank, written atomically, beside editors and other writers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurite.errors import (
    ComponentExistsError,
    InvalidComponentError,
    InvalidDocumentError,
    InvalidValueError,
    NoProjectError,
    NotSupportedError,
    StorageError,
)
from aurite.model.jsontext import JsonValue, check
from aurite.model.records import Author, Change, Create, Delete, Key, Problem, Put, Update
from aurite.model.sources import Source
from aurite.storage.files.documents import parse_document
from aurite.storage.files.store import FileComponentStore
from aurite.storage.ports import ComponentStore
from aurite.testing import ComponentStoreContract
from aurite.testing.samples import llm_document, llm_key

AUTHOR = Author("python", "tester")


def project(folder: Path, *configs: str) -> Source:
    return Source("project", folder, tuple(folder / name for name in configs or ("config",)), folder.name)


def open_files(folder: Path, *configs: str) -> FileComponentStore:
    return FileComponentStore([project(folder, *configs)], always_scan=True)


def write(store: ComponentStore, *changes: Change) -> None:
    store.write(changes, author=AUTHOR)


def put_file(path: Path, content: str | bytes | JsonValue) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def llm(name: str, **fields: JsonValue) -> dict[str, JsonValue]:
    return {"type": "llm", "name": name, "provider": "offline", "model": "m", **fields}


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names(store: ComponentStore) -> list[str]:
    return [name for _, name in store.load().components]


def problems(store: ComponentStore) -> list[str]:
    return [str(problem) for problem in store.load().problems]


def document(store: ComponentStore, name: str) -> str:
    return store.load().components[llm_key(name)].document


class TestContract(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return open_files(folder)


# Which files are read, and who wins.


def test_without_sources_everything_but_closing_says_how_to_make_a_project() -> None:
    store = FileComponentStore([])
    for ask in (store.load, store.version, lambda: write(store)):
        with pytest.raises(NoProjectError, match="aurite init"):
            ask()
    store.close()
    assert store.location == "no project"


def test_the_first_source_wins_then_the_first_path_and_others_are_shadowed(tmp_path: Path) -> None:
    for place in ("p/config/b.json", "p/config/B.json", "p/config/a/z.yaml", "w/shared/a.json"):
        put_file(tmp_path / place, [llm("x", at=place), llm(f"only in {place}")])
    sources = [project(tmp_path / "p"), Source("workspace", tmp_path / "w", (tmp_path / "w" / "shared",), None, "w")]
    snapshot = FileComponentStore(sources).load()
    assert json.loads(snapshot.components[llm_key("x")].document)["at"] == "p/config/B.json"
    assert [json.loads(one.document)["at"] for one in snapshot.shadowed] == [
        "p/config/a/z.yaml",
        "p/config/b.json",
        "w/shared/a.json",
    ]
    assert len(snapshot.components) == 5
    assert snapshot.problems == ()


def test_provenance_says_file_and_context(tmp_path: Path) -> None:
    put_file(tmp_path / "w/p/config/a.json", llm("x"))
    source = Source("project", tmp_path / "w/p", (tmp_path / "w/p/config",), "p", "w")
    component = FileComponentStore([source]).load().components[llm_key("x")]
    assert json.loads(component.provenance or "") == {
        "source_file": f"{tmp_path}/w/p/config/a.json",
        "context_path": f"{tmp_path}/w/p",
        "context_level": "project",
        "project_name": "p",
        "workspace_name": "w",
    }
    assert component.writer == "file"
    assert component.updated_at == (tmp_path / "w/p/config/a.json").stat().st_mtime_ns // 1000
    assert 0 < component.revision < 2**53


def test_hidden_files_and_other_suffixes_are_not_read(tmp_path: Path) -> None:
    for place in (".hidden.json", ".git/a.json", "notes.txt", "a.json.bak", "a.toml"):
        put_file(tmp_path / "config" / place, "{broken")
    put_file(tmp_path / "config/a.yml", llm("x"))
    assert (names(open_files(tmp_path)), problems(open_files(tmp_path))) == (["x"], [])


def test_links_are_followed_without_loops_and_a_folder_reached_twice_counts_once(tmp_path: Path) -> None:
    put_file(tmp_path / "elsewhere/x.json", llm("linked folder"))
    put_file(tmp_path / "one.json", llm("linked file"))
    config = tmp_path / "config"
    config.mkdir()
    (config / "loop").symlink_to(config)
    (config / "a").symlink_to(tmp_path / "elsewhere")
    (config / "b").symlink_to(tmp_path / "elsewhere")
    (config / "c.json").symlink_to(tmp_path / "one.json")
    (config / "dangling.json").symlink_to(tmp_path / "absent")
    store = open_files(tmp_path, "config", "config/a")
    assert names(store) == ["linked file", "linked folder"]
    assert store.load().shadowed == ()
    assert problems(store) == [f"{config}/dangling.json: is a link to a file that does not exist"]


def test_a_pipe_in_a_folder_is_a_problem_and_nobody_waits_for_it(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    os.mkfifo(tmp_path / "config/pipe.json")
    store = open_files(tmp_path)
    assert (names(store), problems(store)) == (["x"], [f"{tmp_path}/config/pipe.json: is not a regular file"])


def test_a_file_name_that_is_no_utf_8_is_read_and_shown_escaped(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    (tmp_path / "config/a.json").rename(os.fsdecode(os.fsencode(tmp_path) + b"/config/\xff.json"))
    assert names(open_files(tmp_path)) == ["x"]
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/config/\xff.json")).write_text("{")
    assert problems(open_files(tmp_path))[0].startswith(f"{tmp_path}/config/\\xff.json:1: is not JSON")


# Problems.


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("a.json", "{", ":1: is not JSON"),
        ("a.yaml", "a: [", ":1: is not YAML"),
        ("a.json", "[]]", ":1: is not JSON"),
        ("a.json", "3", ":1: a component must be an object, not a number"),
        ("a.yaml", "just text", ":1: a component must be an object, not text"),
        ("a.json", '[\n "x"]', ":2: a component must be an object, not text"),
        ("a.json", '{"a": 1}', ":1: a component needs the field 'type'"),
        ("a.json", '{\n"type": "robot",\n"name": "x"}', ":1: 'robot' is no component type"),
        ("a.json", '{"type": "llm",\n"name": 5}', ":2: a component name must be text, not int"),
        (
            "a.yaml",
            "type: llm\nname: 1.10\n",
            ":2: a component name must be text, not float; put quotes around it where text is meant",
        ),
        (
            "a.yaml",
            "type: llm\nname: x\nprovider: p\nmodel: 1.10\n",
            ":4: model: Input should be a valid string; put quotes around it where text is meant",
        ),
        ("a.json", '[{"type": "llm",\n"name": "x",\n"provider": "p",\n"model": 4}]', ":4: model: Input should be a valid string"),
        ("a.json", '[{"type": "llm", "name": "x", "provider": "p"}]', ":1: model: Field required"),
        ("a.json", '{"type": "llm", "name": "x\\u0000"}', ":1: the component name 'x\\x00' has the character U+0000"),
        ("a.json", b'{"a": "\xe9"}', ":1: is not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_a_problem_with_file_and_line_and_hides_nothing(
    tmp_path: Path, file: str, content: str | bytes, problem: str
) -> None:
    path = put_file(tmp_path / "config" / file, content)
    put_file(tmp_path / "config/b.json", llm("good"))
    store = open_files(tmp_path)
    assert names(store) == ["good"]
    (found,) = problems(store)
    assert found.startswith(f"{path}{problem}")


def test_a_misfit_beside_a_good_entry_names_its_component(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", [llm("good"), {"type": "agent", "name": "bad", "max_iterations": 0}])
    snapshot = open_files(tmp_path).load()
    assert list(snapshot.components) == [llm_key("good")]
    assert [(problem.type, problem.name) for problem in snapshot.problems] == [("agent", "bad")]


def test_values_of_a_misfit_are_not_shown(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", {"type": "llm", "name": "x", "provider": "p", "model": {"api_key": "sk-very-secret"}})
    assert "sk-very-secret" not in str(problems(open_files(tmp_path)))


def test_problems_of_anchors_are_part_of_each_snapshot(tmp_path: Path) -> None:
    problem = Problem("/p/.aurite:3", "the folder is not there")
    store = FileComponentStore([project(tmp_path)], problems=[problem])
    assert store.load().problems == store.load_changes(store.load()).problems == (problem,)


def test_a_link_that_leads_to_itself_hides_nothing(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    for name in ("loop", "loop.json"):
        (tmp_path / "config" / name).symlink_to(name)
    store = open_files(tmp_path)
    assert list(store.load().components) == [("llm", "x")]
    assert problems(store) == [f"{tmp_path}/config/loop.json: cannot be read: too many levels of symbolic links"]


def test_a_folder_that_goes_is_told_not_passed_over(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    store = open_files(tmp_path)
    before = store.load()
    (tmp_path / "config").rename(tmp_path / "moved")
    assert store.version() > before.version
    assert problems(store) == [f"{tmp_path}/config: the folder is gone, and the components in it"]


def as_nobody(tmp_path: Path, code: str) -> str:
    """What a program prints that may do no more than other people's files allow."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    program = OPEN + WARM_UP_AND_DROP + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd="/", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OPEN = """
import sys
from pathlib import Path
from aurite.errors import AuriteError
from aurite.model.records import Author, Create, Put, Delete
from aurite.model.sources import Source
from aurite.storage.files.store import FileComponentStore
from aurite.testing.samples import llm_document
folder = Path(sys.argv[1])
store = FileComponentStore([Source("project", folder, (folder / "config",))], always_scan=True)
def write(*changes):
    return store.write(changes, author=Author("python"))
"""

# Python itself may lie where nobody else may read, so everything is imported by using it once before the rights are given up.
WARM_UP_AND_DROP = """
import os, tempfile
with tempfile.TemporaryDirectory() as trial:
    own = FileComponentStore([Source("project", Path(trial), (Path(trial) / "config",))])
    own.write([Create("llm", "x", llm_document("x"))], author=Author("python"))
    try:
        own.write([Delete("llm", "y")], author=Author("python"))
    except AuriteError:
        pass
if os.geteuid() == 0:  # whom no mode stops
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
"""


def test_files_and_folders_that_may_not_be_read_are_problems(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    put_file(tmp_path / "config/b.json", llm("y")).chmod(0o000)
    put_file(tmp_path / "config/c/c.json", llm("z"))
    (tmp_path / "config/c").chmod(0o000)
    told = as_nobody(
        tmp_path, OPEN + "snapshot = store.load()\nprint(list(snapshot.components))\nfor p in snapshot.problems: print(p)"
    )
    assert told.splitlines() == [
        "[('llm', 'x')]",
        f"{tmp_path}/config/c: cannot be read: permission denied",
        f"{tmp_path}/config/b.json: cannot be read: permission denied",
    ]
    (tmp_path / "config/c").chmod(0o700)


@pytest.mark.parametrize("cache", [True, False])
def test_a_place_that_cannot_be_written_is_told_and_left_alone(tmp_path: Path, cache: bool) -> None:
    path = put_file(tmp_path / "config/a.json", llm("x"))
    if cache:
        (tmp_path / ".aurite_cache").mkdir()
        (tmp_path / ".aurite_cache").chmod(0o777)
    before = path.read_bytes()
    path.chmod(0o444)
    (tmp_path / "config").chmod(0o555)
    code = """
    for change in (Put("llm", "x", llm_document("x", v=2)), Delete("llm", "x"), Create("llm", "n", llm_document("n"))):
        try:
            write(change)
        except AuriteError as error:
            print(error.code, error)
    """
    if not cache:
        tmp_path.chmod(0o555)
    told = as_nobody(tmp_path, code).splitlines()
    tmp_path.chmod(0o755)
    (tmp_path / "config").chmod(0o755)
    assert [line.split()[0] for line in told] == ["store_read_only"] * 3
    assert path.read_bytes() == before
    assert listed(tmp_path / "config") == ["a.json"]


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    paths = [put_file(tmp_path / f"config/{n}.json", [llm(f"{n}")]) for n in range(3)]
    before = [path.read_bytes() for path in paths]
    code = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        write(*(Put("llm", str(n), llm_document(str(n), v="x" * 9_000 * n)) for n in range(3)))
    except AuriteError as error:
        print(error.code)
    """
    done = subprocess.run(
        [sys.executable, "-c", OPEN + textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "store_full\n"
    assert [path.read_bytes() for path in paths] == before
    assert listed(tmp_path / "config") == ["0.json", "1.json", "2.json"]


# The counter.


def test_every_edit_by_hand_raises_the_counter(tmp_path: Path) -> None:
    path = put_file(tmp_path / "config/a.json", llm("x"))
    store = open_files(tmp_path)
    versions = [store.version()]
    for edit in (
        lambda: path.write_text(path.read_text()[:-1] + " }"),
        lambda: put_file(tmp_path / "config/b/b.json", llm("y")),
        lambda: path.rename(tmp_path / "config/c.json"),
        (tmp_path / "config/c.json").unlink,
        lambda: put_file(tmp_path / "config/new.json", "{broken"),
    ):
        edit()
        versions.append(store.version())
    assert versions == sorted(set(versions))
    assert store.version() == versions[-1]


def test_an_edit_that_leaves_size_and_times_as_they_were_is_seen(tmp_path: Path) -> None:
    path = put_file(tmp_path / "config/a.json", llm("x", v=1))
    store = open_files(tmp_path)
    times = path.stat()
    for value in (2, 3, 4, 5, 6):
        before = store.load()
        with path.open("r+") as file:
            file.write(json.dumps(llm("x", v=value)))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert store.version() > before.version
        assert document(store, "x") == llm_document("x", v=value)


def test_the_counter_rests_when_a_file_is_no_longer_young(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", llm("x"))
    store = open_files(tmp_path)
    before = store.version()
    time.sleep(0.25)
    assert [store.version() for _ in range(3)] == [before] * 3


def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    for n in range(3):
        put_file(tmp_path / f"config/{n}.json", llm(f"{n}"))
    store = open_files(tmp_path)
    before = store.load()
    put_file(tmp_path / "config/1.json", llm("1", v=2))
    after = store.load_changes(before)
    same = [name for (_, name), component in after.components.items() if component is before.components[llm_key(name)]]
    assert same == ["0", "2"]


def test_a_slow_look_is_not_repeated_at_once_but_after_a_second_at_the_latest(tmp_path: Path) -> None:
    for n in range(3000):
        put_file(tmp_path / f"config/{n}.json", "")
    store = FileComponentStore([project(tmp_path)])
    before = store.version()
    start = time.perf_counter()
    for _ in range(100):
        store.version()
    assert time.perf_counter() - start < 0.5
    put_file(tmp_path / "config/0.json", llm("x"))
    time.sleep(1.01)
    assert store.version() > before
    write(store, Create("llm", "own", llm_document("own")))
    assert store.load().version == store.version() > before + 1


# Where new components go.


def test_new_components_go_into_one_list_per_type_in_the_first_folder(tmp_path: Path) -> None:
    store = open_files(tmp_path, "config", "more")
    write(store, Create("llm", "a", llm_document("a")), Create("security", "s", check({"type": "security", "name": "s"})))
    write(store, Create("llm", "b", llm_document("b")))
    assert json.loads((tmp_path / "config/llms/llms.json").read_text()) == [llm("a"), llm("b")]
    assert json.loads((tmp_path / "config/securities/securities.json").read_text()) == [{"type": "security", "name": "s"}]


@pytest.mark.parametrize("file", ["config/my.yaml", "my.yaml", "{folder}/config/my.yaml", "config/deep/../my.yaml"])
def test_a_file_may_be_chosen_from_the_project_from_the_folder_or_absolutely(tmp_path: Path, file: str) -> None:
    write(open_files(tmp_path), Create("llm", "a", llm_document("a"), file=file.format(folder=tmp_path)))
    assert (tmp_path / "config/my.yaml").read_text() == "- type: llm\n  name: a\n  provider: offline\n  model: m\n"


@pytest.mark.parametrize(
    "file",
    ["../x.json", "/etc/x.json", "config/../x.json", "config/../../config/x.json", "config.json/../../x.json", "config/x.txt",
     "config/.x.json", "config/.git/x.json", "config/link/x.json", "config/a\x00.json", "config", "link/x.json"],
)  # fmt: skip
def test_a_file_outside_of_the_folders_of_components_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "config/link").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidValueError):
        write(open_files(tmp_path), Create("llm", "a", llm_document("a"), file=file))
    assert listed(tmp_path) == [".aurite_cache", "config", "outside"]


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b.json", "con\\..\\x", ".", "*"])
def test_a_name_is_never_part_of_a_path(tmp_path: Path, name: str) -> None:
    write(open_files(tmp_path), Create("llm", name, llm_document(name)))
    assert [path.name for path in (tmp_path / "config").rglob("*") if path.is_file()] == ["llms.json"]


def test_a_project_that_names_no_folder_says_what_to_add(tmp_path: Path) -> None:
    store = FileComponentStore([Source("project", tmp_path, ())])
    with pytest.raises(NoProjectError, match="include_configs"):
        write(store, Create("llm", "a", llm_document("a")))


def test_a_component_that_could_not_be_read_again_is_refused(tmp_path: Path) -> None:
    store = open_files(tmp_path)
    with pytest.raises(InvalidComponentError, match="model"):
        write(store, Create("llm", "a", check({"type": "llm", "name": "a", "provider": "p"})))
    with pytest.raises(InvalidValueError, match="type and name"):
        write(store, Create("llm", "a", llm_document("b")))
    with pytest.raises(InvalidValueError, match="no component type"):
        write(store, Create("robot", "a", check({"type": "robot", "name": "a"})))
    assert names(store) == []


# Editing files that people write.

PRETTY = """[
    {
        "type": "llm", "name": "a",
        "provider":   "offline",
        "model": "m"
    },
    {
        "type": "llm",
        "name": "b",
        "provider": "offline",
        "model": "m",
        "x": [1, 2]
    },
    {"type": "llm", "name": "c", "provider": "offline", "model": "\\u0063"}
]
"""


def test_an_update_of_json_keeps_indentation_and_every_byte_of_other_entries(tmp_path: Path) -> None:
    path = put_file(tmp_path / "config/a.json", PRETTY)
    write(open_files(tmp_path), Update("llm", "b", llm_document("b", x={"k": True})))
    old = '        "x": [1, 2]\n'
    assert path.read_text() == PRETTY.replace(old, '        "x": {\n            "k": true\n        }\n')


def test_an_update_of_one_line_json_stays_on_one_line(tmp_path: Path) -> None:
    path = put_file(tmp_path / "config/a.json", PRETTY)
    write(open_files(tmp_path), Update("llm", "c", llm_document("c", x=[1])))
    head = PRETTY[: PRETTY.index('{"type"')]
    assert path.read_text() == head + '{"type": "llm", "name": "c", "provider": "offline", "model": "m", "x": [1]}\n]\n'


@pytest.mark.parametrize(("gone", "left"), [("a", "bc"), ("b", "ac"), ("c", "ab"), ("ab", "c"), ("ac", "b"), ("bc", "a")])
def test_deleting_from_json_keeps_every_byte_of_other_entries(tmp_path: Path, gone: str, left: str) -> None:
    path = put_file(tmp_path / "config/a.json", PRETTY)
    store = open_files(tmp_path)
    write(store, *(Delete("llm", name) for name in gone))
    assert names(store) == list(left)
    for name in left:
        start = PRETTY.index("{" if name == "a" else '{\n        "type": "llm",\n' if name == "b" else '{"type"')
        assert PRETTY[start : PRETTY.index("}", start) + 1] in path.read_text()


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_deleting_the_last_entry_leaves_an_empty_list(tmp_path: Path, suffix: str) -> None:
    text = "# mine\n- type: llm\n  name: a\n  provider: p\n  model: m\n" if suffix == "yaml" else json.dumps([llm("a")], indent=2)
    path = put_file(tmp_path / f"config/a.{suffix}", text)
    store = open_files(tmp_path)
    write(store, Delete("llm", "a"))
    assert path.read_text() == ("# mine\n[]\n" if suffix == "yaml" else "[]")
    write(store, Create("llm", "b", llm_document("b"), file=str(path)))
    assert names(store) == ["b"]
    assert problems(store) == []


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_deleting_the_one_component_of_a_file_removes_the_file(tmp_path: Path, suffix: str) -> None:
    path = put_file(tmp_path / f"config/a.{suffix}", llm("a"))
    write(open_files(tmp_path), Delete("llm", "a"))
    assert not path.exists()


@pytest.mark.parametrize(
    "content", [json.dumps(llm("a")), json.dumps(llm("a"), indent=2), "type: llm\nname: a\nprovider: p\nmodel: m"]
)
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_component_may_be_added_to_a_file_that_holds_one(tmp_path: Path, suffix: str, content: str) -> None:
    if suffix == "json" and not content.startswith("{"):
        content = f" {json.dumps(llm('a'))}\n\n"
    path = put_file(tmp_path / f"config/a.{suffix}", content)
    store = open_files(tmp_path)
    write(store, Create("llm", "b", llm_document("b"), file=str(path)))
    assert names(store) == ["a", "b"]
    assert content.strip() in path.read_text()


def test_one_write_may_delete_replace_and_add_in_one_file(tmp_path: Path) -> None:
    for suffix, content in (("json", json.dumps(llm("a"))), ("yaml", "type: llm\nname: a\nprovider: p\nmodel: m\n")):
        path = put_file(tmp_path / f"config/{suffix}.{suffix}", content)
        store = open_files(tmp_path)
        write(store, Delete("llm", "a"), Create("llm", suffix, llm_document(suffix), file=str(path)))
    assert names(open_files(tmp_path)) == ["json", "yaml"]


def test_byte_order_mark_and_crlf_stay(tmp_path: Path) -> None:
    yaml = "# c\r\n- type: llm\r\n  name: a\r\n  provider: p # p\r\n  model: m\r\n"
    for suffix, text in (("json", json.dumps([llm("b")], indent=2).replace("\n", "\r\n")), ("yaml", yaml)):
        path = put_file(tmp_path / f"config/a.{suffix}", b"\xef\xbb\xbf" + text.encode())
        store = open_files(tmp_path)
        name = "b" if suffix == "json" else "a"
        write(
            store,
            Update("llm", name, llm_document(name, x="line\nline")),
            Create("llm", suffix, llm_document(suffix), file=str(path)),
        )
        raw = path.read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf")
        assert raw.count(b"\n") == raw.count(b"\r\n") > 8
        assert document(store, name) == llm_document(name, x="line\nline")


YAML = """\
# top
- type: llm   # an llm
  name: a
  # about the model
  model: m    # the model
  provider: offline
  when: 2024-01-01
  code: 010
  many:
    - 1  # one
    - two
  text: |
    one
      two
# before b
- {type: llm, name: b, provider: offline, model: m} # behind b

-
  type: llm
  name: c
  provider: offline
  model: "m"   # quoted
# end
"""


def yaml_store(tmp_path: Path, text: str = YAML) -> tuple[FileComponentStore, Path]:
    return open_files(tmp_path), put_file(tmp_path / "config/a.yaml", text)


def test_an_update_of_yaml_keeps_comments_order_and_spelling(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path)
    value = json.loads(document(store, "a"))
    value["model"] = "gpt"
    value["many"] = [1, "no", {"a": None}]
    write(store, Update("llm", "a", check(value)))
    assert document(store, "a") == check(value)
    after = path.read_text()
    assert after.endswith(YAML[YAML.index("# before b") :])
    for kept in (
        "# top\n",
        "# an llm\n",
        "  # about the model\n",
        "# the model\n",
        "  when: 2024-01-01\n  code: 010\n",
        "- 1  # one\n",
    ):
        assert kept in after
    assert "  model: gpt" in after
    assert '    - "no"\n    - a: null\n' in after
    assert "  text: |\n    one\n      two\n" in after


def test_text_written_into_yaml_is_text_to_readers_of_yaml_1_1_too(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path)
    value = json.loads(document(store, "a"))
    value["words"] = ["no", "on", "010", "0x1F", "22:22", "1_000", "2024-01-01", "=", "y", "plain", "1.10"]
    value["off"] = {"yes": "Off"}
    write(store, Update("llm", "a", check(value)))
    assert document(store, "a") == check(value)
    (read,) = [entry for entry in yaml.safe_load(path.read_text()) if entry["name"] == "a"]
    assert (read["words"], read["off"]) == (value["words"], value["off"])


def test_an_update_of_yaml_may_reorder_and_insert_keys_and_keeps_their_comments(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path)
    wanted = check({"name": "a", "type": "llm", "new": 1, "provider": "offline", "model": "m", "text": "x"})
    write(store, Update("llm", "a", wanted))
    assert document(store, "a") == wanted
    for kept in ("# an llm", "# the model"):
        assert kept in path.read_text()


@pytest.mark.parametrize("gone", ["a", "b", "c", "ab", "ac", "bc"])
def test_deleting_from_yaml_keeps_every_line_of_other_entries(tmp_path: Path, gone: str) -> None:
    store, path = yaml_store(tmp_path)
    parts = {
        "a": YAML[YAML.index("- type") : YAML.index("# before b")],
        "b": "- {type: llm, name: b, provider: offline, model: m} # behind b\n",
        "c": YAML[YAML.index("-\n") : YAML.index("# end")],
    }
    write(store, *(Delete("llm", name) for name in gone))
    expected = YAML
    for name in gone:
        expected = expected.replace(parts[name], "")
    assert path.read_text() == expected


def test_a_new_entry_of_yaml_takes_the_indentation_of_the_others(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path, "  -   type: llm\n      name: a\n      provider: p\n      model: m")
    write(store, Create("llm", "b", llm_document("b", x=["y"]), file=str(path)))
    assert path.read_text().splitlines()[4:] == [
        "  -   type: llm",
        "      name: b",
        "      provider: offline",
        "      model: m",
        "      x:",
        "        - y",
    ]


def test_entries_that_use_anchors_of_other_entries_can_be_changed(tmp_path: Path) -> None:
    text = """\
- &base
  type: llm
  name: a
  provider: offline
  model: &m m
- <<: *base  # like a
  name: b
  model: *m
  fallback: *base
"""
    store, path = yaml_store(tmp_path, text)
    value = json.loads(document(store, "b"))
    write(store, Update("llm", "b", check({**value, "extra": 1})))
    assert path.read_text() == text + "  extra: 1\n"
    write(store, Put("llm", "c", llm_document("c"), file=str(path)))
    assert "<<: *base  # like a" in path.read_text()


def test_a_change_that_would_change_another_entry_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path, "- &a\n  type: llm\n  name: a\n  provider: p\n  model: m\n- <<: *a\n  name: b\n")
    before = path.read_bytes()
    with pytest.raises(NotSupportedError, match="cannot hold this change"):
        write(store, Update("llm", "a", llm_document("a", temperature=1)))
    with pytest.raises(NotSupportedError):
        write(store, Delete("llm", "a"))
    assert path.read_bytes() == before


def test_what_yaml_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    store, path = yaml_store(tmp_path)
    with pytest.raises(NotSupportedError, match=r"\.json"):
        write(store, Update("llm", "c", llm_document("c", x="\ud800")), Update("llm", "a", llm_document("a")))
    assert path.read_text() == YAML


def test_several_yaml_documents_in_one_file_can_be_changed(tmp_path: Path) -> None:
    one = "type: llm\nname: {}\nprovider: p # {}\nmodel: m\n"
    store, path = yaml_store(tmp_path, "---\n".join(one.format(name, name) for name in "abc"))
    write(store, Update("llm", "b", check({"type": "llm", "name": "b", "provider": "p", "model": "new"})), Delete("llm", "a"))
    write(store, Create("llm", "d", llm_document("d"), file=str(path)))
    assert names(store) == ["b", "c", "d"]
    assert "provider: p # b\nmodel: new\n---\n" + one.format("c", "c") in path.read_text()


def test_lists_in_brackets_in_yaml_keep_their_comments(tmp_path: Path) -> None:
    text = (
        "[ # all\n  {type: llm, name: a, provider: p, model: m}, # a, first\n  {type: llm, name: b, provider: p, model: m} # b\n]\n"
    )
    store, path = yaml_store(tmp_path, text)
    write(store, Update("llm", "b", llm_document("b", x="\u0085")), Create("llm", "c", llm_document("c", y="\x7f"), file=str(path)))
    assert names(store) == ["a", "b", "c"]
    assert path.read_text().startswith(text[: text.index("{type: llm, name: b")])


def test_a_broken_file_is_never_written(tmp_path: Path) -> None:
    path = put_file(tmp_path / "config/llms/llms.json", '[{"type": "llm"')
    with pytest.raises(InvalidDocumentError, match=rf"{path}:1 is not JSON.*nothing was written"):
        write(open_files(tmp_path), Create("llm", "a", llm_document("a")))
    assert path.read_text() == '[{"type": "llm"'


def test_spoiled_entries_stay_as_they_are_when_others_change(tmp_path: Path) -> None:
    spoiled = '{"type": "llm", "name": "twice", "name": "twice"}'
    path = put_file(tmp_path / "config/llms/llms.json", f"[{spoiled}, {json.dumps(llm('a'))}]")
    store = open_files(tmp_path)
    write(store, Update("llm", "a", llm_document("a", v=1)), Create("llm", "b", llm_document("b")))
    assert spoiled in path.read_text()
    assert (names(store), len(problems(store))) == (["a", "b"], 1)


def test_a_misfit_can_be_mended_and_deleted_but_not_created_beside_itself(tmp_path: Path) -> None:
    put_file(tmp_path / "config/a.json", [{"type": "llm", "name": "x"}, {"type": "llm", "name": "y"}])
    store = open_files(tmp_path)
    with pytest.raises(ComponentExistsError):
        write(store, Create("llm", "x", llm_document("x")))
    write(store, Put("llm", "x", llm_document("x")), Delete("llm", "y"))
    assert (names(store), problems(store)) == (["x"], [])


def test_the_file_that_owns_a_component_is_changed_and_what_it_shadowed_comes_up(tmp_path: Path) -> None:
    first = put_file(tmp_path / "config/a.json", [llm("x", v=1)])
    second = put_file(tmp_path / "config/b.json", [llm("x", v=2)])
    store = open_files(tmp_path)
    before = second.read_bytes()
    write(store, Update("llm", "x", llm_document("x", v=3)))
    assert json.loads(first.read_text()) == [llm("x", v=3)]
    write(store, Delete("llm", "x"))
    assert document(store, "x") == llm_document("x", v=2)
    assert second.read_bytes() == before


def test_mode_and_link_of_a_file_stay(tmp_path: Path) -> None:
    target = put_file(tmp_path / "elsewhere/real.json", [llm("x")])
    target.chmod(0o640)
    (tmp_path / "config").mkdir()
    link = tmp_path / "config/a.json"
    link.symlink_to(target)
    write(open_files(tmp_path), Update("llm", "x", llm_document("x", v=1)))
    assert link.is_symlink()
    assert json.loads(target.read_text()) == [llm("x", v=1)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert listed(tmp_path / "elsewhere") == ["real.json"]


# Any value, in any file.

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["no", "1.10", "010", "~", "<<", "- a", "a: b", "#", "a\n", "\na", "a\n b", "  x", "x  ", "---", ".inf", "\x85",
                     "\u2028", "\ufeff", "a\tb\nc", "a\n\n", "\r\n", "\x1b\n", "a\n\n  b\n", "x" * 200]),
)  # fmt: skip
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
json_values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)), max_leaves=12
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(json_values, min_size=4, max_size=4), st.sampled_from(["json", "yaml"]))
def test_any_value_round_trips_through_any_file_and_every_kind_of_change(
    tmp_path_factory: pytest.TempPathFactory, values: list[JsonValue], suffix: str
) -> None:
    folder = tmp_path_factory.mktemp("values")
    store, file = open_files(folder), f"config/a.{suffix}"
    write(
        store, *(Create("llm", name, llm_document(name, x=value), file=file) for name, value in zip("abc", values[:3], strict=True))
    )
    write(store, Update("llm", "b", llm_document("b", x=values[3])), Delete("llm", "a"))
    write(store, Put("llm", "a", llm_document("a", y=values[3], x=values[0]), file=file))
    expected: dict[Key, str] = {
        llm_key("a"): llm_document("a", y=values[3], x=values[0]),
        llm_key("b"): llm_document("b", x=values[3]),
        llm_key("c"): llm_document("c", x=values[2]),
    }
    assert {key: component.document for key, component in open_files(folder).load().components.items()} == expected
    write(store, *(Delete("llm", name) for name in "abc"))
    assert parse_document((folder / file).read_bytes(), f".{suffix}").entries == ()


# Many processes, and sudden death.


def start(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN + textwrap.dedent(code), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("file", ["None", "'config/one.yaml'"])
def test_processes_that_write_at_once_lose_nothing(tmp_path: Path, file: str) -> None:
    workers = [
        start(
            tmp_path,
            f"for n in range(50): write(Create('llm', f'{number}-{{n}}', llm_document(f'{number}-{{n}}'), file={file}))",
        )
        for number in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=100)
        assert worker.returncode == 0, errors
    store = open_files(tmp_path)
    assert sorted(names(store)) == sorted(f"{number}-{n}" for number in range(2) for n in range(50))
    assert problems(store) == []


REWRITE_THREE = """
n = 0
while True:
    n += 1
    documents = {name: llm_document(name, v=n, pad="x" * 20_000) for name in "012"}
    write(*(Put("llm", name, document, file=f"config/{name}/{name}.json") for name, document in documents.items()))
    print(n, flush=True)
"""


def assert_before_or_after(tmp_path: Path, reported: int) -> None:
    store = open_files(tmp_path)
    snapshot = store.load()
    assert snapshot.problems == ()
    found = {json.loads(component.document)["v"] for component in snapshot.components.values()}
    assert len(snapshot.components) == 3
    assert len(found) == 1
    assert found.pop() in (reported, reported + 1)


@pytest.mark.slow
def test_a_killed_writer_leaves_several_files_all_before_or_all_after(tmp_path: Path) -> None:
    for attempt in range(12):
        for number in range(3):
            put_file(tmp_path / f"config/{number}/{number}.json", [llm(f"{number}", v=0)])
        worker = start(tmp_path, REWRITE_THREE)
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(3)]
        time.sleep(0.0013 * attempt)
        worker.send_signal(signal.SIGKILL)
        rest, _ = worker.communicate(timeout=30)
        lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        assert_before_or_after(tmp_path, int(lines[-1]))
        write(open_files(tmp_path), *(Delete("llm", str(number)) for number in range(3)))
        left = [path.name for path in (tmp_path / "config").rglob("*") if path.is_file()]
        assert sorted(left) == ["0.json", "1.json", "2.json"]


STEPS = ["write", "fsync", "rename", "unlink"]


@pytest.mark.parametrize("call", STEPS)
def test_death_at_any_single_step_of_a_write_over_several_files_leaves_before_or_after(tmp_path: Path, call: str) -> None:
    # The process dies at the n-th call, for every n there is: each instant between two changes on disk is tried once.
    code = f"""
    import os, pathlib, signal
    count = int(sys.stdin.readline())
    owner = pathlib.Path if {call!r} in ("rename", "unlink") else os
    real = getattr(owner, {call!r})
    def dying(*args, **kwargs):
        global count
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(owner, {call!r}, dying)
    write(Put("llm", "0", llm_document("0", v=2)), Put("llm", "1", llm_document("1", v=2)), Delete("llm", "gone"))
    """
    finished = False
    for step in range(1, 30):
        for number in range(2):
            put_file(tmp_path / f"config/{number}/{number}.json", [llm(f"{number}", v=1)])
        put_file(tmp_path / "config/gone.json", llm("gone", v=1))
        worker = subprocess.run(
            [sys.executable, "-c", OPEN + textwrap.dedent(code), str(tmp_path)],
            input=f"{step}\n", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert worker.returncode in (0, -signal.SIGKILL), worker.stderr
        found = {name: json.loads(one.document)["v"] for (_, name), one in open_files(tmp_path).load().components.items()}
        assert found in ({"0": 1, "1": 1, "gone": 1}, {"0": 2, "1": 2})
        if worker.returncode == 0:
            finished = True
            break
    assert finished


def test_threads_that_read_and_write_while_others_die_never_wait_for_each_other_forever(tmp_path: Path) -> None:
    store = open_files(tmp_path)
    write(store, Put("llm", "x", llm_document("x", v=-1)))
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            store.load()

    def die() -> None:
        while not done.is_set():
            draft = put_file(tmp_path / "config/llms/.draft", {"renames": [], "deletes": []})
            draft.rename(tmp_path / "config/llms/.aurite-journal-1")
            time.sleep(0.001)

    threads = [threading.Thread(target=work, daemon=True) for work in (read, read, die)]
    for thread in threads:
        thread.start()
    for number in range(60):
        write(store, Put("llm", "x", llm_document("x", v=number)))
    done.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert document(store, "x") == llm_document("x", v=59)


def test_a_journal_that_came_with_foreign_files_moves_and_deletes_nothing(tmp_path: Path) -> None:
    victim = put_file(tmp_path / "precious.json", "{}")
    put_file(tmp_path / ".aurite-new-x", "evil")
    status = victim.stat()
    for plan in (
        {"renames": [[f"{tmp_path}/.aurite-new-x", str(victim)]], "deletes": []},
        {"renames": [], "deletes": [[str(victim), [status.st_ino, status.st_mtime_ns]]]},
        {"renames": [[f"{tmp_path}/config/a.json", f"{tmp_path}/config/b.json"]], "deletes": []},
        {"renames": [[f"{tmp_path}/config/.aurite-new-x", f"{tmp_path}/config/../precious.json"]], "deletes": []},
        ["nonsense"],
    ):
        put_file(tmp_path / "config/.aurite-journal-1", plan)
        with pytest.raises(StorageError, match="is not a journal"):
            open_files(tmp_path).load()
    assert victim.read_text() == "{}"
