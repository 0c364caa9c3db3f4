"""Probes: open to everybody, and therefore terse."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from aurite.api.errors import RETRY_AFTER
from aurite.api.json import Json
from aurite.api.models import HealthStatus, Readiness
from aurite.api.service import Served
from aurite.errors import AuriteError

router = APIRouter(tags=["Health"])


@router.get("/health", response_model=HealthStatus, operation_id="health_check_health_get")
async def health() -> Response:
    """Say that the service is there."""
    return Json({"status": "ok"})


@router.get("/health/live", response_model=HealthStatus)
async def live() -> Response:
    """Say that the process serves requests; restart it where this does not answer."""
    return Json({"status": "ok"})


@router.get("/health/ready", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not now"}})
async def ready(service: Served) -> Response:
    """Say whether requests can be carried out: the store answers, its schema is right, the configuration is loaded.

    Send no requests while the status is 503.
    """
    if service.stopping:
        return _not_ready("stopping")
    try:
        found = await service.health()
    except AuriteError as error:
        return _not_ready(error.code)
    return Json({"status": "ready", "code": None, "version": found.loaded_version, "version_lag": found.lag})


def _not_ready(code: str) -> Response:
    body = {"status": "not_ready", "code": code, "version": None, "version_lag": None}
    return Json(body, 503, headers={"Retry-After": str(RETRY_AFTER)})
