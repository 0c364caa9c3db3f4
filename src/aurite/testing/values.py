"""Hypothesis strategies: any JSON value, and any name that is allowed."""

from __future__ import annotations

from hypothesis import strategies as st

from aurite.model.jsontext import JsonValue
from aurite.model.names import MAX_NAME
from aurite.testing.samples import AWKWARD_NAMES

_awkward_text = st.sampled_from(
    ["\x00", "\ud800", "\udfff", "\U0001f600", "\r\n", "\u2028", "\ufeff", "\\u0000", "'", '"', "\\", "%", "\x7f"]
)
_text = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(exclude_categories=()), max_size=20),  # hypothesis leaves lone surrogates out unless asked
    st.lists(_awkward_text, max_size=4).map("".join),
).map(lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"))  # two halves are one character
_integers = st.one_of(
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400, 10**4000]),
)
_floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True),
    st.sampled_from([-0.0, 0.0, 5e-324, -5e-324, 1.7976931348623157e308, 1e16, 1e22, 1e-7]),
)


def json_values(*, max_leaves: int = 12) -> st.SearchStrategy[JsonValue]:
    """Any JSON value: huge integers, negative zero, subnormals, zero characters, lone surrogates, keys in any order."""
    leaves = st.one_of(st.none(), st.booleans(), _integers, _floats, _text)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)),
        max_leaves=max_leaves,
    )


def component_names() -> st.SearchStrategy[str]:
    """Any name that is allowed: 1 to 255 code points without control characters and surrogates."""
    allowed = st.characters(exclude_categories=("Cc", "Cs"))
    return st.one_of(
        st.text(allowed, min_size=1, max_size=12),
        st.text(allowed, min_size=1, max_size=MAX_NAME),
        st.sampled_from(AWKWARD_NAMES),
    )
