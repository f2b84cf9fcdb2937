"""What a hosted API costs that is paid per token."""

from __future__ import annotations

from typing import TypeVar

from planner.arrays import FloatArray

Amount = TypeVar("Amount", float, FloatArray)


def usd_for_tokens(
    *,
    input_tokens: Amount,
    output_tokens: Amount,
    input_usd_per_million_tokens: float,
    output_usd_per_million_tokens: float,
    cached_input_usd_per_million_tokens: float | None = None,
    prefix_cache_hit_share: float = 0.0,
) -> Amount:
    """Return what so many tokens cost.

    Parameters
    ----------
    input_tokens, output_tokens : float or FloatArray
        Prompt tokens (cached ones among them) and generated tokens.
    input_usd_per_million_tokens, output_usd_per_million_tokens : float
        Prices.
    cached_input_usd_per_million_tokens : float, optional
        Price of prompt tokens that the seller finds in its cache; without it they cost the full price.
    prefix_cache_hit_share : float
        Share of the prompt tokens that are found there.

    Examples
    --------
    >>> usd_for_tokens(
    ...     input_tokens=1e6, output_tokens=1e5, input_usd_per_million_tokens=2.5, output_usd_per_million_tokens=10
    ... )
    3.5
    """
    cached_usd = input_usd_per_million_tokens
    if cached_input_usd_per_million_tokens is not None:
        cached_usd = cached_input_usd_per_million_tokens
    per_input = input_usd_per_million_tokens * (1 - prefix_cache_hit_share) + cached_usd * prefix_cache_hit_share
    return (input_tokens * per_input + output_tokens * output_usd_per_million_tokens) / 1e6
