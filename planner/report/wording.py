"""Wording: what the codes of the planner say to a reader."""

from __future__ import annotations

from collections.abc import Sequence

from planner.options.option import Reason, ReasonCode
from planner.report.figures import months_text
from pricing.facts.dates import Dropped

REASONS = {
    ReasonCode.RECLAIMABLE: "the provider can reclaim the machines at any time",
    ReasonCode.BLOCK_TOO_SHORT: "can be kept for at most {:g} days at a time, each time at the price of the day",
    ReasonCode.BLOCK_TOO_LARGE: "capacity blocks hold at most {:g} instances for one customer",
    ReasonCode.GANG_RECLAIMABLE: "one reclaimed machine stops them all, and another one before the deadline is not guaranteed",
    ReasonCode.NO_TIME_TO_REPEAT: "if reclaimed near the end, the run could not be repeated before the deadline",
    ReasonCode.MARKETPLACE_ASK: "the lowest ask of one day on a marketplace, not a price list",
    ReasonCode.COMMUNITY_HOST: "a community host, without the guarantees of a data center",
    ReasonCode.FAR_BELOW_OTHERS: "it is more than 40 % below every other seller of this GPU, and no second source confirms it",
    ReasonCode.SINGLE_RUN: "a server is not bought for a single run: it would be delivered after the work is done",
    ReasonCode.DELIVERED_TOO_LATE: "delivery takes {:g} months, but the horizon ends after {:g}",
    ReasonCode.NO_BRIDGE: "delivery takes {:g} months, and nothing within the constraints can do the work until then",
    ReasonCode.CAPEX_ABOVE_LIMIT: "it costs {:,.0f} USD to buy, and the limit is {:,.0f}",
    ReasonCode.SERVICE_AT_HOME: "a service needs redundant power and someone on call, which a home does not have",
    ReasonCode.SINGLE_SERVER: "a service on one server of your own stops while it is repaired (serve.spare_replicas: 1 prices a second one)",
    ReasonCode.CONSUMER_LICENSE: "NVIDIA's license of GeForce drivers does not allow data centers",
    ReasonCode.QUOTA_UNPUBLISHED: "the hours it grants are not published",
    ReasonCode.CREDIT: "a credit lowers the price once, and is gone when something else has used it",
    ReasonCode.SESSION_TOO_SHORT: "a session ends after {:g} h, but the run takes {:.1f} h",
    ReasonCode.NEEDS_XLA: "runs only programs written for XLA (JAX, PyTorch/XLA), which most are not",
    ReasonCode.TIER_B: "a seller of tier B, below the tier asked for",
    ReasonCode.TIER_C: "a seller of tier C: no independent rating of bronze or better, and no SLA with stated nodes and regions",
    ReasonCode.TIER_D: "a seller of tier D: a marketplace, a reseller, a community host or shared GPUs",
    ReasonCode.QUANTITY: "more than {:g} GPUs on demand cannot be counted on without a commitment or a quote",
    ReasonCode.PRICE_OLD: "its price is {:.0f} days old, and fresher ones are known",
    ReasonCode.FLOOR_PRICE: 'its price is a "from" price, not that of a stated machine: ask the seller for a quote',
    ReasonCode.COLD_START_UNKNOWN: "it sleeps between requests, and how long it takes to wake up is not stated",
    ReasonCode.FREE_TIER: "a free tier is for individuals and trials, and its terms often forbid commercial use; allow it with free_tiers",
    ReasonCode.MARGIN: "it ties you in for more than a year, and is less than {:g} % cheaper than what does not",
    ReasonCode.CONFIDENCE: "it ties you in for more than a year, and is cheaper in only {:.0f} % of random draws",
    ReasonCode.PAYS_OFF_LATE: "it pays off only in the last months of the horizon, or through its resale",
    ReasonCode.TOO_FEW_OWNED: "you have {:g} of these machines, and {:g} are needed",
    ReasonCode.OUTLASTS_RUN: "it ties you in for {:g} months, and the run is over in {}",
    ReasonCode.UNDATED_PRICE: "its price list bears no date: confirm it before you rely on it",
    ReasonCode.QUOTES: "more than {:g} GPUs are bought on quotes from several vendors, and the list price of one server is only a guide",
    ReasonCode.LIMITS_MISSED: "in the simulation too many requests take longer than a limit allows, and more machines do not help",
    ReasonCode.SPEED_EXTRAPOLATED: "its speed is extrapolated, since nothing similar has been measured: test it before you rely on it",
}

