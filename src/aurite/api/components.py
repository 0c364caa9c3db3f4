"""``/config/components``: components, their revisions and their past."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header
from starlette.responses import Response

from aurite.api.json import ExactRoute, Json, JsonText, list_of
from aurite.api.models import (
    ChangedMeanwhile,
    ComponentCreate,
    ComponentCreated,
    ComponentFindings,
    ComponentUpdate,
    Document,
    Done,
    RevisionList,
    Rollback,
)
from aurite.api.names import ComponentType, Name
from aurite.api.refusals import refusals
from aurite.api.service import Served, Service
from aurite.errors import InvalidComponentError, InvalidValueError, RevisionConflictError
from aurite.model.jsontext import decode
from aurite.model.kinds import KINDS, kind_of
from aurite.model.records import Component, ComponentRevision

router = APIRouter(prefix="/config", tags=["Configuration Manager"], route_class=ExactRoute)

T = TypeVar("T")

_CONFLICT: dict[int | str, dict[str, Any]] = {412: {"model": ChangedMeanwhile, "description": "The component changed meanwhile"}}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHERE = ("project", "workspace", "file_path")
"""Fields of a document that say where it is to be written; they are no part of it."""

IfMatch = Annotated[str | None, Header(max_length=1024, description="The ETag that the caller has seen; `*` for any.")]


@router.get("/components", response_model=list[str], responses=refusals())
async def list_types() -> Response:
    """List the types of components."""
    return Json(list(KINDS))


@router.get("/components/{component_type}", response_model=list[Document], responses=refusals())
async def list_components(component_type: ComponentType, service: Served) -> Response:
    """List the components of a type, which may be written in the plural, by name."""
    found = await service.call(lambda: service.config.components(kind_of(component_type).type))
    return list_of(component.document for component in found)


@router.post("/components/{component_type}", response_model=ComponentCreated, responses=refusals(409))
async def create(component_type: ComponentType, body: ComponentCreate, service: Served) -> Response:
    """Create a component."""

    def work() -> Component:
        kind = kind_of(component_type)
        document, file = _placed(service, kind.plural, body.config)
        written = document.get("name", body.name)
        if written != body.name:
            raise InvalidComponentError(f"name: says {written!r} in the document and {body.name!r} beside it")
        return service.config.create_component(kind.type, _named(document, kind.type, body.name), file_path=file)

    component = await service.call(work)
    message = f"Component '{component.name}' created successfully."
    return Json({"message": message, "component": component.config()}, headers=_etag(component))


@router.get("/components/{component_type}/{component_id:name}", response_model=Document, responses=refusals(404))
async def show(component_type: ComponentType, component_id: Name, service: Served) -> Response:
    """Show a component's document; its revision is the ETag."""
    component = await service.call(lambda: service.config.require_component(component_type, component_id))
    return JsonText(component.document.encode(), headers=_etag(component))


@router.put("/components/{component_type}/{component_id:name}", response_model=Done, responses={**refusals(404), **_CONFLICT})
async def update(
    component_type: ComponentType, component_id: Name, body: ComponentUpdate, service: Served, if_match: IfMatch = None
) -> Response:
    """Replace a component's document."""

    def work() -> Component:
        kind = kind_of(component_type)
        document = {field: value for field, value in body.config.items() if field not in _WHERE}
        named = _named(document, kind.type, component_id)
        return _written(
            service,
            (kind.type, component_id),
            if_match,
            lambda expected: service.config.update_component(kind.type, component_id, named, expected_revision=expected),
        )

    component = await service.call(work)
    return Json({"message": f"Component '{component_id}' updated successfully."}, headers=_etag(component))


@router.delete("/components/{component_type}/{component_id:name}", response_model=Done, responses={**refusals(404), **_CONFLICT})
async def delete(component_type: ComponentType, component_id: Name, service: Served, if_match: IfMatch = None) -> Response:
    """Delete a component."""

    def work() -> None:
        kind = kind_of(component_type)
        _written(
            service,
            (kind.type, component_id),
            if_match,
            lambda expected: service.config.delete_config(kind.type, component_id, expected_revision=expected),
        )

    await service.call(work)
    return Json({"message": f"Component '{component_id}' deleted successfully."})


@router.post("/components/{component_type}/{component_id:name}/validate", response_model=ComponentFindings, responses=refusals(404))
async def validate(component_type: ComponentType, component_id: Name, service: Served) -> Response:
    """Say what is wrong with a component; 422 where it cannot be used."""
    kind = kind_of(component_type)
    findings = await service.call(lambda: service.config.validate_component(kind.type, component_id))
    if findings.errors:
        raise InvalidComponentError(f"{kind.label} {component_id!r} is not valid", reasons=findings.errors)
    body = {"status": "valid", "valid": True, "component_type": kind.type, "component_id": component_id}
    return Json({**body, "errors": [], "warnings": list(findings.warnings)})


