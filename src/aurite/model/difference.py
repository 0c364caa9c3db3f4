"""How two documents differ, line by line, for people."""

from __future__ import annotations

import difflib
import json

from aurite.model.jsontext import decode


def difference(before: str | None, after: str | None, *, before_is: str, after_is: str) -> str:
    """A unified diff of two JSON documents, written one field per line; empty where they are equal as written.

    Args:
        before: a document, or None where there was none.
        after: the same.
        before_is: what to call it: ``revision 3``.
        after_is: the same.
    """
    return "\n".join(difflib.unified_diff(_lines(before), _lines(after), before_is, after_is, lineterm=""))


def _lines(document: str | None) -> list[str]:
    if document is None:
        return []
    # Lone surrogates stay escapes, so that the lines can be printed.
    text = json.dumps(decode(document), indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode().splitlines()
