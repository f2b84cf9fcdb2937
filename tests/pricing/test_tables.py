"""Tables: what is written is read back, and what is wrong is told whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.errors import PricingError
from pricing.facts.offers import Offer, PricePart
from pricing.tables import (
    facts_path,
    frame,
    read_facts,
    read_rows,
    refuse_faults,
    refuse_unless_above_zero,
    text_of_rows,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One field of each kind that a table can hold."""

    name: str
    price_usd: float
    colour: Colour
    bought_on: date
    new: bool
    month_count: int = 12
    resale_usd: float | None = None
    age_months: int | None = None
    sold_on: date | None = None
    owner: str | None = None
    words: tuple[str, ...] = ()
    parts: tuple[PricePart, ...] = ()
    readings: tuple[tuple[datetime, float], ...] = ()
    notes: str = ""

    def __post_init__(self) -> None:
        refuse_faults(refuse_unless_above_zero(self, "price_usd"))


numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
above_zero = st.floats(min_value=1e-300, max_value=1e300)
texts = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=20)
words = st.text(st.characters(exclude_characters="\r\0|", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda word: word == word.strip()
)
dates = st.dates(date(1990, 1, 1), date(2100, 1, 1))
rows = st.builds(
    Everything,
    name=texts,
    price_usd=above_zero,
    colour=st.sampled_from(Colour),
    bought_on=dates,
    new=st.booleans(),
    month_count=st.integers(-(10**12), 10**12),
    resale_usd=st.none() | numbers,
    age_months=st.none() | st.integers(0, 10**6),
    sold_on=st.none() | dates,
    owner=st.none() | words,
    words=st.lists(words, max_size=3).map(tuple),
    parts=st.lists(
        st.builds(PricePart, name=texts, quantity=above_zero, price_usd_per_hour=above_zero), max_size=2
    ).map(tuple),
    readings=st.lists(st.tuples(st.datetimes(), numbers), max_size=2).map(tuple),
    notes=texts,
)


@given(st.lists(rows, max_size=5))
def test_rows_come_back_from_csv_as_they_were_written(written: list[Everything]) -> None:
    assert read_rows(Everything, text_of_rows(Everything, written), where="t.csv") == written


@pytest.mark.slow
@settings(deadline=None)  # the first example imports pandas
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_frame_has_a_row_for_each_and_the_columns_of_the_type(held: list[Everything]) -> None:
    table = frame(Everything, held)
    assert len(table) == len(held)
    assert list(table.columns) == text_of_rows(Everything, held).splitlines()[0].split(",")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_never_written(bad: float) -> None:
    row = Everything(name="x", price_usd=1, colour=Colour.RED, bought_on=date(2026, 1, 1), new=True, resale_usd=bad)
    with pytest.raises(ValueError, match="a missing number is None"):
        text_of_rows(Everything, [row])


@pytest.mark.parametrize("word", ["", "a|b"])
def test_words_that_would_come_back_as_others_are_refused(word: str) -> None:
    row = Everything(name="x", price_usd=1, colour=Colour.RED, bought_on=date(2026, 1, 1), new=True, words=(word,))
    with pytest.raises(ValueError, match="cannot be one of several words"):
        text_of_rows(Everything, [row])


def test_all_faults_of_a_table_are_told_at_once_with_their_lines() -> None:
    text = (
        "name,price_usd,colour,bought_on,new\n"
        "a,cheap,red,2026-01-01,yes\n"
        "b,0,green,2026-13-01,perhaps\n"
        "c,0,red,2026-01-01,yes\n"
        "d,1\n"
        "e,nan,red,2026-01-01,no\n"
    )
    with pytest.raises(PricingError) as caught:
        read_rows(Everything, text, where="mine.csv")
    assert caught.value.where == "mine.csv"
    assert caught.value.message.splitlines() == [
        "line 2, column price_usd: expected a number, got 'cheap'",
        "  line 3, column colour: expected one of red, blue, got 'green'",
        "  line 3, column bought_on: expected a date such as 2026-07-30, got '2026-13-01'",
        "  line 3, column new: expected yes or no, got 'perhaps'",
        "  line 4: price_usd must be above 0, got 0",
        "  line 5: 5 cells expected, got 2",
        "  line 6, column price_usd: expected a finite number, got 'nan'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the table is empty; its first line must name the columns"),
        ("name,prise_usd,colour,bought_on,new\n", "line 1: unknown column 'prise_usd'; did you mean price_usd?"),
        ("name,name,price_usd,colour,bought_on,new\n", "line 1: the column name appears twice"),
        ("name\n", "line 1: the column price_usd is missing"),
    ],
)
def test_a_header_that_does_not_fit_is_told_with_the_way_out(text: str, message: str) -> None:
    with pytest.raises(PricingError) as caught:
        read_rows(Everything, text, where="t.csv")
    assert message in caught.value.message


def test_a_spreadsheets_byte_order_mark_and_blanks_are_no_fault() -> None:
    text = "\ufeffname,price_usd,colour,bought_on,new,month_count\nx, 2.5 ,red,2026-01-01,no,\n"
    (row,) = read_rows(Everything, text, where="t.csv")
    assert (row.price_usd, row.month_count) == (2.5, 12)


def test_the_bundled_reader_and_the_judging_reader_give_the_same_offers() -> None:
    text = facts_path("offers.csv").read_text(encoding="utf-8")
    assert list(read_facts(Offer, "offers.csv")) == read_rows(Offer, text, where="offers.csv")


def test_a_missing_table_says_which() -> None:
    with pytest.raises(PricingError, match=r"no_such\.csv is missing"):
        read_facts(Offer, "no_such.csv")
