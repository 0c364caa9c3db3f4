"""``aurite api``: the service."""

from __future__ import annotations

from pathlib import Path

import click

from aurite.cli.context import tell_settings


@click.command
@click.option("--host", help="The address to listen on; AURITE_API_HOST where not given.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; PORT where not given, 0 for any free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the port.")
@click.option("--log-json", is_flag=True, help="Write each line of the log as a JSON object.")
def api(*, host: str | None, port: int | None, workers: int, log_json: bool) -> None:
    """Serve components, tools and runs over HTTP until Ctrl-C or a termination signal.

    Clients send the key that API_KEY holds as X-API-Key. The log goes to standard error.
    """
    from aurite.serving import serve
    from aurite.settings import Settings

    folder = Path.cwd()
    settings = Settings.from_env(folder)
    tell_settings(settings)
    serve(
        settings,
        folder,
        host=settings.api_host if host is None else host,
        port=settings.port if port is None else port,
        workers=workers,
        log_json=log_json,
    )
