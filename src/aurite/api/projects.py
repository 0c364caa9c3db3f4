"""``/config/projects`` and ``/config/workspaces``: what lies around the folder that is served."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from aurite.api.json import ExactRoute, Json
from aurite.api.models import Done, ProjectCreate, ProjectInfo, ProjectUpdate, WorkspaceInfo
from aurite.api.names import Name
from aurite.api.refusals import refusals
from aurite.api.service import Served, Service
from aurite.config.projects import Project, Projects
from aurite.errors import NotThereError, TakenError

router = APIRouter(prefix="/config", tags=["Configuration Manager"], route_class=ExactRoute)


@router.get("/projects", response_model=list[ProjectInfo], responses=refusals())
async def list_projects(service: Served) -> Response:
    """List the projects of the workspace, or the only one."""
    return Json([_shown(project) for project in await service.call(lambda: _projects(service).list())])


@router.post("/projects", response_model=Done, responses=refusals(409))
async def create(body: ProjectCreate, service: Served) -> Response:
    """Make a project in the workspace."""

    def work() -> None:
        if _projects(service).create(body.name, body.description) is None:
            raise TakenError(f"there is a folder {body.name!r} in the workspace already", next_step="Choose another name")
        service.reload()

    await service.call(work)
    return Json({"message": f"Project '{body.name}' created successfully."})


@router.get("/projects/active", response_model=ProjectInfo | None, responses=refusals())
async def active(service: Served) -> Response:
    """Show the project that is served; null where the folder lies in none."""
    found = await service.call(lambda: _projects(service).active)
    return Json(None if found is None else _shown(found))


@router.get("/projects/{name:name}", response_model=ProjectInfo, responses=refusals(404))
async def show(name: Name, service: Served) -> Response:
    """Show a project."""
    return Json(_shown(await service.call(lambda: _project(service, name))))


@router.put("/projects/{name:name}", response_model=Done, responses=refusals(404, 409))
async def update(name: Name, body: ProjectUpdate, service: Served) -> Response:
    """Change a project's description, folders of components or name."""

    def work() -> None:
        project = _project(service, name)
        _projects(service).update(
            project, description=body.description, include_configs=body.include_configs, new_name=body.new_name
        )
        service.reload()

    await service.call(work)
    return Json({"message": f"Project '{name}' updated successfully."})


@router.delete("/projects/{name:name}", response_model=Done, responses=refusals(404, 409))
async def delete(name: Name, service: Served) -> Response:
    """Take a project out of the workspace; its folder and files stay."""

    def work() -> None:
        _projects(service).remove(_project(service, name))
        service.reload()

    await service.call(work)
    return Json({"message": f"Project '{name}' was taken out of the workspace; its folder was left as it is."})


@router.get("/workspaces", response_model=list[WorkspaceInfo], responses=refusals())
async def list_workspaces(service: Served) -> Response:
    """List the workspace around the project; empty where there is none."""
    found = await service.call(lambda: _workspace(service))
    return Json([] if found is None else [found])


@router.get("/workspaces/active", response_model=WorkspaceInfo | None, responses=refusals())
async def active_workspace(service: Served) -> Response:
    """Show the workspace around the project; null where there is none."""
    return Json(await service.call(lambda: _workspace(service)))


def _projects(service: Service) -> Projects:
    return Projects(service.surroundings())


def _project(service: Service, name: str) -> Project:
    found = _projects(service).get(name)
    if found is None:
        raise NotThereError(f"there is no project {name!r} here", next_step="See GET /config/projects")
    return found


def _shown(project: Project) -> dict[str, Any]:
    return {
        "name": project.name,
        "path": str(project.folder),
        "is_active": project.is_active,
        "include_configs": list(project.include_configs),
        "description": project.description,
        "created_at": project.created_at,
    }


def _workspace(service: Service) -> dict[str, Any] | None:
    projects = _projects(service)
    anchor = projects.workspace
    if anchor is None:
        return None
    folders = [
        str(folder.relative_to(anchor.folder)) if folder.is_relative_to(anchor.folder) else str(folder)
        for folder in anchor.config_folders
    ]
    return {
        "name": anchor.name,
        "path": str(anchor.folder),
        "projects": [project.name for project in projects.list()],
        "include_configs": folders,
        "is_active": True,
        "description": projects.description_of(anchor),
    }
