"""Starting the service: the way from the command line to the API, which know nothing of each other."""

from __future__ import annotations

from pathlib import Path

from aurite.settings import Settings


def serve(settings: Settings, folder: Path, *, host: str, port: int, workers: int = 1, log_json: bool = False) -> None:
    """Serve the project of a folder over HTTP until a signal ends it.

    Args:
        host: the address to listen on.
        workers: processes that share the port.
        log_json: write each line of the log as a JSON object.

    Raises:
        UsageError: the port cannot be had.
        ServiceError: the service could not be started.
    """
    from aurite.api.server import run

    run(settings, folder, host=host, port=port, workers=workers, log_json=log_json)
