"""The same model as a hosted API, paid per token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.api import api_timeline, usd_for_tokens
from planner.demand.volume import Volume
from planner.demand.workload import Batch, Embed, Serve, Workload
from planner.options.book import TokenBook
from planner.options.option import Option, OptionKind
from planner.options.unit_costs import unit_costs
from pricing.token_prices import TokenPrice

__all__ = ["hosted_options"]


def hosted_options(
    prices: Sequence[TokenPrice], workload: Workload, work: Volume, beliefs: Assumptions
) -> list[Option]:
    """Return an option for each seller of the model by the token; none for work that is no inference.

    Parameters
    ----------
    prices : sequence of TokenPrice
        Sellers of this model.
    workload, work : Workload, Volume
        What has to be done.
    beliefs : Assumptions
        Stated beliefs.
    """
    months = workload.horizon_months
    # Who names providers means sellers of machines and of tokens alike.
    named = workload.constraints.providers
    prices = [price for price in prices if not named or price.provider in named]
    match workload.work:
        case Serve() | Batch() as inference:
            hit_share = inference.prefix_cache_hit_share
        case Embed():
            hit_share = 0.0
        case _:
            return []
    limits = ["the seller's rate limits apply; ask for your peak rate"]
    if isinstance(workload.work, Serve) and (workload.work.ttft_limit_ms or workload.work.tpot_limit_ms):
        limits.append("latency is the seller's: measure it against your limits")
    options = []
    for price in prices:
        per_run_usd = usd_for_tokens(
            input_tokens=work.input_tokens,
            output_tokens=work.output_tokens,
            input_usd_per_million_tokens=price.input_usd_per_million_tokens,
            output_usd_per_million_tokens=price.output_usd_per_million_tokens,
            cached_input_usd_per_million_tokens=price.cached_input_usd_per_million_tokens,
            prefix_cache_hit_share=hit_share,
        )
        bills = np.full(months, per_run_usd * work.runs_per_month)
        if not work.runs_per_month:
            bills[0] = per_run_usd
        timeline = api_timeline(bills)
        costs = unit_costs(
            timeline,
            work,
            working_months=months if work.runs_per_month else 1,
            discount_rate_share_per_year=beliefs["money.discount_rate_share_per_year"],
        )
        options.append(
            Option(
                id=f"api/{price.provider}/{price.model_id}",
                kind=OptionKind.API,
                provider=price.provider,
                instance_type=price.model_id,
                purchase_option="per_token",
                timeline=timeline,
                book=TokenBook(
                    usd_per_month=per_run_usd * work.runs_per_month,
                    run_usd=0.0 if work.runs_per_month else per_run_usd,
                ),
                present_value_usd=costs.present_value_usd,
                usd_per_month=costs.usd_per_month,
                usd_per_million_tokens=costs.usd_per_million_tokens,
                priced_on=price.priced_on,
                source=price.source,
                notes=(*limits, *([price.note] if price.note else [])),
            )
        )
    return options
