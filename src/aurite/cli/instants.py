"""Points in time as people write and read them; inside they are microseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InstantType(click.ParamType[int]):
    """An ISO date or date and time (local time where it has no offset), or how long ago: ``90m``, ``2h``, ``3d``, ``1w``."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            ago = _AGO.fullmatch(text)
            instant = _before_now(ago) if ago else datetime.fromisoformat(text)
            return (instant.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{text!r} is no time; write it as 2026-01-31, 2026-01-31T14:30+01:00, 90m, 2h, 3d or 1w", param, ctx)


def _before_now(ago: re.Match[str]) -> datetime:
    return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})


def iso(instant: int) -> str:
    """``2026-01-31T13:30:00.000000Z``."""
    return (_EPOCH + timedelta(microseconds=instant)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_or_none(instant: int | None) -> str | None:
    """As :func:`iso`; None stays None."""
    return None if instant is None else iso(instant)


def for_people(instant: int) -> str:
    """Local time to the second: ``2026-01-31 14:30:00``."""
    return (_EPOCH + timedelta(microseconds=instant)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
