"""The app that commands work with, opened in the current folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aurite.cli.output import warn

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.settings import Settings


@contextmanager
def open_app() -> Iterator[Aurite]:
    """The app of the current folder, closed when the block ends; what people should hear about their settings is told."""
    from aurite.app import Aurite

    app = Aurite(Path.cwd(), writer="cli")
    try:
        tell_settings(app.settings)
        yield app
    finally:
        app.close()


def tell_settings(settings: Settings) -> None:
    """What is odd about the environment and ``.env``, on standard error."""
    for text in settings.warnings:
        warn(text)
