"""Databases as Hypothesis makes them: any rows that the tables allow."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aurite.model.jsontext import encode
from aurite.storage.tables import Table
from aurite.testing.values import component_names, json_values
from tests.transfer.databases import Row, Rows, in_order

STATUSES = ("running", "completed", "failed", "max_iterations_reached", "cancelled", "interrupted")

_awkward = st.lists(
    st.sampled_from([*"\b\f\n\r\t\v\\N.'\"\x01\x7f", "\\N", "\\.", "\uffff", "\U0010ffff", "\u2028", ""]), max_size=6
)
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    _awkward.map("".join),
)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))
documents = st.one_of(
    json_values().map(encode),
    st.sampled_from(['{"a": 1.0}', '{"a":1}', ' {"b" : -0.0,\r\n\t"a":1e400 }', '""', '"\\u0000\\ud800"', '{"a":1,"a":2}']),
)
scores = st.sampled_from(["1.0", "1", "-0.0", "0.10", "1e-7"])
names = component_names()


def rows_of(table: Table) -> st.SearchStrategy[Row]:
    """Any row of the columns' types."""
    return st.tuples(
        *(
            st.one_of(*([st.none()] if column in table.optional else []), numbers if column in table.numbers else texts)
            for column in table.columns
        )
    )


def or_null(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def databases(draw: st.DrawFn) -> Rows:
    """Rows that keep every constraint of the schema."""
    components = draw(
        st.dictionaries(
            st.tuples(names, names),
            st.tuples(documents, numbers, numbers, numbers, texts, or_null(documents)),
            max_size=4,
        )
    )
    change = st.sampled_from(["create", "update", "delete"])
    revisions = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 50), texts, texts),
            st.tuples(change, or_null(documents), or_null(documents), texts, or_null(texts), numbers),
            max_size=4,
        )
    )
    kind, status = st.sampled_from(["agent", "workflow"]), st.sampled_from(STATUSES)
    sessions = draw(
        st.dictionaries(
            names,
            st.tuples(texts, or_null(texts), kind, names, status, or_null(texts), st.integers(0, 9), numbers, numbers),
            max_size=4,
        )
    )
    owned: Rows = {"session_tags": [], "runs": [], "messages": []}
    if sessions:
        ids = st.sampled_from(sorted(sessions))
        tags = draw(st.dictionaries(st.tuples(ids, names), numbers, max_size=4))
        owned["session_tags"] = [(*key, value) for key, value in tags.items()]
        run = st.tuples(
            ids, status, numbers, or_null(numbers), or_null(texts), or_null(documents), or_null(documents), or_null(texts)
        )
        owned["runs"] = [(key, *rest) for key, rest in draw(st.dictionaries(names, run, max_size=4)).items()]
        message = st.tuples(texts, documents, or_null(documents), or_null(texts), or_null(texts), numbers)
        messages = draw(st.dictionaries(st.tuples(ids, st.integers(1, 2**63 - 1)), message, max_size=6))
        owned["messages"] = [(*key, *rest) for key, rest in messages.items()]
    result = st.tuples(names, documents, or_null(texts), or_null(scores), or_null(texts), numbers)
    results = draw(st.dictionaries(names, result, max_size=3))
    return in_order(
        {
            "evaluation_results": [(key, *rest) for key, rest in results.items()],
            "components": [(*key, *rest) for key, rest in components.items()],
            "component_revisions": [(*key, *rest) for key, rest in revisions.items()],
            "sessions": [(key, *rest) for key, rest in sessions.items()],
            **owned,
        }
    )