@router.get("/components/{component_type}/{component_id:name}/history", response_model=RevisionList, responses=refusals(404, 409))
async def revisions(component_type: ComponentType, component_id: Name, service: Served) -> Response:
    """Show every value that a component had, newest first; 409 where components are kept in files."""
    found = await service.call(lambda: service.config.history.revisions(component_type, component_id))
    return Json({"revisions": [_entry(revision) for revision in found]})


@router.post(
    "/components/{component_type}/{component_id:name}/rollback",
    response_model=Document,
    responses={**refusals(404, 409), **_CONFLICT},
)
async def roll_back(
    component_type: ComponentType, component_id: Name, body: Rollback, service: Served, if_match: IfMatch = None
) -> Response:
    """Give a component the value of an earlier revision again, as a new revision."""

    def work() -> Component:
        return _written(
            service,
            (kind_of(component_type).type, component_id),
            if_match,
            lambda expected: service.config.history.roll_back(
                component_type, component_id, body.revision, expected_revision=expected
            ),
        )

    component = await service.call(work)
    return JsonText(component.document.encode(), headers=_etag(component))


@router.post("/validate", response_model=list[Document], responses=refusals())
async def validate_all(service: Served) -> Response:
    """Say what is wrong with each component that is not as it should be."""
    entries = await service.call(service.validations)
    return Json(
        [
            {
                "component_type": entry.type,
                "component_id": entry.name,
                "where": entry.where,
                "errors": list(entry.errors),
                "error": "; ".join(entry.errors) or None,
                "warnings": list(entry.warnings),
            }
            for entry in entries
            if entry.errors or entry.warnings
        ]
    )


@router.post("/refresh", response_model=Done, responses=refusals(409))
async def refresh(service: Served) -> Response:
    """Load the configuration anew."""

    await service.call(service.reload)
    return Json({"status": "success", "message": "Configurations refreshed successfully"})


def _etag(component: Component) -> dict[str, str]:
    return {"ETag": f'"{component.revision}"'}


def _named(document: dict[Any, Any], type_: str, name: str) -> dict[str, Any]:
    """The document with its type and name, in front where they are missing."""
    return {**{field: value for field, value in (("type", type_), ("name", name)) if field not in document}, **document}


def _placed(service: Service, plural: str, config: dict[Any, Any]) -> tuple[dict[Any, Any], str | None]:
    """The document without what says where it goes, and the file that says it; databases ask for no file.

    Raises:
        InvalidValueError: there is no such project, or the fields are no texts.
    """
    document = {field: value for field, value in config.items() if field not in _WHERE}
    project, workspace, file = (config.get(field) for field in _WHERE)
    if service.in_database or not (project or workspace or file):
        return document, None
    if file is not None and not isinstance(file, str):
        raise InvalidValueError("config.file_path must be text")
    if not (project or workspace):
        return document, file
    level = "project" if project else "workspace"
    for source in service.aurite.context.sources:
        fits = (
            source.project_name == project
            if project
            else source.level == "workspace" and workspace in (True, source.workspace_name)
        )
        if fits and source.level == level and source.config_folders:
            inside = Path(file) if file else Path(plural) / f"{plural}.json"
            below = source.folder / inside
            if any(below.is_relative_to(folder) for folder in source.config_folders):
                return document, str(below)
            return document, str(source.config_folders[0] / inside)
    raise InvalidValueError(f"config.{level}: there is no {level} {project or workspace!r} here that has folders for components")


def _written(service: Service, key: tuple[str, str], if_match: str | None, write: Callable[[int | None], T]) -> T:
    """What ``write`` returned, given the revision that the component must have for it."""
    if if_match is None:
        return write(None)
    current = service.config.get_component(*key)
    if current is None:
        service.config.require_component(*key)
    elif if_match.strip() == "*":
        return write(None)
    elif current.revision in _revisions(if_match):
        return write(current.revision)
    kind = kind_of(key[0])
    raise RevisionConflictError(
        f"{kind.label} {key[1]!r} has changed since it was read",
        current=current.document if current is not None else None,
        revision=current.revision if current is not None else None,
        next_step="Look at its current value, and send the change again with its ETag",
    )


def _revisions(if_match: str) -> set[int]:
    return {int(tag) for tag in re.findall(r'"(\d{1,19})"', if_match)}


def _entry(revision: ComponentRevision) -> dict[str, Any]:
    return {
        "revision": revision.revision,
        "change": revision.change,
        "document": None if revision.document is None else decode(revision.document),
        "writer": revision.writer,
        "author": revision.author,
        "changed_at": (_EPOCH + timedelta(microseconds=revision.changed_at)).isoformat(),
    }
