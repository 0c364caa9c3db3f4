"""The health check of the image: exit status 0 where the service can carry out requests, 1 with the reason where it cannot."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from aurite.errors import SettingsError
from aurite.settings import Settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask a service that listens everywhere


def main() -> str | None:
    """What is wrong, or None."""
    try:
        settings = Settings.from_env(Path.cwd())
        connection = HTTPConnection(_ANYWHERE.get(settings.api_host, settings.api_host), settings.port, timeout=4)
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(1000).decode("utf-8", "replace")
    except (OSError, HTTPException, SettingsError) as error:
        return f"not ready: {error}"
    return None if answer.status == 200 else f"not ready: {said}"


if __name__ == "__main__":
    sys.exit(main())
