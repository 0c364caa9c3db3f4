"""The log of the service: to standard error, as lines for people or as JSON objects."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


class JsonLines(logging.Formatter):
    """One JSON object for each line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
        }
        facts = getattr(record, "facts", None)
        line |= facts if facts is not None else {"message": _message(record)}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text may hold a secret
        return json.dumps(line)


class PlainLines(logging.Formatter):
    """Time, level and message; what a request or an error brought along stays on one line, and no traceback is shown."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = " ".join(_message(record).split())
        error = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] is not None else ""
        return f"{when} {record.levelname} {text}{error}"


def _message(record: logging.LogRecord) -> str:
    """What is to be said; of libraries the first line alone: asyncio shows a lost error behind it, with whatever its text holds."""
    said = record.getMessage()
    return said if record.name.startswith("aurite") else said.partition("\n")[0]


def configuration(level: str, *, as_json: bool) -> dict[str, Any]:
    """For :func:`logging.config.dictConfig`, in every worker."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines if as_json else PlainLines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        # Libraries log URLs and headers below this level, and a key may be in them.
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"aurite": {"level": level}, "uvicorn": {"level": "WARNING"}, "uvicorn.error": {"level": "WARNING"}},
    }
