"""The same model as a hosted API, paid per token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import TokenInputs
from planner.demand.architecture import Architecture
from planner.demand.models import known_models, resolve_model
from planner.demand.parameters import parameter_count
from planner.demand.volume import Volume
from planner.demand.workload import Batch, Constraints, Embed, EmbedService, Finetune, Serve, Workload
from planner.notes import Note, NoteCode
from planner.options.option import Option, OptionKind, Reason, ReasonCode, unit_costs
from planner.options.price_evidence import against_token_seller, is_seller
from pricing.facts.dates import Dropped, first_day
from pricing.facts.regions import countries_named, country_of_seller
from pricing.facts.sellers import tier_of
from pricing.facts.token_prices import TokenPrice, tuning_prices

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


TUNING = "fine-tuning"
"""How products of hosted fine-tuning are called."""
MOST_DISTANCE = math.log(1.5)
"""Models whose sizes differ by more are no stand-in for each other."""
MODELS_TRIED = 12


def admitted_sellers(
    prices: Sequence[TokenPrice], constraints: Constraints
) -> tuple[list[TokenPrice], tuple[Dropped, ...]]:
    """Return the sellers of tokens that the constraints allow, and how many they leave out.

    Who names providers or places means sellers of machines and of tokens alike. A seller that does not say where it computes
    is in no country, and none sells by a cloud's region.
    """
    named, lands = constraints.providers, countries_named(constraints.countries)
    excluded = constraints.exclude_providers
    kept = [p for p in prices if (not named or p.provider in named) and not is_seller(p.provider, excluded)]
    placed = [
        price for price in kept if not constraints.regions and (not lands or country_of_seller(price.provider) in lands)
    ]
    dropped = (
        Dropped(
            len(prices) - len(kept),
            f"prices per token {' and '.join((*(['not from ' + ', '.join(named)] if named else []), *(['from ' + ', '.join(excluded)] if excluded else [])))}",
        ),
        Dropped(
            len(kept) - len(placed),
            f"prices per token of sellers not known to compute in {', '.join((*constraints.countries, *constraints.regions))}",
        ),
    )
    return placed, tuple(lost for lost in dropped if lost.count)


def hosted_options(
    prices: Sequence[TokenPrice], workload: Workload, work: Volume, assumptions: Assumptions
) -> list[Option]:
    """Return an option for each seller of the model by the token; none for work that is no inference.

    Parameters
    ----------
    prices : sequence of TokenPrice
        Sellers of this model that the constraints allow.
    workload, work : Workload, Volume
        What has to be done.
    assumptions : Assumptions
        Stated assumptions.
    """
    if not isinstance(workload.work, Serve | Batch | Embed | EmbedService):
        return []
    return _options(prices, workload, work, assumptions)


def nearest_hosted(
    architecture: Architecture, prices_of: Callable[[str], Sequence[TokenPrice]], constraints: Constraints
) -> tuple[str, Sequence[TokenPrice]]:
    """Return the model nearest in size that sellers whom the constraints allow offer by the token, and their prices; none without one.

    Parameters
    ----------
    architecture : Architecture
        The model that nobody sells by the token.
    prices_of : callable
        Sellers of a known model.
    constraints : Constraints
        What the user allows.
    """
    size = parameter_count(architecture)
    others = ((name, resolve_model(name)) for name in known_models())
    far = {
        name: abs(math.log(parameter_count(other) / size)) for name, other in others if other.kind == architecture.kind
    }
    near = sorted((name for name, distance in far.items() if distance <= MOST_DISTANCE), key=far.__getitem__)
    for name in near[:MODELS_TRIED]:
        admitted, _ = admitted_sellers(prices_of(name), constraints)
        if admitted:
            return name, admitted
    return "", ()


def token_option_id(price: TokenPrice) -> str:
    """Return the id of the option that a seller of tokens is."""
    return f"api/{price.provider}/{price.model_id}"


def per_run_usd(price: TokenPrice, workload: Workload, input_tokens: Amount, output_tokens: Amount) -> Amount:
    """Return what a seller takes for so many tokens, at the discount that the workload states."""
    list_usd = usd_for_tokens(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        input_usd_per_million_tokens=price.input_usd_per_million_tokens,
        output_usd_per_million_tokens=price.output_usd_per_million_tokens,
        cached_input_usd_per_million_tokens=price.cached_input_usd_per_million_tokens,
        prefix_cache_hit_share=getattr(workload.work, "prefix_cache_hit_share", 0.0),
    )
    return list_usd * (1.0 - workload.discounts.get(price.provider, 0.0))


def _options(prices: Sequence[TokenPrice], workload: Workload, work: Volume, assumptions: Assumptions) -> list[Option]:
    """Return an option for each seller, whatever is done with the tokens."""
    months = workload.horizon_months
    limits = [Note(NoteCode.RATE_LIMITS)]
    if isinstance(workload.work, Serve | EmbedService):
        limits.append(Note(NoteCode.LATENCY_OF_SELLER))
    all_inputs = []
    for price in prices:
        run_usd = float(per_run_usd(price, workload, work.input_tokens, work.output_tokens))
        all_inputs.append(
            TokenInputs(usd_per_month=run_usd * work.runs_per_month, run_usd=0.0 if work.runs_per_month else run_usd)
        )
    if not all_inputs:
        return []
    costs_by_month = timelines(all_inputs, assumptions, months=months, once=not work.runs_per_month)
    all_costs = unit_costs(
        costs_by_month,
        work,
        working_months=[months if work.runs_per_month else 1] * len(all_inputs),
        discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
    )
    return [
        Option(
            id=token_option_id(price),
            kind=OptionKind.API,
            provider=price.provider,
            instance_type=price.model_id,
            purchase_option="per_token",
            timeline=costs_by_month.at(index),
            book=all_inputs[index],
            **costs,
            priced_on=price.priced_on,
            source=price.source,
            tier=tier_of(price.provider).letter,
            not_recommended=tuple(against_token_seller(price.provider, workload.constraints)),
            notes=(*limits, *([Note(NoteCode.AS_STATED, (price.note,))] if price.note else [])),
        )
        for index, (price, costs) in enumerate(zip(prices, all_costs, strict=True))
    ]


def tuning_options(workload: Workload, work: Volume, parameters: float, assumptions: Assumptions) -> list[Option]:
    """Return an option for each seller that fine-tunes a model of this size by the token; shown, since no list is dated.

    Parameters
    ----------
    workload, work : Workload, Volume
        What has to be done; of other kinds there is none.
    parameters : float
        Of the model.
    assumptions : Assumptions
        Stated numbers.
    """
    tuned = workload.work
    if not isinstance(tuned, Finetune):
        return []
    prices = [
        TokenPrice(
            provider=price.provider,
            model_id=f"{TUNING} up to {price.most_parameter_count / 1e9:g}B",
            input_usd_per_million_tokens=price.usd_per_million_tokens,
            output_usd_per_million_tokens=0.0,
            priced_on=first_day(price.as_of),
            source=price.source,
            note=price.notes,
        )
        for price in tuning_prices(tuned.method, parameters)
    ]
    admitted, _ = admitted_sellers(prices, workload.constraints)
    read = replace(work, input_tokens=work.trained_tokens, trained_tokens=0.0)
    reason = Reason(ReasonCode.UNDATED_PRICE)
    return [
        replace(option, not_recommended=(*option.not_recommended, reason))
        for option in _options(admitted, workload, read, assumptions)
    ]
