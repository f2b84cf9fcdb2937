"""Weighing: the one rule by which something that binds for more than a year is taken before what does not.

The plan, a portfolio's contenders and a plan that is worked out anew decide by it; the page's script and the workbook's cells write it down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from planner.arrays import BoolArray, FloatArray
from planner.options.option import RENTED, OptionKind, Reason, ReasonCode


class Contender(Protocol):
    """What is weighed: an option of a plan, or of its record under other inputs."""

    @property
    def kind(self) -> OptionKind:
        """Its kind."""

    @property
    def binds(self) -> bool:
        """Whether it binds for more than a year."""

    @property
    def present_value_usd(self) -> float:
        """What it costs over the horizon."""


ContenderT = TypeVar("ContenderT", bound=Contender)


def sort_of(option: Contender) -> tuple[OptionKind, bool]:
    """Return an option's sort: its kind, and whether it binds for more than a year."""
    return option.kind, option.binds


def cheapest_of_each_sort(options: Iterable[ContenderT]) -> list[ContenderT]:
    """Return the first of ranked options of each sort (kind, and whether it binds for more than a year), cheapest first."""
    best: dict[tuple[OptionKind, bool], ContenderT] = {}
    for option in options:
        best.setdefault(sort_of(option), option)
    return sorted(best.values(), key=lambda option: option.present_value_usd)


def weighed(
    best: Sequence[Contender], against: Callable[[int, int], Reason | None], if_all_bind: int = 0
) -> tuple[int, list[tuple[int, Reason]]]:
    """Return which contender to take, and which cheaper ones are passed over and why: the one rule for what binds.

    Taken is the cheapest that does not bind for more than a year, unless something cheaper that does has nothing against it.

    Parameters
    ----------
    best : sequence of Contender
        The cheapest of each sort, cheapest first.
    against : callable
        Says what speaks against a row in place of another one that does not bind.
    if_all_bind : int
        The row to take where all of them bind.
    """
    taken = next((row for row, contender in enumerate(best) if not contender.binds), if_all_bind)
    passed_over: list[tuple[int, Reason]] = []
    for row in range(taken):
        reason = against(row, taken)
        if reason is None:
            return row, passed_over
        passed_over.append((row, reason))
    return taken, passed_over


def lacks_margin(contender: Contender, rival: Contender, assumptions: Mapping[str, float]) -> Reason | None:
    """Say whether what binds for more than a year is too little cheaper than what does not."""
    if clears_margin(contender.present_value_usd, rival.present_value_usd, assumptions):
        return None
    return Reason(ReasonCode.MARGIN, (100 * assumptions["verdict.buy_margin_share"],))


def clears_margin(usd: float, rival_usd: float, assumptions: Mapping[str, float]) -> bool:
    """Tell whether what binds for more than a year is enough cheaper than what does not."""
    return usd < rival_usd * (1 - assumptions["verdict.buy_margin_share"])


def pays_off_in_time(month: float | None, months: int, assumptions: Mapping[str, float]) -> bool:
    """Tell whether owning becomes cheaper before the last part of the horizon."""
    return month is not None and month <= months * (1 - assumptions["verdict.last_months_share"])


def without_set_up(best: Sequence[Contender], taken: int, trivial_usd: float) -> int:
    """Return the hosted API in place of rented machines that save next to nothing: these have to be set up first."""
    if best[taken].kind not in RENTED:
        return taken
    usd = best[taken].present_value_usd
    hosted = (row for row, option in enumerate(best) if option.kind is OptionKind.API)
    return next((row for row in hosted if saves_little(usd, best[row].present_value_usd, trivial_usd)), taken)


def saves_little(usd: FloatArray | float, hosted_usd: FloatArray | float, trivial_usd: float) -> BoolArray | bool:
    """Tell where rented machines save next to nothing against a hosted API, of numbers or arrays of one shape."""
    return hosted_usd < usd + trivial_usd
