"""A bill is narrowed down by a few words, and no charge of an accelerator is lost by it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.usage.columns import narrowing_of

WORDS = ("details", "meter", "service")
VALUE = st.sampled_from([None, "", "p5", "m7i", "x"])
CELLS: dict[str, st.SearchStrategy[Any]] = {"rows": st.integers(1, 9), "sku_mark": st.integers(0, 5)}
KIND = st.fixed_dictionaries(CELLS | dict.fromkeys(WORDS, VALUE))


@given(kinds=st.lists(KIND, max_size=12), marks=st.sets(st.integers(0, 5)))
def test_every_charge_of_an_accelerator_passes(kinds: list[dict[str, Any]], marks: set[int]) -> None:
    narrowing = narrowing_of(kinds, marks, WORDS)
    ours = [row for row in kinds if row["sku_mark"] in marks]
    assert all(row[name] in values for row in ours for name, values in narrowing)


def test_the_column_that_tells_most_is_asked_first_and_no_column_that_tells_nothing() -> None:
    kinds: list[dict[str, Any]] = [
        {"rows": 10, "sku_mark": 1, "details": None, "meter": "hours", "service": "a"},
        {"rows": 80, "sku_mark": 2, "details": "m7i", "meter": "hours", "service": "a"},
        {"rows": 10, "sku_mark": 3, "details": None, "meter": "requests", "service": "a"},
    ]
    assert narrowing_of(kinds, {1}, WORDS) == (("details", (None,)), ("meter", ("hours",)))
