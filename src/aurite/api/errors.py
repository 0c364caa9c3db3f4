"""The one place where errors become HTTP statuses and JSON.

Every refusal is an object with ``detail`` (as clients of 0.4 read it), a stable ``code`` and the ``status``. Where the status is
422, ``detail`` is a list with a place and a message for each fault, and ``message`` is one sentence. Below ``/execution`` there is
also 0.4's ``error``. No text of an error that nobody foresaw is shown or logged: it may hold a password.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from traceback import extract_tb
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aurite import errors
from aurite.api.json import Json
from aurite.errors import AuriteError, InvalidComponentError, RevisionConflictError
from aurite.model.jsontext import decode

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("aurite.api")

STATUS: Mapping[type[AuriteError], int] = MappingProxyType(
    {
        AuriteError: 500,
        errors.UsageError: 400,
        errors.SettingsError: 500,
        errors.InvalidValueError: 422,
        errors.InvalidDocumentError: 422,
        errors.InvalidComponentError: 422,
        errors.UnknownTypeError: 400,
        errors.ComponentNotFoundError: 404,
        errors.ComponentExistsError: 409,
        errors.AmbiguousNameError: 400,
        errors.RevisionConflictError: 412,
        errors.SessionNotFoundError: 404,
        errors.SessionExistsError: 409,
        errors.NoProjectError: 409,
        errors.NotSupportedError: 409,
        errors.StorageError: 500,
        errors.StoreUnavailableError: 503,
        errors.StoreBusyError: 503,
        errors.OutcomeUnknownError: 503,
        errors.NotAuriteDatabaseError: 503,
        errors.SchemaTooNewError: 503,
        errors.SchemaOutdatedError: 503,
        errors.StoreFullError: 507,
        errors.RunError: 500,
        errors.ToolTimeoutError: 504,
        errors.NotThereError: 404,
        errors.TakenError: 409,
        errors.ClientGoneError: 499,
    }
)
"""By class; a class that is not here has the status of the nearest one above it."""

CODES: Mapping[int, str] = MappingProxyType(
    {400: "bad_request", 401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "no_json"}
)
"""For refusals of the HTTP layer itself."""

RETRY_AFTER = 2
"""Seconds after which a client may ask again when the store is away or too much is asked of it."""


def status_of(error: AuriteError) -> int:
    """The HTTP status that an error is answered with."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refusal(
    status: int, code: str, detail: Any, *, path: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The answer to a request that is not carried out."""
    body = {"detail": detail, "code": code, "status": status, **more}
    if _is_run(path):
        said = detail if isinstance(detail, str) else str(more.get("message", code))
        body.setdefault("error", {"message": said, "error_type": code, "details": {}})
    return Json(body, status, headers=dict(headers or {}))


def answer(error: AuriteError, path: str) -> Response:
    """The answer for an error that was raised on purpose."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    more: dict[str, Any] = {}
    detail: Any = str(error)
    if status == 422:
        more["message"] = str(error)
        detail = _faults(error)
    if isinstance(error, RevisionConflictError):
        more |= {"current": decode(error.current) if error.current is not None else None, "revision": error.revision}
        headers |= {"ETag": f'"{error.revision}"'} if error.revision is not None else {}
    if _is_run(path):
        details = {"next_step": error.next_step} if error.next_step else {}
        more["error"] = {"message": error.message, "error_type": type(error).__name__, "details": details}
    return refusal(status, error.code, detail, path=path, headers=headers, **more)


def install(app: FastAPI) -> None:
    """Have all errors of the routes answered as above."""

    async def known(request: Request, error: Exception) -> Response:
        if not isinstance(error, AuriteError):
            raise error
        return answer(error, request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return _invalid(error, request.url.path)

    async def plain(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        code = CODES.get(error.status_code, "failed")
        return refusal(error.status_code, code, str(error.detail), path=request.url.path, headers=error.headers)

    app.add_exception_handler(AuriteError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


class Unexpected:
    """The edge: whatever nobody foresaw is answered with 500, and its type and place are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:  # the service stops, and has waited for as long as it may
            if not started:
                response = refusal(503, "stopping", "the service stops; the run was cancelled", path=scope["path"])
                await response(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the edge
            report(error)
            if not started:
                response = refusal(500, "internal_error", "the service itself failed; its log says where", path=scope["path"])
                await response(scope, receive, send)


def report(error: BaseException) -> None:
    """Log what nobody foresaw: its type and place."""
    frames = extract_tb(error.__traceback__)
    place = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-4:]))
    log.error("unexpected %s at %s", type(error).__name__, place)


def told(error: BaseException) -> str:
    """What somebody who listens to a stream is told of an error."""
    if isinstance(error, AuriteError):
        return str(error)
    report(error)
    return "the service itself failed; its log says where"


def _faults(error: AuriteError) -> list[dict[str, Any]]:
    reasons: Sequence[str] = (error.reasons if isinstance(error, InvalidComponentError) else ()) or (str(error),)
    return [{"loc": ["body", *_place(reason)], "msg": reason, "type": error.code} for reason in reasons]


def _place(reason: str) -> list[str]:
    field, colon, _ = reason.partition(": ")
    return ["config", *field.split(".")] if colon and field and " " not in field else []


def _invalid(error: RequestValidationError, path: str) -> Response:
    faults = []
    for fault in error.errors():
        said = str((fault.get("ctx") or {}).get("error") or fault["msg"])
        faults.append({"loc": list(fault["loc"]), "msg": said, "type": fault["type"]})
    first = faults[0] if faults else {"loc": [], "msg": "not valid"}
    message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return refusal(422, "invalid_request", faults, path=path, message=message)


def _is_run(path: str) -> bool:
    return path.startswith(("/execution/agents/", "/execution/llms/", "/execution/workflows/"))
