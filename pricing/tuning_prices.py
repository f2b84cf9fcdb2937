"""Prices of hosted fine-tuning per token trained on."""

from __future__ import annotations

from dataclasses import dataclass

from pricing.tables import read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPrice:
    """What a seller takes for fine-tuning models up to a size.

    Attributes
    ----------
    provider : str
        The seller.
    methods : str
        Of fine-tuning, with blanks between them.
    most_parameter_count : float
        Parameters of the largest model at this price.
    usd_per_million_tokens : float
        Of 1e6 tokens, epochs counted.
    as_of, source, notes : str
        Who says so and when; all copies lack a date, so the year is that of what they list.
    """

    provider: str
    methods: str
    most_parameter_count: float
    usd_per_million_tokens: float
    as_of: str
    source: str
    notes: str


def tuning_prices(method: str, parameters: float) -> tuple[TuningPrice, ...]:
    """Return the price of each seller that fine-tunes a model of this size by a method.

    Examples
    --------
    >>> [price.provider for price in tuning_prices("lora", 70e9)], tuning_prices("full", 8e9)
    (['fireworks'], ())
    """
    rows = read_facts(TuningPrice, "tuning_prices.csv")
    fitting = [row for row in rows if method in row.methods.split() and parameters <= row.most_parameter_count]
    cheapest = {row.provider: row for row in sorted(fitting, key=lambda row: -row.most_parameter_count)}
    return tuple(cheapest.values())
