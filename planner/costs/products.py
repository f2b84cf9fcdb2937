"""Commitment products and their rules: what binds, what can be left and how, what does not go together."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from planner.costs.commitments import cost_if_kept_usd, cost_with_refund_usd, cost_with_resale_usd
from planner.errors import PlanningError

__all__ = ["CommitmentProduct", "block_days", "commitment_products", "exit_costs_usd", "product_of", "why_not_together"]

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentProduct:
    """One product and its rules.

    Attributes
    ----------
    product, provider : str
        Its name here, and who sells it.
    purchase_options : tuple of str
        Under which `pricing.offers.PurchaseOption` it is priced.
    offering_class : str
        Tells products of one purchase option apart (``standard``, ``convertible``, ``compute``, ``ec2_instance``).
    basis : str
        What is promised: ``usage`` of a machine type, ``spend`` per hour, or ``capacity`` at a time.
    terms_months : tuple of int
        Lengths on sale; 0 for products by the day or without a term.
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
    excludes : tuple of str
        Products that do not apply to the same hours.
    discount_least_share, discount_most_share : float or None
        Discounts off on-demand that were seen; None where not known.
    source, as_of, weak, notes : str, str, bool, str
        Who says so, when, whether second-hand; the rest of the rules in words.
    """

    product: str
    provider: str
    purchase_options: tuple[str, ...]
    offering_class: str
    basis: str
    terms_months: tuple[int, ...]
    payments: tuple[str, ...]
    covers_accelerators: bool
    can_be_sold: bool
    can_be_exchanged: bool
    marketplace_fee_share: float
    refund_cap_usd: float
    return_days: int
    excludes: tuple[str, ...]
    discount_least_share: float | None
    discount_most_share: float | None
    source: str
    as_of: str
    weak: bool
    notes: str

    @property
    def way_out(self) -> str:
        """How the rest of a term can be left, in words."""
        ways = []
        if self.can_be_sold:
            ways.append(f"the rest can be sold for a fee of {self.marketplace_fee_share:.0%}")
        if self.refund_cap_usd > 0:
            ways.append(f"up to {self.refund_cap_usd:,.0f} USD a year are refunded")
        if self.can_be_exchanged:
            ways.append("it can be exchanged")
        if self.return_days:
            ways.append(f"small ones can be returned within {self.return_days} days")
        return "; ".join(ways) or "there is no way out: the rest is paid, used or not"


@cache
def commitment_products() -> Mapping[str, CommitmentProduct]:
    """Return every known product by name."""
    text = resources.files("planner").joinpath("facts", "commitment_products.csv").read_text(encoding="utf-8")
    return MappingProxyType({line["product"]: _read(line) for line in csv.DictReader(text.splitlines())})


def _read(line: Mapping[str, str]) -> CommitmentProduct:
    def words(name: str) -> tuple[str, ...]:
        return tuple(filter(None, line[name].split("|")))

    def share(name: str) -> float | None:
        return float(line[name]) if line[name] else None

    return CommitmentProduct(
        product=line["product"],
        provider=line["provider"],
        purchase_options=words("purchase_options"),
        offering_class=line["offering_class"],
        basis=line["basis"],
        terms_months=tuple(int(word) for word in words("terms_months")),
        payments=words("payments"),
        covers_accelerators=line["covers_accelerators"] == "yes",
        can_be_sold=line["can_be_sold"] == "yes",
        can_be_exchanged=line["can_be_exchanged"] == "yes",
        marketplace_fee_share=float(line["marketplace_fee_share"]),
        refund_cap_usd=float(line["refund_cap_usd"]),
        return_days=int(line["return_days"]),
        excludes=words("excludes"),
        discount_least_share=share("discount_least_share"),
        discount_most_share=share("discount_most_share"),
        source=line["source"],
        as_of=line["as_of"],
        weak=line["weak"] == "yes",
        notes=line["notes"],
    )


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


def why_not_together(first: CommitmentProduct, second: CommitmentProduct) -> str:
    """Return why two products do not apply to the same hours; empty where they do.

    Examples
    --------
    >>> block, plan = (commitment_products()[name] for name in ("aws-capacity-block", "aws-savings-plan-compute"))
    >>> why_not_together(plan, block)
    'aws-savings-plan-compute does not apply to hours of aws-capacity-block'
    """
    if first.provider != second.provider:
        return f"{first.product} and {second.product} are of different providers"
    if second.product in first.excludes or first.product in second.excludes:
        return f"{first.product} does not apply to hours of {second.product}"
    return ""


def exit_costs_usd(
    product: CommitmentProduct,
    monthly_usd: float,
    term_months: int,
    exit_month: int,
    *,
    resale_price_share: float = 0.6,
    refunded_before_usd: float = 0.0,
) -> dict[str, float]:
    """Return what a commitment costs in all by each way of leaving it that its product allows.

    Parameters
    ----------
    product : CommitmentProduct
        With its rules.
    monthly_usd, term_months, exit_month : float, int, int
        Payment, term, and the month after which it is not needed any more.
    resale_price_share : float
        What buyers pay for the rest; a market price, hence not in the rules.
    refunded_before_usd : float
        Refunds of the last twelve months, which count against the cap.

    Returns
    -------
    dict of str to float
        ``kept`` always; ``sold`` and ``refunded`` where they are possible.

    Examples
    --------
    >>> exit_costs_usd(commitment_products()["azure-reservation"], 10_400.0, 36, 14)
    {'kept': 374400.0, 'refunded': 324400.0}
    """
    costs = {"kept": cost_if_kept_usd(monthly_usd, term_months)}
    if product.can_be_sold:
        costs["sold"] = cost_with_resale_usd(
            monthly_usd,
            term_months,
            exit_month,
            resale_price_share=resale_price_share,
            marketplace_fee_share=product.marketplace_fee_share,
        )
    if product.refund_cap_usd > 0:
        cap = max(product.refund_cap_usd - refunded_before_usd, 0.0)
        costs["refunded"] = cost_with_refund_usd(monthly_usd, term_months, exit_month, refund_cap_usd=cap)
    return costs


def block_days(hours: float) -> int:
    """Return the days of the shortest Capacity Block that holds so many hours in a row.

    Blocks are sold for 1 to 14 days, and for whole weeks up to 182 days.

    Raises
    ------
    PlanningError
        If no block is that long.

    Examples
    --------
    >>> [block_days(hours) for hours in (1, 24, 25, 14 * 24, 14 * 24 + 1)]
    [1, 1, 2, 14, 21]
    """
    if not hours > 0:
        raise PlanningError(f"a capacity block holds an hour or more, got {hours:g}")
    days = math.ceil(hours / HOURS_PER_DAY - 1e-9)
    if days > 14:
        days = math.ceil(days / 7) * 7
    if days > 182:
        raise PlanningError(
            f"no capacity block is {days} days long: the longest is 182", hint="split the work into several blocks"
        )
    return days
