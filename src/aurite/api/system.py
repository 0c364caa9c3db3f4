"""``/system``: the installation, its environment and its state; and ``/metrics``."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution, distributions
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from aurite.api import machine
from aurite.api.gauges import gauges
from aurite.api.json import ExactRoute, Json
from aurite.api.metrics import CONTENT_TYPE
from aurite.api.refusals import refusals
from aurite.api.service import Served
from aurite.api.system_models import (
    ActiveProcess,
    DependencyHealth,
    DependencyInfo,
    EnvironmentUpdate,
    EnvironmentUpdated,
    EnvironmentVariable,
    FrameworkVersion,
    HealthCheckResult,
    SystemCapabilities,
    SystemInfo,
    SystemMetrics,
)
from aurite.errors import AuriteError
from aurite.runtime.providers import PROVIDERS
from aurite.runtime.secrets import scrub, secret_values
from aurite.settings import MASK, Environment
from aurite.variables import VARIABLES

router = APIRouter(tags=["System"], route_class=ExactRoute)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_SENSITIVE = re.compile(r"key|token|secret|passw|credential|auth|cookie|private|url|dsn", re.IGNORECASE)
_CRITICAL = {
    "apsw": "apsw",
    "click": "click",
    "fastapi": "fastapi",
    "jsonschema": "jsonschema",
    "mcp": "mcp",
    "msgspec": "msgspec",
    "psycopg": "psycopg",
    "pydantic": "pydantic",
    "pydantic-ai-slim": "pydantic_ai",
    "pyyaml": "yaml",
    "uvicorn": "uvicorn",
}
"""What the service cannot do without: package and module."""
_EXTRAS = {"anthropic": "anthropic", "google": "google.genai", "groq": "groq", "mistral": "mistralai"}


@router.get("/system/info", response_model=SystemInfo, responses=refusals())
async def info() -> Response:
    """Show platform, Python and machine."""
    return Json(machine.system_info())


@router.get("/system/version", response_model=FrameworkVersion, responses=refusals())
async def version() -> Response:
    """Show the version of Aurite."""
    facts = distribution("aurite").metadata
    return Json(
        {
            "version": facts["Version"],
            "name": "aurite",
            "description": facts["Summary"] or "",
            "authors": facts.get_all("Author", []) or [],
            "license": _first(facts, "License-Expression", "License"),
            "repository": _first(facts, "Home-page"),
            "python_requirement": facts["Requires-Python"] or "",
        }
    )


@router.get("/system/capabilities", response_model=SystemCapabilities, responses=refusals())
async def capabilities() -> Response:
    """Show what this installation can do."""
    return Json(
        {
            "mcp_support": True,
            "api_enabled": True,
            "cli_enabled": True,
            "tui_enabled": False,
            "available_transports": ["stdio", "http_stream", "local"],
            "supported_llm_providers": sorted(PROVIDERS),
            "storage_backends": ["files", "sqlite", "postgresql"],
            "optional_features": {name: _is_there(module) for name, module in _EXTRAS.items()},
        }
    )


@router.get("/system/environment", response_model=list[EnvironmentVariable], responses=refusals())
async def environment(service: Served) -> Response:
    """Show the variables that Aurite and the providers read; keys and passwords are masked."""
    values = service.aurite.settings.environment
    names = {entry.name for entry in service.aurite.settings.entries} | service.assigned
    names |= {name for provider in PROVIDERS.values() for name in provider.key_variables if name in values}
    defaults = {entry.name: entry.value for entry in service.aurite.settings.entries}
    return Json([_variable(name, values.get(name, defaults.get(name))) for name in sorted(names)])


@router.put("/system/environment", response_model=EnvironmentUpdated, responses=refusals())
async def update_environment(body: EnvironmentUpdate, service: Served) -> Response:
    """Set variables for what this process starts from now on, such as MCP servers; neither secrets nor Aurite's own settings."""
    updated, failures = [], []
    values = service.aurite.settings.environment
    for name, value in body.variables.items():
        reason = _unfit(name, value)
        if reason is None and isinstance(values, Environment):
            values.assign(name, value)
            service.assigned.add(name)
            updated.append(name)
        else:
            failures.append(f"{name}: {reason}")
    return Json({"updated": updated, "errors": failures, "status": "partial" if failures else "success"})