BRIEFLY = {
    ReasonCode.RECLAIMABLE: "can be reclaimed",
    ReasonCode.GANG_RECLAIMABLE: "can be reclaimed",
    ReasonCode.NO_TIME_TO_REPEAT: "can be reclaimed",
    ReasonCode.BLOCK_TOO_SHORT: "block too short",
    ReasonCode.BLOCK_TOO_LARGE: "block too large",
    ReasonCode.MARKETPLACE_ASK: "marketplace ask",
    ReasonCode.FAR_BELOW_OTHERS: "unconfirmed price",
    ReasonCode.SERVICE_AT_HOME: "at home",
    ReasonCode.SINGLE_SERVER: "one server, no spare",
    ReasonCode.CONSUMER_LICENSE: "driver license",
    ReasonCode.NEEDS_XLA: "needs XLA",
    ReasonCode.LIMITS_MISSED: "misses a limit",
    ReasonCode.TIER_B: "seller below the tier asked for",
    ReasonCode.TIER_C: "seller without rating or SLA",
    ReasonCode.TIER_D: "marketplace or reseller",
    ReasonCode.QUANTITY: "needs a quote",
    ReasonCode.QUOTES: "needs quotes",
    ReasonCode.PRICE_OLD: "old price",
    ReasonCode.UNDATED_PRICE: "undated price",
    ReasonCode.MARGIN: "saves too little to be tied in",
    ReasonCode.CONFIDENCE: "ties you in, too uncertain",
    ReasonCode.PAYS_OFF_LATE: "pays off too late",
    ReasonCode.OUTLASTS_RUN: "outlasts the run",
}
"""Reasons in a word or three, for a legend; others as their code reads."""


def brief_reason(code: str) -> str:
    """Return why an option is not recommended, in a word or three.

    Examples
    --------
    >>> brief_reason("tier_c"), brief_reason("single_run")
    ('seller without rating or SLA', 'single run')
    """
    return BRIEFLY.get(ReasonCode(code), code.replace("_", " "))


COMPONENTS = {
    "on_demand": "instance hours used",
    "kept_hours": "instance hours kept, busy or idle",
    "in_advance": "instance hours bought ahead",
    "commitment": "committed hours, used or not",
    "upfront": "paid at the start of a term",
    "credit": "provider's credits used",
    "rest_of_term": "months of a term beyond the horizon",
    "support_of_use": "support plan on hours used",
    "support_of_commitment": "support plan on commitments",
    "support_of_upfront": "support plan on upfront payments",
    "storage": "storage, billed also while machines are off",
    "egress": "data sent out",
    "fees": "other monthly fees",
    "servers": "servers",
    "network": "switches and cables between servers",
    "install": "delivery and installation",
    "refresh": "servers and network replaced",
    "resale": "resale of used hardware, less the cost of selling",
    "idle_power": "electricity when idle",
    "busy_power": "extra electricity under load",
    "colocation": "space and power capacity",
    "staff": "staff",
    "support": "hardware support contract",
    "spares": "spare parts and replacements",
    "software": "software licenses",
    "running": "running costs per clock hour",
    "running_with_use": "running costs per used hour",
    "bridge_rent": "rent until delivery",
    "bridge_ahead": "rent until delivery, paid ahead",
    "bridge_fixed": "committed rent until delivery",
    "down_payment": "down payment",
    "loan": "interest and principal",
    "loan_payoff": "what is still owed when the hardware is sold",
    "lease": "lease payments in advance",
    "depreciation_tax_shield": "tax saved by depreciation",
    "tax_on_resale": "tax on what a sale brings above book value",
    "tokens": "tokens of a hosted API",
}
"""The items of a timeline (`planner.costs.timeline.COMPONENTS`)."""


def reason_text(reason: Reason) -> str:
    """Return why an option is not recommended, as the end of a sentence.

    Examples
    --------
    >>> reason_text(Reason(ReasonCode.DELIVERED_TOO_LATE, (3, 2)))
    'delivery takes 3 months, but the horizon ends after 2'
    """
    figures: tuple[float | str, ...] = reason.figures
    if reason.code is ReasonCode.OUTLASTS_RUN:
        figures = (figures[0], months_text(reason.figures[1]))
    return REASONS[reason.code].format(*figures)


def dropped_text(dropped: Sequence[Dropped]) -> str:
    """Return what the filters took out.

    Examples
    --------
    >>> dropped_text([Dropped(1200, "offers not in US"), Dropped(3, "server prices dated after 2025-01-01")])
    '1,200 offers not in US; 3 server prices dated after 2025-01-01'
    """
    return "; ".join(f"{part.count:,} {part.reason}" for part in dropped)
