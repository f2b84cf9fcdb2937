"""Doubt: how sure a plan's verdict is, and which belief would turn it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from planner.assumptions import Assumptions
from planner.costs.drivers import Alternative
from planner.options.option import Option, OptionKind
from planner.sensitivity import plan_risk, plan_tornado, risk_record

__all__ = ["Doubt", "doubt"]

DRAWS = 10_000
LIST_BELIEF = "rent.price_change_share_per_year"
SPOT_BELIEF = "rent.spot_price_change_share_per_year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What the ranges of the beliefs make of renting against owning.

    Attributes
    ----------
    risk : dict or None
        Probability that owning is cheaper, percentiles of the difference, regret; None where nothing is compared.
    sensitivity : tuple of dict
        What each belief alone does to the saving of owning, the widest first.
    """

    risk: dict[str, Any] | None = None
    sensitivity: tuple[dict[str, Any], ...] = ()


def _alternative(option: Option) -> Alternative:
    site: Literal["home", "colocation"] | None = None
    if option.kind is OptionKind.BUY:
        site = cast("Literal['home', 'colocation']", option.id.rsplit("/", 1)[-1])
    committed = option.purchase_option.startswith(("reserved", "savings_plan"))
    years = int(option.purchase_option[-2]) if committed else 0
    belief = SPOT_BELIEF if option.purchase_option == "spot" else LIST_BELIEF
    return Alternative(name=option.id, timeline=option.timeline, term_months=12 * years, site=site, price_belief=belief)


def doubt(rent: Option | None, owned: Option | None, beliefs: Assumptions) -> Doubt:
    """Draw the beliefs within their ranges, for one rented and one owned option.

    Parameters
    ----------
    rent, owned : Option or None
        The best of each; where one is missing nothing is compared.
    beliefs : Assumptions
        With their ranges.
    """
    if rent is None or owned is None:
        return Doubt()
    pair: Sequence[Alternative] = (_alternative(rent), _alternative(owned))
    found = plan_risk(pair, beliefs, draws=DRAWS)
    if found is None:
        return Doubt()
    bars = plan_tornado(pair[0], pair[1], beliefs)
    return Doubt(
        risk={"rent_id": rent.id, "buy_id": owned.id, **risk_record(found, owned.id)},
        sensitivity=tuple(asdict(bar) for bar in bars),
    )
