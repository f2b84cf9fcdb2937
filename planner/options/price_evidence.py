"""Evidence: whether a price is one to count on, by who sells it, its age, the quantity and the market around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from planner.assumptions import Assumptions
from planner.demand.workload import Constraints
from planner.options.option import RENTED, Option, OptionKind, Reason, ReasonCode
from pricing.facts.offers import Offer, PurchaseOption
from pricing.facts.sellers import seller_of, tier_of
from pricing.refresh.gates import Market

DEFAULT_MIN_TIER = "B"
"""Sellers of this tier or better are recommended where the user names none."""
PRIVATE = "private_quote"
MOST_STALENESS = 7
"""Beyond 64 times the limit all prices are as old as each other."""
DAYS_PER_YEAR = 365.25
TIERS_OF_SMALL_LOTS = frozenset({"C", "D"})
BINDS_NO_ONE = frozenset({PurchaseOption.ON_DEMAND, PurchaseOption.SPOT})
LIMITS_OF_MOVING_PRICES: Mapping[str, str] = {
    PurchaseOption.SPOT: "evidence.spot_price_days",
    PurchaseOption.CAPACITY_BLOCK: "evidence.block_price_days",
}


def age_limit_of(kind: str, purchase_option: str) -> str:
    """Return the assumption that says past how many days a price is too old to count on; empty for what no such limit is known of.

    Examples
    --------
    >>> age_limit_of("rent", "spot"), age_limit_of("buy", "cash"), age_limit_of("api", "per_token")
    ('evidence.spot_price_days', 'evidence.server_price_days', '')
    """
    if kind == OptionKind.BUY:
        return "evidence.server_price_days"
    if kind not in RENTED:
        return ""
    return LIMITS_OF_MOVING_PRICES.get(purchase_option, "evidence.list_price_days")


def _age_limit_days(offer: Offer, assumptions: Assumptions) -> float:
    """Return the age past which an offer's price no longer outranks a fresher one."""
    paid = PurchaseOption.SPOT if offer.interruptible else offer.purchase_option
    return assumptions[age_limit_of(OptionKind.RENT, paid)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for or against the prices of a catalog on a day.

    Attributes
    ----------
    today : date
        The day from which ages are counted.
    assumptions : Assumptions
        With the limits, ``evidence.*``.
    market : Market
        What other sellers take.
    quoted_most : mapping of (str, str) to float
        How many accelerators private quotes hold, by provider and instance type; any number where it is not there.
    all_older_days : float
        By how much even the freshest price of the catalog is past the limit of list prices: a catalog that nobody has refreshed.
    """

    today: date
    assumptions: Assumptions
    market: Market
    quoted_most: Mapping[tuple[str, str], float] = field(default_factory=dict)
    all_older_days: float = 0.0

    @classmethod
    def of(
        cls,
        offers: Sequence[Offer],
        assumptions: Assumptions,
        *,
        today: date,
        quoted_most: Mapping[tuple[str, str], float] | None = None,
    ) -> Evidence:
        """Look at all offers of a day.

        Parameters
        ----------
        offers : sequence of Offer
            The whole market, before any constraint.
        assumptions : Assumptions
            Stated limits.
        today : date
            The caller's today.
        quoted_most : mapping of (str, str) to float, optional
            How many accelerators private quotes hold, by provider and instance type.
        """
        listed = [offer for offer in offers if PRIVATE not in offer.flags]
        freshest_days = (today - max((offer.observed_on for offer in listed), default=today)).days
        return cls(
            today=today,
            assumptions=assumptions,
            market=Market.of((), listed),
            quoted_most=quoted_most or {},
            all_older_days=max(freshest_days - assumptions["evidence.list_price_days"], 0.0),
        )

    def tier(self, offer: Offer) -> str:
        """Return the tier of an offer's seller; a private quote is as good as one of the best."""
        return "A" if PRIVATE in offer.flags else tier_of(offer.provider, shared_host=offer.shared_host).letter

    def is_old(self, offer: Offer) -> bool:
        """Return whether a price is older than its class of price may be."""
        return self.age_days(offer.observed_on) > _age_limit_days(offer, self.assumptions)

    def staleness(self, offer: Offer) -> int:
        """Return how much older a price is than its class may be: 0 within the limit, 1 within twice, 2 within four times ...

        Where all prices are past the limit they keep the order that they had when the freshest reached it.
        """
        ratio = (self.age_days(offer.observed_on) - self.all_older_days) / _age_limit_days(offer, self.assumptions)
        return 0 if ratio <= 1 else min(math.ceil(math.log2(ratio)), MOST_STALENESS)

    def spread_share(self, option: Option) -> float:
        """Return how far an option's price may have moved since it was seen: the standard deviation of its logarithm.

        It grows as in a random walk, with the square root of the price's age.
        """
        match option.kind, option.purchase_option:
            case OptionKind.FREE | OptionKind.HAVE, _:
                return 0.0
            case OptionKind.BUY, _:
                kind = "server"
            case OptionKind.API, _:
                kind = "token"
            case _, PurchaseOption.SPOT:
                kind = "spot"
            case _, PurchaseOption.CAPACITY_BLOCK:
                kind = "block"
            case _, PurchaseOption.MARKETPLACE:
                kind = "marketplace"
            case _:
                kind = "hyperscaler_list" if option.tier == "A" else "list"
        years = max(self.age_days(option.priced_on), 0) / DAYS_PER_YEAR
        return self.assumptions[f"evidence.{kind}_spread_share"] * math.sqrt(years)

    def most_accelerators(self, offer: Offer, constraints: Constraints) -> float:
        """Return how many accelerators can be counted on without a commitment or a quote."""
        if PRIVATE in offer.flags:
            return self.quoted_most.get((offer.provider, offer.instance_type), math.inf)
        if (
            offer.purchase_option not in BINDS_NO_ONE
            or not offer.accelerator
            or offer.provider in constraints.providers
        ):
            return math.inf
        if tier_of(offer.provider).letter in TIERS_OF_SMALL_LOTS:
            return self.assumptions["evidence.small_seller_accelerators"]
        return self.assumptions["evidence.on_demand_accelerators"]

    def age_days(self, priced_on: date) -> int:
        """Return how old a price is."""
        return (self.today - priced_on).days

    def against(self, offer: Offer, constraints: Constraints) -> Iterator[Reason]:
        """Say what speaks against an offer, whatever the work; a seller whom the user names is trusted.

        Parameters
        ----------
        offer : Offer
            A price.
        constraints : Constraints
            What the user allows.
        """
        if offer.provider in constraints.providers or PRIVATE in offer.flags:
            return
        if not {"lowest_ask", "median_ask"}.isdisjoint(offer.flags):
            yield Reason(ReasonCode.MARKETPLACE_ASK)
        if "community" in offer.flags:
            yield Reason(ReasonCode.COMMUNITY_HOST)
        letter = self.tier(offer)
        if letter > (constraints.min_tier or DEFAULT_MIN_TIER):
            yield Reason(ReasonCode[f"TIER_{letter}"])
        if "far_below_others" in offer.flags or (letter != "A" and self.market.is_far_below(offer)):
            yield Reason(ReasonCode.FAR_BELOW_OTHERS)


def is_seller(provider: str, names: Sequence[str]) -> bool:
    """Return whether a seller of machines or tokens is one of those named, under whatever name it is listed."""
    seller = seller_of(provider)
    return provider in names or (seller is not None and seller.provider in names)


def against_token_seller(provider: str, constraints: Constraints) -> Iterator[Reason]:
    """Say what speaks against a seller of tokens: machines' tiers do not judge it, unless the user asks for one.

    Parameters
    ----------
    provider : str
        As lists of token prices call it.
    constraints : Constraints
        What the user allows.
    """
    letter = tier_of(provider).letter
    if constraints.min_tier and provider not in constraints.providers and letter > constraints.min_tier:
        yield Reason(ReasonCode[f"TIER_{letter}"])