@router.get("/system/dependencies", response_model=list[DependencyInfo], responses=refusals())
async def dependencies(service: Served) -> Response:
    """List the installed Python packages."""
    return Json(await service.call(lambda: sorted(_packages(), key=lambda package: str(package["name"]).lower())))


@router.post("/system/dependencies/check", response_model=list[DependencyHealth], responses=refusals())
async def check_dependencies(service: Served) -> Response:
    """Import the packages that the service cannot do without."""
    return Json(await service.call(lambda: [_health(package, module) for package, module in _CRITICAL.items()]))


@router.get("/system/monitoring/metrics", response_model=SystemMetrics, responses=refusals())
async def monitoring(service: Served) -> Response:
    """Show how busy machine and process are."""
    return Json(await service.call(lambda: machine.load(service.aurite.settings.root)))


@router.get("/system/monitoring/active", response_model=list[ActiveProcess], responses=refusals())
async def active(service: Served) -> Response:
    """List the processes of the service, MCP servers included."""
    secrets = secret_values(service.aurite.settings.environment)
    found = await service.call(machine.family)
    return Json([{**process, "cmdline": [scrub(word, secrets) for word in process["cmdline"]]} for process in found])


@router.get("/system/health", response_model=HealthCheckResult, responses=refusals())
async def health(service: Served) -> Response:
    """Look at every part of the service."""
    components: dict[str, dict[str, Any]] = {
        "api": {"status": "healthy", "uptime_seconds": round(time.time() - service.started_at)}
    }
    issues: list[str] = []
    try:
        found = await service.health()
        problems = await service.call(lambda: [str(problem) for problem in service.config.problems()])
    except AuriteError as error:
        components["store"] = {"status": "unhealthy", "code": error.code}
        issues.append(str(error))
    else:
        components["store"] = {"status": "healthy", "version": found.store_version}
        components["configuration"] = {
            "status": "degraded" if problems else "healthy",
            "version": found.loaded_version,
            "version_lag": found.lag,
        }
        issues += problems
    servers = service.tools.servers
    ended = sorted(name for name, registered in servers.items() if not registered.connection.alive)
    components["mcp_host"] = {"status": "degraded" if ended else "healthy", "servers": len(servers)}
    issues += [f"the MCP server {name!r} has ended" for name in ended]
    statuses = {part["status"] for part in components.values()}
    status = next(status for status in ("unhealthy", "degraded", "healthy") if status in statuses)
    return Json({"status": status, "timestamp": datetime.now(UTC).isoformat(), "components": components, "issues": issues})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **refusals()})
async def metrics(service: Served) -> Response:
    """Tell counters and gauges of this process as Prometheus reads them."""
    text = "\n".join(service.metrics.lines(await gauges(service))) + "\n"
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


def _variable(name: str, value: str | None) -> dict[str, Any]:
    is_sensitive = _is_sensitive(name)
    return {"name": name, "value": MASK if is_sensitive and value is not None else value, "is_sensitive": is_sensitive}


def _is_sensitive(name: str) -> bool:
    known = next((variable for variable in VARIABLES if variable.name == name), None)
    return known.secret if known is not None else _SENSITIVE.search(name) is not None


def _unfit(name: str, value: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "not a name of a variable"
    if any(variable.name == name for variable in VARIABLES):
        return "a setting of Aurite, which is read at the start"
    if _is_sensitive(name):
        return "sensitive, so it cannot be set over HTTP"
    if "\0" in value or any(0xD800 <= ord(character) < 0xE000 for character in value):
        return "the value holds a character that a variable cannot hold"
    return None


def _packages() -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for package in distributions():
        name = package.metadata["Name"]
        if name and name not in seen:
            seen.add(name)
            yield {
                "name": name,
                "version": package.version,
                "location": _location(package),
                "summary": _first(package.metadata, "Summary") or None,
            }


def _first(facts: PackageMetadata, *fields: str) -> str:
    """The first of the fields that a package has; empty where it has none."""
    return next((str(facts[field]) for field in fields if field in facts), "")


def _location(package: Distribution) -> str:
    return str(package.locate_file(""))


def _health(package: str, module: str) -> dict[str, Any]:
    try:
        installed: str | None = distribution(package).version
    except PackageNotFoundError:
        installed = None
    try:
        importlib.import_module(module)
        error = None
    except ImportError as failure:
        error = type(failure).__name__
    return {
        "name": package,
        "installed": installed is not None,
        "version": installed,
        "importable": error is None,
        "error": error,
    }


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
