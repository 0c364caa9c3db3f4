"""The rooms of Aurite look one way, and what belongs in one place stays there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "aurite"
FOUNDATION = {"errors", "model"}
SETTINGS = {"settings", "variables", "dotenv"}
STORES = {"app", "stores", "storage"}
"""The rooms that may name a concrete store."""
PORTS = (
    "storage.ports",
    "storage.changes",
    "storage.sources",
    "storage.file_errors",
    "storage.moving",
    "storage.tables",
    "storage.copytext",
    "storage.backup.file",
    "storage.backup.manifest",
    "storage.files.project_folder",
    "storage.files.config_files",
    "storage.whole_file",
)
"""What a store is to all other rooms: its contract, what changes come to, where files lie, and how their errors are told; and what
is made out of stores: a backup, a folder of components, a file of sessions."""

MAY_LOOK_INTO = {
    "errors": set(),
    "variables": set(),
    "dotenv": {"errors"},
    "settings": {"errors", "variables", "dotenv"},
    "model": {"errors"},
    "storage": FOUNDATION | SETTINGS,
    "testing": FOUNDATION | {"storage"},
    "config": FOUNDATION | SETTINGS | {"storage"},
    "transfer": FOUNDATION | SETTINGS | {"storage"},
    "runtime": FOUNDATION | SETTINGS | {"storage", "config", "transfer"},
    "stores": FOUNDATION | SETTINGS | {"storage"},
    "app": FOUNDATION | SETTINGS | {"storage", "config", "transfer", "runtime", "stores"},
    "cli": FOUNDATION | SETTINGS | {"storage", "config", "transfer", "runtime", "stores", "app", "serving"},
    "api": FOUNDATION | SETTINGS | {"storage", "config", "transfer", "runtime", "stores", "app"},
    "serving": FOUNDATION | SETTINGS | {"api"},
    "__init__": FOUNDATION | SETTINGS | {"config", "runtime", "app"},
    "__main__": {"cli"},
}

READS_THE_ENVIRONMENT = {"settings.py"}
CATCHES_EVERYTHING = {"cli/errors.py", "api/errors.py"}
BROAD = {"Exception", "BaseException"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def wrongs(where: str, code: str) -> Iterator[str]:
    """What in a module breaks the rules; ``where`` is its path below ``src/aurite``."""
    tree = ast.parse(code)
    room = where.partition("/")[0].removesuffix(".py")
    if len(code.splitlines()) > 400 and room != "testing":  # a contract is one long list of tests
        yield f"{where} has more than 400 lines"
    for node in ast.walk(tree):
        line = f"{where}:{getattr(node, 'lineno', 0)}"
        for module in imported(node):
            yield from (f"{line} {wrong}" for wrong in wrong_import(room, module))
        if where not in READS_THE_ENVIRONMENT and reads_the_environment(node):
            yield f"{line} reads the environment; only settings.py may"
        if where not in CATCHES_EVERYTHING and swallows_everything(node):
            yield f"{line} catches every error and does not raise it again"


def imported(node: ast.AST) -> list[str]:
    """The dotted names below ``aurite`` that a statement imports, each ``from`` name included: it may be a module."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    else:
        return []
    return [name.removeprefix("aurite.") for name in names if name.startswith(("aurite.", "."))]


def wrong_import(room: str, module: str) -> Iterator[str]:
    if module.startswith("."):
        yield "imports relative to itself; say aurite."
        return
    other = module.partition(".")[0]
    if other != room and other not in MAY_LOOK_INTO[room]:
        yield f"looks into {other}"
    if other == "storage" and room not in STORES and not module.startswith(PORTS):
        yield f"names a concrete store: {module}"


def reads_the_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in ENVIRONMENT
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in ENVIRONMENT for alias in node.names)
    return isinstance(node, ast.keyword) and node.arg in ("envvar", "auto_envvar_prefix")  # click reads it by itself


def swallows_everything(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        broad = node.type is None or any(isinstance(part, ast.Name) and part.id in BROAD for part in ast.walk(node.type))
        last = node.body[-1]
        return broad and not (isinstance(last, ast.Raise) and last.exc is None)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name == "suppress" and any(isinstance(argument, ast.Name) and argument.id in BROAD for argument in node.args)
    return False


def test_every_module_keeps_to_its_room() -> None:
    found = [
        wrong
        for path in sorted(SOURCE.rglob("*.py"))
        for wrong in wrongs(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("storage/files/store.py", "from aurite.config import manager"),
        ("model/records.py", "import aurite.settings"),
        ("model/kinds/agent.py", "def f():\n    from aurite.storage.ports import ComponentStore"),
        ("config/manager.py", "from aurite.storage.sqlite.database import SqliteDatabase"),
        ("config/manager.py", "from aurite.storage.sqlite import database as sqlite"),
        ("cli/main.py", "from aurite.storage.files import store as files"),
        ("transfer/export.py", "from aurite.runtime.runner import Runner"),
        ("runtime/runner.py", "from aurite.app import Aurite"),
        ("cli/main.py", "from aurite.api import errors"),
        ("api/errors.py", "import aurite.cli.errors"),
        ("testing/components.py", "from aurite.config.manager import ConfigManager"),
        ("runtime/llm.py", "from . import mcp"),
        ("runtime/llm.py", "import os\nkey = os.environ['KEY']"),
        ("runtime/llm.py", "from os import getenv"),
        ("cli/main.py", "@click.option('--port', envvar='PORT')\ndef f(): ..."),
        ("runtime/llm.py", "try:\n    f()\nexcept Exception as error:\n    raise ValueError from error"),
        ("runtime/llm.py", "try:\n    f()\nexcept (ValueError, Exception):\n    pass"),
        ("runtime/llm.py", "try:\n    f()\nexcept:\n    g()"),
        ("cli/commands/run.py", "try:\n    f()\nexcept BaseException:\n    g()"),
        ("runtime/llm.py", "with contextlib.suppress(Exception):\n    f()"),
        ("runtime/llm.py", "x = 1\n" * 401),
    ],
)
def test_a_broken_rule_is_noticed(where: str, code: str) -> None:
    assert list(wrongs(where, code))


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("app.py", "from aurite.storage.sqlite.database import SqliteDatabase"),
        ("config/manager.py", "from aurite.storage.ports import ComponentStore"),
        ("config/manager.py", "from aurite.config.workspace import discover"),
        ("settings.py", "import os\nos.environ.get('KEY')"),
        ("cli/errors.py", "try:\n    f()\nexcept Exception:\n    g()"),
        ("storage/sqlite/database.py", "try:\n    f()\nexcept BaseException:\n    rollback()\n    raise"),
        ("storage/sqlite/database.py", "with contextlib.suppress(OSError):\n    f()"),
    ],
)
def test_what_is_allowed_passes(where: str, code: str) -> None:
    assert not list(wrongs(where, code))
