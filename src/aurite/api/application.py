"""The service as an ASGI application: the routes, and what stands before them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.security import APIKeyHeader
from starlette.middleware.cors import CORSMiddleware

from aurite.api import components, errors, execution, files, health, history, pages, projects, system, tools
from aurite.api.guards import BodyLimit, KeyCheck, Observed, Paths
from aurite.api.json import Json
from aurite.api.service import Service
from aurite.app import Aurite
from aurite.errors import AuriteError
from aurite.settings import Settings

log = logging.getLogger("aurite.api")

_KEY = Depends(APIKeyHeader(name="X-API-Key", scheme_name="APIKeyHeader", auto_error=False))
"""For the OpenAPI document; the key itself is looked at before any route, see ``guards.py``."""

_DESCRIPTION = """Components, tools and runs of AI agents over HTTP.

Everything but `/health` wants the key of the service in the header `X-API-Key`. A refusal is an object with `detail` and a stable
`code`; where the status is 503, `Retry-After` says when to ask again."""


def for_worker() -> FastAPI:
    """The application of the current folder, for a process that uvicorn has started."""
    folder = Path.cwd()
    return application(Aurite(folder, settings=Settings.from_env(folder), writer="api"))


def application(aurite: Aurite) -> FastAPI:
    """The application that serves an Aurite; it closes it in the end."""
    app = FastAPI(
        title="Aurite",
        description=_DESCRIPTION,
        version=version("aurite"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        default_response_class=Json,
        lifespan=_lifespan,
    )
    app.state.aurite = aurite
    app.include_router(health.router)
    for module in (components, files, projects, tools, execution, history, system):
        app.include_router(module.router, dependencies=[_KEY])
    app.include_router(pages.router)
    errors.install(app)
    _put_guards(app, aurite)
    return app


def _put_guards(app: FastAPI, aurite: Aurite) -> None:
    """The last one is the first that a request meets."""
    app.add_middleware(BodyLimit)
    app.add_middleware(KeyCheck, key=aurite.settings.api_key)
    app.add_middleware(Paths)
    app.add_middleware(errors.Unexpected)
    origins = [origin.strip() for origin in (aurite.settings.cors_origins or "").split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["X-API-Key", "Content-Type", "If-Match", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )
    app.add_middleware(Observed, metrics=lambda: app.state.service.metrics)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Made here and not before: it belongs to the event loop that serves.
    service = Service(app.state.aurite)
    app.state.service = service
    if service.aurite.settings.api_key is None:
        log.warning("API_KEY is not set: /health is served, everything else is answered with 401 and the code no_api_key")
    try:
        await service.health()
    except AuriteError as error:
        log.warning("not ready yet: %s", error)
    try:
        yield
    finally:
        await service.close()
