"""Identity: what makes two rows of two days the same offer."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from pricing.offers import Offer

IDENTITY_COLUMNS: Final = tuple(
    "provider instance_type region zone purchase_option term_months payment offering_class minimum_hours".split()
)
"""The fields of an offer that say what is sold; all others may change while it stays the same thing."""

identity_key = attrgetter(*IDENTITY_COLUMNS)
"""The same as a tuple: faster than the text where many offers are compared."""


def identity_of(offer: Offer) -> str:
    """Return the text under which an offer is known, from day to day.

    Examples
    --------
    >>> from datetime import date
    >>> from pricing.offers import PurchaseOption
    >>> identity_of(Offer(provider="aws", instance_type="p5.48xlarge", region="us-east-1", source="doctest",
    ...     purchase_option=PurchaseOption.ON_DEMAND, price_usd_per_hour=55.04, observed_on=date(2026, 11, 1)))
    'aws|p5.48xlarge|us-east-1||on_demand|0|none||0'
    """
    return identity_text(*identity_key(offer))


def identity_text(  # noqa: PLR0913 - the fields that make an identity
    provider: str,
    instance_type: str,
    region: str,
    zone: str = "",
    purchase_option: str = "",
    term_months: int = 0,
    payment: str = "none",
    offering_class: str = "",
    minimum_hours: float = 0.0,
) -> str:
    """Return the same text from the fields alone, for a row that cannot become an offer."""
    place = f"{provider}|{instance_type}|{region}|{zone}"
    return f"{place}|{purchase_option}|{term_months}|{payment}|{offering_class}|{minimum_hours:g}"
