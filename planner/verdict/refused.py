"""Refused: why there is no plan, where nothing is left that may be recommended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.options.option import Option
from planner.options.rented import rented_options
from planner.supply.candidates import find_candidates
from planner.supply.machines import Refusal
from planner.verdict.funnel import none_recommended, nothing_fits
from planner.verdict.supply import Supply
from pricing.catalog import Catalog, FunnelStep
from pricing.store.errors import NoPricesError


def refuse(
    options: Sequence[Option],
    funnel: Sequence[FunnelStep],
    refusals: Sequence[Refusal],
    stated: Workload,
    workload: Workload,
    options_of: Callable[[Workload], Sequence[Option]],
) -> NoReturn:
    """Stop where nothing does the work, or nothing that does may be recommended; a budget that is too low is named first."""
    budget = workload.constraints.max_usd_per_month
    no_budget = workload.constraints.model_copy(update={"max_usd_per_month": None})
    dearer = options_of(workload.model_copy(update={"constraints": no_budget})) if budget else ()
    sound = next((option for option in dearer if option.choosable), None)
    if not options or (budget and sound is not None and sound.usd_per_month > budget):
        raise nothing_fits(
            funnel, refusals, budget, dearer, workload=stated, has_deadline=math.isfinite(stated.deadline_hours)
        )
    raise none_recommended(options, once=workload.runs_once)


def refuse_rents_out_of_window(
    workload: Workload,
    work: Volume,
    catalog: Catalog,
    supply: Supply,
) -> None:
    """Stop where no rent is left to compare with, and only because of its date: a gap in the data is no reason to buy."""
    if not catalog.out_of_window:
        return
    taken_out = replace(catalog, offers=catalog.out_of_window, funnel=())
    try:
        candidates = find_candidates(taken_out, workload.constraints)
    except InputError:
        return  # a provider or place that none of these has
    fleets, _ = replace(supply, candidates=candidates, servers=(), free=(), held=()).sized(workload)
    rents = rented_options(candidates, fleets, workload, work, supply.assumptions, supply.evidence)
    days = [option.priced_on for option in rents if option.choosable]
    if days:
        first, last = catalog.window.first_on, catalog.window.last_on
        bounds = f"from {first} on" if first and not last else f"until {last}" if not first else f"{first} to {last}"
        raise NoPricesError(
            f"rents that do this work are known, but none with a price from the days asked for ({bounds}); "
            f"theirs are of {min(days)} to {max(days)}",
            hint="allow older prices (--max-age), ask for another day (--as-of), or `gpuplan prices refresh`",
            where=catalog.snapshot,
        )
