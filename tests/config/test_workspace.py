"""A folder's project, workspace and sources are found, and what is wrong in an .aurite is told with its line."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aurite.config.workspace import Context, add_project, discover, read_anchor
from aurite.errors import InvalidDocumentError


def anchor(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".aurite").write_text(text)
    return folder / ".aurite"


def make_project(folder: Path, configs: str = '["config"]') -> Path:
    (folder / "config").mkdir(parents=True, exist_ok=True)
    anchor(folder, f'[aurite]\ntype = "project"\ninclude_configs = {configs}\n')
    return folder


def make_workspace(folder: Path, *projects: str) -> Path:
    (folder / "shared").mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'"{name}"' for name in projects)
    anchor(folder, f'[aurite]\ntype = "workspace"\ninclude_configs = ["shared"]\nprojects = [{listed}]\n')
    return folder


def folders(context: Context) -> list[tuple[str, Path]]:
    return [(source.level, source.folder) for source in context.sources]


def test_a_project_is_found_from_any_folder_below_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    below = project / "a" / "b"
    below.mkdir(parents=True)
    context = discover(below, home=None)
    assert context.project is not None
    assert (context.project.folder, context.workspace, context.problems) == (project, None, ())
    (source,) = context.sources
    assert (source.config_folders, source.project_name, source.workspace_name) == ((project / "config",), "p", None)


def test_sources_come_as_project_workspace_other_projects_user(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", "zeta", "mine", "alpha")
    for name in ("zeta", "mine", "alpha"):
        make_project(workspace / name)
    home = make_project(tmp_path / "home")
    context = discover(workspace / "mine", home=home)
    assert folders(context) == [
        ("project", workspace / "mine"),
        ("workspace", workspace),
        ("project", workspace / "zeta"),
        ("project", workspace / "alpha"),
        ("user", home),
    ]
    assert [(source.project_name, source.workspace_name) for source in context.sources] == [
        ("mine", "w"),
        (None, "w"),
        ("zeta", "w"),
        ("alpha", "w"),
        (None, None),
    ]
    assert context.problems == ()


def test_inside_a_workspace_but_in_no_project_the_workspace_comes_first(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", "b", "a")
    make_project(workspace / "b")
    make_project(workspace / "a")
    context = discover(workspace, home=None)
    assert context.project is None
    assert folders(context) == [("workspace", workspace), ("project", workspace / "b"), ("project", workspace / "a")]


def test_without_any_anchor_there_are_no_sources(tmp_path: Path) -> None:
    assert discover(tmp_path, home=tmp_path / "home") == Context()


def test_a_folder_as_user_level_is_read_itself(tmp_path: Path) -> None:
    (tmp_path / "home" / ".aurite").mkdir(parents=True)
    context = discover(tmp_path, home=tmp_path / "home")
    assert [(s.level, s.folder, s.config_folders) for s in context.sources] == [
        ("user", tmp_path / "home" / ".aurite", (tmp_path / "home" / ".aurite",))
    ]


def test_a_project_in_the_home_folder_is_one_source(tmp_path: Path) -> None:
    home = make_project(tmp_path / "home")
    assert folders(discover(home, home=home)) == [("project", home)]


def test_a_workspace_that_lists_the_current_project_under_another_spelling_has_it_once(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", "./p/../p")
    make_project(workspace / "p")
    assert folders(discover(workspace / "p", home=None)) == [("project", workspace / "p"), ("workspace", workspace)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[aurite]\ntype = "project\n', ":2: is not TOML"),
        ("", ":1: needs a table [aurite]"),
        ("aurite = 1", ":1: needs a table [aurite]"),
        ('\n[aurite]\ntype = "projekt"\n', ":3: says the type 'projekt'"),
        ("\n[aurite]\n", ":2: does not say its type"),
        ('[aurite]\ntype = "project"\ninclude_configs = "config"\n', ":3: include_configs must be a list of folders"),
        ('[aurite]\ntype = "project"\ninclude_configs = [1]\n', ":3: include_configs must be a list of folders; 1 is none"),
        (
            '[aurite]\ntype = "project"\ninclude_configs = [\n "here",\n "gone",\n]\n',
            ":5: the folder 'gone' of include_configs does not",
        ),
        ('[aurite]\ntype = "project"\ninclude_configs = [".aurite"]\n', ":3: the folder '.aurite' of include_configs is no folder"),
        ('[aurite]\ntype = "workspace"\nprojects = ["gone"]\n', ":3: the folder 'gone' of projects does not exist"),
        ('[aurite]\ntype = "workspace"\nprojects = ["here"]\n', ":3: the project "),
        ('[aurite]\ntype = "project"\nname = "é"\n', ":3: is not TOML"),
    ],
)
def test_what_is_wrong_in_an_anchor_is_a_problem_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "here").mkdir()
    path = tmp_path / ".aurite"
    path.write_bytes(text.encode("latin-1"))
    context = discover(tmp_path, home=None)
    assert len(context.problems) == 1
    assert str(context.problems[0]).startswith(f"{path}{problem}")
    assert len(context.sources) == 1


def test_a_broken_anchor_hides_no_other_source(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", "good", "bad")
    make_project(workspace / "good")
    anchor(workspace / "bad", "[aurite")
    context = discover(workspace / "bad", home=None)
    assert folders(context) == [("project", workspace / "bad"), ("workspace", workspace), ("project", workspace / "good")]
    assert [problem.where for problem in context.problems] == [f"{workspace}/bad/.aurite:1"]


def test_an_anchor_with_byte_order_mark_and_crlf_is_read(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    path = tmp_path / ".aurite"
    path.write_bytes(b'\xef\xbb\xbf[aurite]\r\ntype = "project"\r\ninclude_configs = ["config"]\r\n')
    read = read_anchor(path)
    assert (read.config_folders, read.problems) == ((tmp_path / "config",), ())


def test_adding_a_project_keeps_comments_mode_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / ".aurite"
    path.write_bytes(b'# ours\r\n[aurite]\r\ntype = "workspace" # yes\r\nprojects = [ # all\r\n  "a", # first\r\n]\r\n')
    path.chmod(0o640)
    add_project(path, "b")
    add_project(path, "b")
    written = path.read_bytes()
    for kept in (b"# ours\r\n", b'type = "workspace" # yes\r\n', b"# all", b'"a", # first'):
        assert kept in written
    assert read_anchor(path).project_folders == (tmp_path / "a", tmp_path / "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir()] == [".aurite"]


def test_adding_a_project_to_something_else_is_refused(tmp_path: Path) -> None:
    path = anchor(tmp_path, '[aurite]\ntype = "project"\n')
    with pytest.raises(InvalidDocumentError, match="workspace"):
        add_project(path, "b")
    path.write_text("[aurite")
    with pytest.raises(InvalidDocumentError, match="not TOML"):
        add_project(path, "b")
    assert path.read_text() == "[aurite"


def test_eight_processes_that_add_a_project_each_leave_all_of_them_named(tmp_path: Path) -> None:
    path = anchor(tmp_path, '[aurite]\ntype = "workspace"\nprojects = []\n')
    program = (
        "import sys, pathlib; from aurite.config.workspace import add_project as add; add(pathlib.Path(sys.argv[1]), sys.argv[2])"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, str(path), f"p{number}"]) for number in range(8)]
    assert [process.wait(60) for process in started] == [0] * 8
    assert {folder.name for folder in read_anchor(path).project_folders} == {f"p{number}" for number in range(8)}
