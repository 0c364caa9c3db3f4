"""No text of a provider carries our key on, whole or in part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurite.runtime.secrets import scrub

KEY = "sk-proj-Ab3dEf6hIj9kLm2n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"wrong key: {KEY}.", "wrong key: ***"),
        (f"wrong key: {KEY[:8]}****{KEY[-4:]}.", "wrong key: ***"),
        (f"wrong key: ****{KEY[-4:]}", "wrong key: ***"),
        (f'{{"key": "{KEY[5:14]}..."}}', '{"key": "***"}'),
        ("the model is overloaded", "the model is overloaded"),
    ],
)
def test_the_key_is_masked_and_the_rest_stays(said: str, shown: str) -> None:
    assert scrub(said, [KEY]).rstrip(".") == shown.rstrip(".")


@given(st.text(max_size=30), st.integers(0, 18), st.integers(6, 24), st.text(max_size=30))
def test_six_characters_of_a_key_never_get_through(before: str, start: int, length: int, after: str) -> None:
    text = scrub(f"{before}{KEY[start : start + length]}{after}", [KEY])
    assert not any(KEY[at : at + 6] in text for at in range(len(KEY) - 5))


def test_no_secrets_leave_the_text_as_it_is() -> None:
    assert scrub("as it is", [None, ""]) == "as it is"


def test_a_short_secret_is_masked_where_it_stands_whole() -> None:
    assert scrub("token abc here, abcd there", ["abc"]) == "token *** here, ***d there"
