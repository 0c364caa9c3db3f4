"""The Dockerfile and what it copies fit together; without an engine, so nothing is built."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from aurite.cli.container import DEFAULT
from aurite.cli.service_user import SERVICE_USER
from aurite.variables import VARIABLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Each instruction with what it says, its lines joined."""
    lines = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")).replace("\\\n", " ").splitlines()
    parts = (line.strip().partition(" ") for line in lines if line.strip())
    return [(word, " ".join(rest.split())) for word, _, rest in parts]


def said(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def copied() -> list[str]:
    """What comes from this repository."""
    return [source for rest in said("COPY") if "--from=" not in rest for source in rest.split()[:-1] if not source.startswith("--")]


def goes_to_the_builder(path: str) -> bool:
    """Whether ``.dockerignore`` lets a path through: the last line that fits it, or a folder above it, decides."""
    goes = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").rstrip("/")
            if any(fits(path_or_above, pattern) for path_or_above in [path, *map(str, Path(path).parents)]):
                goes = line.startswith("!")
    return goes


def fits(path: str, pattern: str) -> bool:
    return fnmatch(path, pattern) or (pattern.startswith("**/") and fnmatch(path.rpartition("/")[2], pattern[3:]))


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).parent / "hadolint"
    ended = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_both_stages_have_the_same_pinned_small_base() -> None:
    bases = {rest.split()[0] for rest in said("FROM")}
    assert len(said("FROM")) == 2
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases.pop())


def test_all_that_is_copied_is_there_and_goes_to_the_builder() -> None:
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert goes_to_the_builder(source.rstrip("/")), source


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = ["pyproject.toml", "requirements.lock", project["project"]["readme"], *project["project"]["license-files"]]
    needed += project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for path in needed:
        assert any(path == source or path.startswith(source) for source in copied()), path


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "src/.env",
        ".git/config",
        "data/aurite.db",
        ".aurite_db/aurite.db",
        "src/aurite/__pycache__/app.pyc",
        "tests/conftest.py",
    ],
)
def test_secrets_databases_and_what_is_not_needed_stay_here(path: str) -> None:
    assert not goes_to_the_builder(path)


def test_dependencies_are_installed_by_their_hashes() -> None:
    assert any("--require-hashes --requirement requirements.lock" in rest for rest in said("RUN"))
    others = [rest for rest in said("RUN") if "pip install" in rest and "--require-hashes" not in rest]
    assert all("--no-deps" in rest for rest in others)


def test_no_secret_is_in_the_image() -> None:
    for rest in said("ENV") + said("ARG"):
        assert not re.search(r"KEY|PASSWORD|SECRET|TOKEN", rest)


def test_it_starts_the_entry_point_that_gives_up_root_for_the_user_that_it_makes() -> None:
    assert said("USER") == ["0"]
    assert json.loads(said("ENTRYPOINT")[0]) == ["/opt/aurite/bin/python", "-P", "-m", "aurite.cli.container"]
    assert tuple(json.loads(said("CMD")[0])) == DEFAULT
    user = str(SERVICE_USER)
    assert any(f"useradd --uid {user} --gid {user}" in rest for rest in said("RUN"))
    wrapper = (ROOT / "docker" / "aurite").read_text(encoding="utf-8")
    assert f"--reuid={user} --regid={user} --clear-groups" in wrapper


def test_its_own_aurite_comes_before_that_of_the_environment() -> None:
    environment = dict(part.split("=", 1) for rest in said("ENV") for part in rest.split())
    assert environment["PATH"].split(":") == ["/opt/aurite/docker", "/opt/aurite/bin", "$PATH"]
    assert (ROOT / "docker" / "aurite").stat().st_mode & 0o111


def test_the_health_check_is_a_program_of_the_image() -> None:
    (check,) = said("HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2])[1] == "/opt/aurite/docker/healthcheck.py"
    assert (ROOT / "docker" / "healthcheck.py").is_file()
    start = re.search(r"--start-period=(\d+)s", check)
    assert start
    assert int(start[1]) > int(next(variable.default or "" for variable in VARIABLES if variable.name == "AURITE_WAIT_FOR_DB"))


def names_of(text: str) -> Iterator[str]:
    yield from re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)


def test_the_example_of_a_dot_env_names_real_variables_and_no_secret() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = list(names_of(text))
    assert {"API_KEY", "AURITE_DB_PASSWORD"} <= set(names)
    assert set(names) - {variable.name for variable in VARIABLES} == {"OPENAI_API_KEY"}
    assert re.findall(r"^[A-Z_]+=.+", text, re.MULTILINE) == []
