"""Names and values that have broken stores before, each with the reason why it is here."""

from __future__ import annotations

from typing import Final

from aurite.model.jsontext import JsonValue, check
from aurite.model.records import Key


def llm_document(name: str, **fields: JsonValue) -> str:
    """The JSON text of a valid llm component; unknown fields of an llm are kept, so any JSON value fits in one."""
    return check({"type": "llm", "name": name, "provider": "offline", "model": "m", **fields})


def agent_document(name: str, **fields: JsonValue) -> str:
    """The JSON text of a valid agent."""
    return check({"type": "agent", "name": name, "llm_config_id": "m", **fields})


def llm_key(name: str) -> Key:
    return ("llm", name)


def _nested(levels: int) -> JsonValue:
    value: JsonValue = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"d": value}
    return value


AWKWARD_VALUES: Final[dict[str, JsonValue]] = {
    "key order": {"b": 1, "a": 2, "c": {"z": 1, "y": 2}, "": 3},
    "integers of any size": [2**53 + 1, -(2**63) - 1, 2**64, 2**70, 10**400, -(10**400)],
    "an integer longer than Python reads by itself": 10**5000,
    "negative zero beside zero": [-0.0, 0.0, 0, -1e-400],
    "floats by their shortest form": [0.1, 1.0, 1e16, 1e22, 1e-7, 5e-324, 2.2250738585072011e-308, 1.7976931348623157e308],
    "empty text apart from null": ["", None, [], {}],
    "a zero character": "a\x00b",
    "lone surrogates": ["\ud800", "\udfff x", "\udc00\ud800"],
    "a key that is a lone surrogate": {"\ud83d": 1},
    "astral characters": "\U0001f600 \U00010000 \U0010ffff",
    "line ends": "a\r\nb\rc\nd\u2028e\u2029f\u0085g",
    "white space": "  leading, trailing \t \u00a0\ufeff ",
    "composed beside decomposed": ["\u00e9", "e\u0301"],
    "what looks like other things": [
        "null",
        "true",
        "1.10",
        "010",
        "no",
        "22:22",
        "2020-01-01",
        "${HOME}",
        "{{x}}",
        "$1",
        "?1",
        "%s",
    ],
    "quotes and markup": "'; DROP TABLE components; -- \" \\ ` <b>[red]</b> </script>",
    "deeply nested": _nested(450),
    "true beside one": [True, 1, 1.0, False, 0, 0.0],
    "long text": "0123456789" * 20_000,
}

AWKWARD_NAMES: Final[tuple[str, ...]] = (
    "plain",
    "Plain",  # case counts, on file systems without case too
    "PLAIN",
    "it's",  # quotes of SQL
    'say "hi"',
    "`tick`",
    "100%",  # patterns of LIKE and GLOB
    "%",
    "_",
    "a_b",
    "axb",
    "*",
    "[a-z]",
    "?1",  # parameters
    "$1",
    ":name",
    "a/b",  # paths
    "/",
    "../../etc/passwd",
    ".",
    "..",
    ".hidden",
    "back\\slash",
    "C:\\x",
    "con",  # reserved where files have drives
    "a.json",
    "a.yaml",
    "~",
    "-",
    "--help",
    " ",  # white space counts
    " a",
    "a ",
    "a  b",
    "\u00a0",
    "\u2028",
    "null",  # words that YAML reads as something else
    "no",
    "1.10",
    "010",
    "22:22",
    "2020-01-01",
    "# comment",
    "- item",
    "a: b",
    "&anchor",
    "!tag",
    "{}",
    "[]",
    "[red]x[/red]",  # markup of the terminal
    "<b>",
    "\u00e9",  # composed and decomposed are two names
    "e\u0301",
    "\u0130",  # case folding changes the length
    "i",
    "\u0131",
    "\u00df",
    "ss",
    "\u0645\u0631\u062d\u0628\u0627",  # right to left
    "\u202eabc\u202c",
    "\u65e5\u672c\u8a9e",
    "\U0001f600",
    "\U0010ffff",
    "\uffff",  # sorts before the astral ones by code point, behind them by UTF-16
    "\ufeff",
    "x" * 255,  # the longest
    "\U0001f600" * 255,  # the longest in bytes, over what a file name may have
)

REFUSED_NAMES: Final[dict[str, str]] = {
    "empty": "",
    "a zero character": "a\x00b",
    "a line end": "a\n",
    "a tab": "\t",
    "an escape": "\x1b[31m",
    "delete": "a\x7f",
    "a control character of Latin-1": "a\x85b",
    "256 code points": "x" * 256,
    "256 astral code points": "\U0001f600" * 256,
    "a lone high surrogate": "a\ud800",
    "a lone low surrogate": "\udc00",
}
