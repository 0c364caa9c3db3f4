"""``/config/sources`` and ``/config/files``: where components of file mode come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from aurite.api.guards import SLASH
from aurite.api.json import ExactRoute, Json
from aurite.api.models import Done, FileCreate, FileUpdate, SourceInfo
from aurite.api.names import Name
from aurite.api.refusals import refusals
from aurite.api.service import Served, Service
from aurite.errors import NotSupportedError, NotThereError, TakenError
from aurite.stores import config_files

if TYPE_CHECKING:
    from aurite.storage.files.config_files import ConfigFiles

router = APIRouter(prefix="/config", tags=["Configuration Manager"], route_class=ExactRoute)


@router.get("/sources", response_model=list[SourceInfo], responses=refusals())
async def list_sources(service: Served) -> Response:
    """List where files of components lie, the first one wins; empty where components are kept in a database."""

    def work() -> list[dict[str, object]]:
        if service.in_database:
            return []
        return [
            {
                "name": source.name,
                "path": str(source.folder),
                "context": source.level,
                "project_name": source.project_name,
                "workspace_name": source.workspace_name,
            }
            for source in service.aurite.context.sources
        ]

    return Json(await service.call(work))


@router.get("/files/{source_name:name}", response_model=list[str], responses=refusals(404, 409))
async def list_files(source_name: Name, service: Served) -> Response:
    """List the files of a source; 409 where components are kept in a database."""
    return Json(await service.call(lambda: _files(service, source_name).paths()))


@router.post("/files", response_model=Done, responses=refusals(404, 409))
async def create_file(body: FileCreate, service: Served) -> Response:
    """Write a new file of components."""

    def work() -> None:
        if not _files(service, body.source_name).create(body.relative_path, body.content):
            raise TakenError(f"there is a file {body.relative_path!r} already", next_step="Replace it with PUT")

    await service.call(work)
    return Json({"message": f"File '{body.relative_path}' created successfully."})


@router.get("/files/{source_name:name}/{file_path:path}", response_model=str, responses=refusals(404, 409))
async def show_file(source_name: Name, file_path: str, service: Served) -> Response:
    """Show the text of a file."""

    def work() -> str:
        text = _files(service, source_name).read(_plain(file_path))
        if text is None:
            raise _missing(file_path)
        return text

    return Json(await service.call(work))


@router.put("/files/{source_name:name}/{file_path:path}", response_model=Done, responses=refusals(404, 409))
async def replace_file(source_name: Name, file_path: str, body: FileUpdate, service: Served) -> Response:
    """Give a file another content; one that could not be read as components is refused."""

    def work() -> None:
        if not _files(service, source_name).replace(_plain(file_path), body.content):
            raise _missing(file_path)

    await service.call(work)
    return Json({"message": f"File '{file_path}' updated successfully."})


@router.delete("/files/{source_name:name}/{file_path:path}", response_model=Done, responses=refusals(404, 409))
async def delete_file(source_name: Name, file_path: str, service: Served) -> Response:
    """Delete a file with the components in it."""

    def work() -> None:
        if not _files(service, source_name).delete(_plain(file_path)):
            raise _missing(file_path)

    await service.call(work)
    return Json({"message": f"File '{file_path}' deleted successfully."})


def _files(service: Service, source_name: str) -> ConfigFiles:
    if service.in_database:
        raise NotSupportedError(
            "components are kept in a database, so there are no files of components to work on",
            next_step="Use /config/components, or turn AURITE_ENABLE_DB off",
        )
    found = config_files(service.aurite.context.sources, source_name)
    if found is None:
        raise NotThereError(f"there is no source {source_name!r}", next_step="See GET /config/sources")
    return found


def _plain(file_path: str) -> str:
    return file_path.replace(SLASH, "/")


def _missing(file_path: str) -> NotThereError:
    return NotThereError(f"there is no file {file_path!r} in this source", next_step="See GET /config/files/{source_name}")
