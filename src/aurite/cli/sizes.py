"""Sizes in bytes as people read them."""

from __future__ import annotations


def in_units(size: int) -> str:
    """``512 bytes``, ``1.5 KiB``, ``2.0 GiB``."""
    if size < 1024:
        return "1 byte" if size == 1 else f"{size} bytes"
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"
