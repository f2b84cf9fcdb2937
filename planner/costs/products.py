"""Commitment products and their rules: what binds, what can be left and how, what does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pricing.tables import read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentProduct:
    """One product and its rules.

    Attributes
    ----------
    product, provider : str
        Its name here, and who sells it.
    purchase_options : tuple of str
        Under which `pricing.facts.offers.PurchaseOption` it is priced.
    offering_class : str
        Tells products of one purchase option apart (``standard``, ``convertible``, ``compute``, ``ec2_instance``).
    basis : str
        What is promised: ``usage`` of a machine type, ``spend`` per hour, or ``capacity`` at a time.
    payments : tuple of str
        When it may be paid: ``none``, ``partial`` or ``all`` upfront, ``monthly``.
    covers_accelerators : bool
        Whether accelerators are discounted at all.
    can_be_sold, can_be_exchanged : bool
        Whether the rest of a term can be sold to someone else, or changed for another commitment.
    marketplace_fee_share, refund_cap_usd : float
        Fee of such a sale; most that is refunded in twelve months (0 for no refund).
    return_days : int
        Days after the purchase in which it can be undone.
    weekly_above_days, longest_days : float or None
        A dated block is sold by the day up to so many days, then by whole weeks, up to so many days in all; None where its
        seller sets no such rule.
    most_at_once_count, most_count : int or None
        Most instances in one block, and in all blocks of one customer.
    excludes : tuple of str
        Products that do not apply to the same hours.
    source, as_of, weak, notes : str, str, bool, str
        Who says so, when, whether second-hand; the rest of the rules in words.
    """

    product: str
    provider: str
    purchase_options: tuple[str, ...]
    offering_class: str
    basis: str
    payments: tuple[str, ...]
    covers_accelerators: bool
    can_be_sold: bool
    can_be_exchanged: bool
    marketplace_fee_share: float
    refund_cap_usd: float
    return_days: int
    weekly_above_days: float | None
    longest_days: float | None
    most_at_once_count: int | None
    most_count: int | None
    excludes: tuple[str, ...]
    source: str
    as_of: str
    weak: bool
    notes: str


@cache
def commitment_products() -> Mapping[str, CommitmentProduct]:
    """Return every known product by name."""
    rows = read_facts(CommitmentProduct, "commitment_products.csv", "planner")
    return MappingProxyType({row.product: row for row in rows})


@cache
def product_of(provider: str, purchase_option: str, offering_class: str = "") -> CommitmentProduct | None:
    """Return the product behind an offer; None for one without rules of its own (plain on-demand, spot).

    Without a class, the first product of the purchase option is meant (AWS: standard reserved instances).

    Examples
    --------
    >>> product_of("azure", "reserved_3y").refund_cap_usd
    50000.0
    >>> product_of("aws", "savings_plan_1y", "ec2_instance").basis
    'spend'
    """
    if purchase_option == "on_demand":
        return None
    return next(
        (
            product
            for product in commitment_products().values()
            if product.provider == provider
            and purchase_option in product.purchase_options
            and offering_class in {"", product.offering_class}
        ),
        None,
    )
