"""Words for people in place of the program's own terms."""

from __future__ import annotations

__all__ = ["BASIS_WORDS", "BOUND_WORDS", "PAYMENT_WORDS", "how_paid"]

PAYMENT_WORDS = {
    "on_demand": "on demand",
    "spot": "spot",
    "reserved_1y": "reserved 1 year",
    "reserved_3y": "reserved 3 years",
    "reserved_5y": "reserved 5 years",
    "savings_plan_1y": "savings plan 1 year",
    "savings_plan_3y": "savings plan 3 years",
    "capacity_block": "capacity block",
    "flex_start": "flex start",
    "calendar": "calendar reservation",
    "marketplace": "marketplace",
    "per_token": "per token",
    "purchase": "bought",
    "free": "free",
}
BOUND_WORDS = {
    "compute": "arithmetic",
    "memory_bandwidth": "memory bandwidth",
    "memory_size": "memory size",
    "interconnect": "the link between accelerators",
    "queueing": "queueing",
    "stated": "what was asked for",
}
BASIS_WORDS = {
    "measured_nearby": "measured nearby",
    "calibrated": "calibrated on measured rows",
    "extrapolated": "extrapolated, no measured row is near",
    "stated": "as stated",
}


def how_paid(purchase_option: str) -> str:
    """Say how an option is paid for.

    Examples
    --------
    >>> how_paid("reserved_3y")
    'reserved 3 years'
    """
    return PAYMENT_WORDS.get(purchase_option, purchase_option.replace("_", " "))
