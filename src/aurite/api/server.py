"""Listening, starting workers, and stopping in good order."""

from __future__ import annotations

import logging
import logging.config
import math
import os
import socket
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from aurite.api.application import application
from aurite.api.logs import configuration
from aurite.app import Aurite
from aurite.errors import AuriteError, UsageError
from aurite.settings import Settings

log = logging.getLogger("aurite.api")

_BACKLOG = 2048
_KEEP_ALIVE = 30
"""Seconds for which an idle connection stays open."""


def run(settings: Settings, folder: Path, *, host: str, port: int, workers: int, log_json: bool) -> None:
    """Serve until a signal ends it; see :func:`aurite.serving.serve`."""
    logging_ = configuration(settings.log_level, as_json=log_json)
    logging.config.dictConfig(logging_)
    # Workers are started by name, because they are other processes.
    app = application(Aurite(folder, settings=settings, writer="api")) if workers == 1 else "aurite.api.application:for_worker"
    config = uvicorn.Config(
        app,
        factory=workers > 1,
        workers=workers,
        log_config=logging_,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.api_grace),
    )
    with _listening(host, port) as listener:
        address, bound, *_ = listener.getsockname()
        shown = f"[{address}]" if ":" in address else address
        log.info("serving %s on http://%s:%s with %s", folder, shown, bound, f"{workers} workers" if workers > 1 else "one process")
        if workers > 1:
            Multiprocess(config, [listener]).run()
            return
        server = uvicorn.Server(config)
        server.run([listener])
    if not server.started:
        raise AuriteError("the service could not be started", next_step="Its log says why.")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio turns Nagle's delay off, 40 ms for an answer, only for a socket that says what it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
        raise UsageError(f"port {port} of {host} cannot be had: {reason}", next_step="Give another --port or --host.") from error
    listener.set_inheritable(True)
    return listener
