"""Prices of hosted models per token (from the genai-prices package), and of hosted fine-tuning."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from types import ModuleType

from pricing.clock import utc_now
from pricing.tables import read_facts

NOT_SOLD_TO_ALL = frozenset({"github-copilot", "cursor", "openai-decisions"})
"""Providers of the package that sell no bare tokens to everyone."""
LISTING_WORDS = frozenset(
    ["instruct", "it", "chat", "hf", "turbo", "versatile", "instant", "fast", "lite", "maas", "meta", "v", "latest"]
)
"""Words by which sellers tell apart listings of one and the same network."""


# Thousands of names are taken apart: looking each pattern up by its text takes as long as using it.
PREFIX, SIZE = re.compile(r"^(databricks-|[a-z]+\.)"), re.compile(r"(-v?\d+:\d+|-(4096|8192|32768))$")
FORMAT, POINT, WORD = re.compile(r"fp8|fp16|bf16|awq"), re.compile(r"(\d)p(\d)"), re.compile(r"[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What a hosted model costs per token.

    Attributes
    ----------
    provider, model_id : str
        The seller, and the seller's own name of the model.
    input_usd_per_million_tokens, output_usd_per_million_tokens : float
        Price of 1e6 prompt tokens and of 1e6 generated tokens.
    cached_input_usd_per_million_tokens : float or None
        Price of 1e6 prompt tokens found in the seller's prefix cache; None where it grants no discount.
    priced_on : date
        Day of the newest dated price in the package by then: it knew of no later change. The package keeps no start of most
        prices; one of a day in the past for which it has none has the day on which the package was last brought up to date.
    source : str
        Package and version.
    note : str
        The package's remark on the price.
    """

    provider: str
    model_id: str
    input_usd_per_million_tokens: float
    output_usd_per_million_tokens: float
    cached_input_usd_per_million_tokens: float | None = None
    priced_on: date
    source: str
    note: str = ""


@cache
def _words(name: str) -> tuple[str, ...]:
    text = name.lower().rsplit("/", 1)[-1]
    text = POINT.sub(r"\1.\2", FORMAT.sub("", SIZE.sub("", PREFIX.sub("", text))))
    return tuple(word for word in WORD.findall(text) if word not in LISTING_WORDS)


def same_model(ours: str, listed: str) -> bool:
    """Tell whether a seller's listing is the model that we mean.

    Only makers' and tuning words may differ, so that a derived model is never taken for its base.

    Examples
    --------
    >>> same_model("llama-3.1-70b", "meta.llama3-1-70b-instruct-v1:0")
    True
    >>> same_model("llama-3.1-70b", "nousresearch/hermes-3-llama-3.1-70b")
    False
    >>> same_model("llama-3.1-70b", "accounts/llama-v3p1-70b-instruct")
    True
    """
    words, text = _words(ours), listed.lower()
    # Most listings lack a word of the model: that shows without taking their names apart.
    return all(word in text for word in words) and words == _words(listed)


class _Skipped(ModuleType):
    """Stands for a module that is not wanted; each of its names is None."""

    def __getattr__(self, name: str) -> None:
        return None


def _skip_updates() -> None:
    """Keep the package from loading its updates: nobody here asks for them, and their HTTP client takes longer than all prices."""
    if "genai_prices" not in sys.modules:
        updates = "genai_prices.update_prices"
        sys.modules[updates] = _Skipped(updates)
        import genai_prices  # noqa: F401  for its effect

        del sys.modules[updates]


def sells_tokens(provider: str) -> bool:
    """Return whether a name is that of a seller of tokens, such as ``huggingface_novita``, which may sell no machines."""
    _skip_updates()
    from genai_prices import data_snapshot

    return any(seller.id == provider for seller in data_snapshot.get_snapshot().providers)


def token_prices(model: str, on: date, *, today: date | None = None) -> tuple[TokenPrice, ...]:
    """Return who sells `model` by the token on a day, cheapest input and output together first.

    Parameters
    ----------
    model : str
        Our name of the model.
    on : date
        Day for which prices are wanted; the package knows some of their changes.
    today : date, optional
        Changes of the package up to this day have happened, later ones are announced; the clock's day (UTC) without it.
    """
    from importlib.metadata import version

    _skip_updates()
    from genai_prices import data_snapshot
    from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

    when = datetime.combine(on, time(12), tzinfo=UTC)
    source = f"genai-prices {version('genai-prices')}"

    snapshot = data_snapshot.get_snapshot()

    def starts(listings: Iterable[ModelInfo]) -> list[date]:
        return [
            item.constraint.start_date
            for listing in listings
            if isinstance(listing.prices, list)
            for item in listing.prices
            if isinstance(item.constraint, StartDateConstraint)
        ]

    # The package carries no date of its own; the newest start date of any of its prices tells how fresh it is. Some lie ahead.
    dates = starts(listing for provider in snapshot.providers for listing in provider.models)
    known_on = max((day for day in dates if day <= on), default=on)
    renewed_on = max((day for day in dates if day <= (today or utc_now().date())), default=known_on)

    def usd(price: ModelPrice, key: str) -> float | None:
        value: Decimal | TieredPrices | None = getattr(price, key, None)
        if isinstance(value, TieredPrices):  # the first tier is the one of short prompts
            value = value.base
        return None if value is None else float(value)

    prices = []
    for provider in snapshot.providers:
        if provider.id in NOT_SOLD_TO_ALL:
            continue
        for listing in provider.models:
            comment = listing.price_comments or ""
            if listing.deprecated or "no longer listed" in comment.lower() or listing.id.endswith(":free"):
                continue
            if not same_model(model, listing.id):
                continue
            price = listing.get_prices(when)
            entry, answer = usd(price, "input_mtok"), usd(price, "output_mtok")
            # A listing without a price for prompts is no offer; an embedding has no output.
            if not entry or (answer is None and "embed" not in listing.id and "bge" not in listing.id):
                continue
            prices.append(
                TokenPrice(
                    provider=provider.id,
                    model_id=listing.id,
                    input_usd_per_million_tokens=entry,
                    output_usd_per_million_tokens=answer or 0.0,
                    cached_input_usd_per_million_tokens=usd(price, "cache_read_mtok"),
                    priced_on=known_on if any(day <= on for day in starts([listing])) else max(known_on, renewed_on),
                    source=source,
                    note=comment,
                )
            )
    return tuple(
        sorted(
            prices,
            key=lambda p: (p.input_usd_per_million_tokens + p.output_usd_per_million_tokens, p.provider, p.model_id),
        )
    )


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
