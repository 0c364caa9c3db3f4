"""The OpenAPI document, and the pages that show it; all from files of the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from aurite.api.json import Json
from aurite.errors import NotThereError

router = APIRouter(include_in_schema=False)

_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "start-swagger.js": "text/javascript",
}
_HEAD = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Aurite</title>'
_SWAGGER = (
    f'{_HEAD}<link rel="stylesheet" href="static/swagger-ui.css"></head><body><div id="swagger-ui"></div>'
    '<script src="static/swagger-ui-bundle.js"></script><script src="static/start-swagger.js"></script></body></html>'
)
_REDOC = (
    f'{_HEAD}</head><body><redoc spec-url="openapi.json"></redoc><script src="static/redoc.standalone.js"></script></body></html>'
)
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; object-src 'none'"


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    return Json(request.app.openapi())


@router.get("/api-docs")
async def swagger() -> Response:
    return _page(_SWAGGER)


@router.get("/redoc")
async def redoc() -> Response:
    return _page(_REDOC)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    if name not in _FILES:
        raise NotThereError(f"there is no file {name!r}")
    return Response(_content(name), media_type=_FILES[name], headers={"Cache-Control": "private, max-age=86400"})


@cache
def _content(name: str) -> bytes:
    return (files("aurite.api") / "static" / name).read_bytes()


def _page(text: str) -> Response:
    return Response(text, media_type="text/html", headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"})
