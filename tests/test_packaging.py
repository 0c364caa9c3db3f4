"""What people install: the lock files, the wheel, and the demo's commands from a fresh environment."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(name: str) -> dict[str, str]:
    """Version by package of a lock file."""
    requirements = re.findall(r"^([\w.-]+)==([^\s;]+)", (REPOSITORY / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in requirements}


def wanted(group: str) -> Iterator[Requirement]:
    """What ``pyproject.toml`` asks for, with what it asks of its extras left to the lock file."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    yield from map(Requirement, project["project"]["dependencies"])
    if group == "dev":
        yield from map(Requirement, project["dependency-groups"]["dev"])


@pytest.mark.parametrize(("lock", "group"), [("requirements.lock", "runtime"), ("requirements-dev.lock", "dev")])
def test_the_lock_file_has_a_fitting_version_of_all_that_the_project_asks_for(lock: str, group: str) -> None:
    versions = locked(lock)
    for requirement in wanted(group):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is missing from {lock}; run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is {version} in {lock}; run `make lock`"


def test_the_project_asks_for_exactly_the_packages_that_its_code_imports() -> None:
    packages = packages_distributions()
    imported = {
        canonicalize_name(packages[name][0])
        for path in (REPOSITORY / "src" / "aurite").rglob("*.py")
        if path.parts[-2] != "testing"  # whoever uses it brings pytest and hypothesis along
        for name in imported_from_elsewhere(path)
    }
    assert imported == {canonicalize_name(requirement.name) for requirement in wanted("runtime")}


def imported_from_elsewhere(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names = {module.partition(".")[0] for module in modules}
        yield from names - sys.stdlib_module_names - {"aurite"}


def test_tests_run_with_the_versions_that_users_install() -> None:
    runtime = locked("requirements.lock").items()
    assert runtime
    assert runtime <= locked("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_holds_hashes_and_neither_places_nor_options(lock: str) -> None:
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    assert "://" not in text
    assert not re.search(r"(^|[\s=])(/|~/|\.\./)\w", text), "a path of the machine that made it"
    assert not [line for line in lines if line.startswith("-")], "an option such as --index-url"
    for requirement in re.split(r"\n(?=\S)", "\n".join(lines)):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), f"{requirement} has no hash"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``pip install .`` makes of this tree."""
    from tests.conftest import MACHINE

    folder = tmp_path_factory.mktemp("wheel")
    pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY), environment=MACHINE)
    return next(folder.glob("aurite-*.whl"))


def pip(python: Path, *arguments: str, environment: Mapping[str, str]) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments]
    run = subprocess.run(command, env=without_ours(environment), capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which nothing of this tree or of its virtual environment is found."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
    return {name: value for name, value in environment.items() if name not in hidden}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_carries_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    package = REPOSITORY / "src" / "aurite"
    files = {
        f"aurite/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        entry_points = archive.read(next(name for name in names if name.endswith("/entry_points.txt"))).decode()

    assert {name for name in names if ".dist-info/" not in name} == files
    assert "aurite/py.typed" in files
    assert any(name.startswith("aurite/templates/project/") for name in files)
    assert any(name.startswith("aurite/storage/migrations/") and name.endswith(".sql") for name in files)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "Requires-Python: >=3.11" in metadata
    assert "aurite = aurite.cli.main:main" in entry_points


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_works_from_a_fresh_environment_with_the_wheel_alone(
    wheel: Path, tmp_path: Path, machine_environment: Mapping[str, str]
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=300)
    python = environment / "bin" / "python"
    lock = str(REPOSITORY / "requirements.lock")
    pip(python, "install", "--require-hashes", "-r", lock, environment=machine_environment)
    pip(python, "install", "--no-deps", str(wheel), environment=machine_environment)
    pip(python, "check", environment=machine_environment)

    home = tmp_path / "home"
    home.mkdir()
    demo = subprocess.run(
        ["sh", str(REPOSITORY / "scripts" / "demo.sh"), str(tmp_path / "demo")],
        env={"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(home)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    output = demo.stdout + demo.stderr
    assert demo.returncode == 0, output
    assert "London" in demo.stdout.split("$ aurite sessions show london", 1)[1], output
    assert "Traceback" not in output
    assert (tmp_path / "demo" / "demo_project" / ".aurite_db" / "aurite.db").is_file()
