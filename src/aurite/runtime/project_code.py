"""Python classes that a project's components name, loaded from inside that project and from nowhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from traceback import extract_tb
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from aurite.errors import AuriteError, InvalidComponentError, RunError
from aurite.runtime.custom import BaseCustomWorkflow
from aurite.runtime.secrets import scrub, secret_values

if TYPE_CHECKING:
    from aurite.model.kinds import custom_workflow as custom_kind
    from aurite.settings import Settings

_Stamp = tuple[int, int]
"""Time of the last change in nanoseconds, and size: a file with another one is loaded anew."""

_loaded: dict[Path, tuple[_Stamp, ModuleType]] = {}
_loading = RLock()


class TheirCode:
    """A block that runs code of a project: whatever it raises becomes an error that names the workflow, and the line in its file.

    Errors of Aurite pass as they are, and so does cancellation.
    """

    def __init__(self, name: str, doing: str, environment: Mapping[str, str], kind: type[AuriteError] = RunError) -> None:
        self._what = f"custom workflow {name!r} {doing}"
        self._environment = environment
        self._kind = kind

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, AuriteError) or not isinstance(error, (Exception, SystemExit)):
            return
        frames = extract_tb(trace)
        place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        if isinstance(error, SyntaxError) and error.filename:
            place = f" ({error.filename}, line {error.lineno})"
        said = scrub(" ".join(str(error).split()), secret_values(self._environment)).rstrip(".")
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise self._kind(f"{self._what}: {text}{place}", next_step="Correct the class.") from error


def load_class(model: custom_kind.Model, folder: Path, settings: Settings) -> type[BaseCustomWorkflow]:
    """The class of a custom workflow. Its module is run when it is first needed, and again after its file changed.

    Args:
        model: the component.
        folder: the project that the component belongs to; the module must lie inside it, links resolved.
        settings: whose secrets must not appear in an error.

    Raises:
        InvalidComponentError: the module is not there, lies elsewhere, fails, or has no such class.
    """
    path = module_file(model, _project(model, folder, settings))
    with _loading, TheirCode(model.name, "cannot be loaded", settings.environment, InvalidComponentError):
        module = _module(path, folder.resolve())
        found: Any = getattr(module, model.class_name, None)
    if found is None:
        raise InvalidComponentError(
            f"custom workflow {model.name!r} names the class {model.class_name!r}, which {path} does not have",
            next_step="Correct class_name.",
        )
    if not isinstance(found, type) or not issubclass(found, BaseCustomWorkflow):
        raise InvalidComponentError(
            f"custom workflow {model.name!r}: {model.class_name} in {path} is not derived from BaseCustomWorkflow",
            next_step="Write: from aurite import BaseCustomWorkflow",
        )
    return found


def _project(model: custom_kind.Model, folder: Path, settings: Settings) -> Path:
    """The folder itself, once it is one: where a component says that it comes from is data that anybody may have written."""
    if (folder / ".aurite").is_file() or folder.resolve() == settings.root.resolve():
        return folder
    raise InvalidComponentError(
        f"custom workflow {model.name!r} comes from {folder}, which is no project: it has no .aurite",
        next_step="Put the component into a project again.",
    )


def module_file(model: custom_kind.Model, folder: Path) -> Path:
    """The file of a custom workflow's module.

    Raises:
        InvalidComponentError: it is not there, or not inside the project.
    """
    root = folder.resolve()
    path = next((path for path in _candidates(model.module_path, root) if path.is_file()), None)
    if path is None:
        raise InvalidComponentError(
            f"custom workflow {model.name!r} names the module {model.module_path!r}, and there is no such file in {root}",
            next_step="Correct module_path, which starts at the folder of the .aurite that owns the component.",
        )
    if not path.resolve().is_relative_to(root):
        raise InvalidComponentError(
            f"custom workflow {model.name!r} names the module {model.module_path!r}, which lies outside of its project {root}",
            next_step="Move the file into the project.",
        )
    return path.resolve()


def _candidates(module_path: str, root: Path) -> tuple[Path, ...]:
    if module_path.endswith(".py") or "/" in module_path:
        path = root / module_path
        return (path, path.with_name(f"{path.name}.py"))
    path = root.joinpath(*module_path.split("."))
    return (path.with_name(f"{path.name}.py"), path / "__init__.py")


def _module(path: Path, root: Path) -> ModuleType:
    status = path.stat()
    stamp = (status.st_mtime_ns, status.st_size)
    known = _loaded.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    # A name of its own: two projects may have equal files, and neither may stand in for a library.
    name = f"aurite_project_{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    if str(root) not in sys.path:
        sys.path.append(str(root))  # last: its files can be imported from each other, and hide no library
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    _loaded[path] = (stamp, module)
    return module
