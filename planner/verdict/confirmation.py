"""Confirmation: the fleets of the cheapest few options are simulated, and sized anew where the simulation differs from the formula."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from planner.demand.architecture import Architecture
from planner.demand.workload import Serve, Workload
from planner.options.option import Option
from planner.supply.calibration import default_calibration
from planner.supply.machines import Fleet, Layout, Machine, Refusal
from planner.traffic.confirm import Confirmed, confirmed
from planner.verdict.alternatives import alternatives_of
from planner.verdict.supply import Correction, Supply, kin_of_machine

CHEAPEST_SORTS = 3
"""Sorts of machines whose options are the cheapest that may be recommended, beside those of the alternatives that every answer shows."""
MOST_SORTS = 12
"""Sorts of machines that are simulated, at most."""
MOST_TIGHTENINGS = 3
SLACK_RATIO = 0.98
"""Of a limit, within which fewer machines have to stay, so that they do not hold it by chance."""
EASING_POWERS = (1.0, 0.5)
"""How much of its room the formula is given: all of it, then the square root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Fleets as the simulation leaves them.

    Attributes
    ----------
    supply : Supply
        With what was found of its machines.
    fleets, refusals
        As sized; those of simulated machines anew.
    options : tuple of Option
        Of these fleets, ranked.
    by_machine : mapping of Machine to Confirmed
        What was simulated, by what kin have in common.
    """

    supply: Supply
    fleets: dict[Machine, Fleet]
    refusals: tuple[Refusal, ...]
    options: tuple[Option, ...]
    by_machine: Mapping[Machine, Confirmed] = field(default_factory=dict)

    def of_options(self, options: Sequence[Option]) -> dict[str, Confirmed]:
        """Return what was simulated of the fleets of these options, by their ids."""
        by_option = {}
        for option in options:
            simulated = self.by_machine.get(kin_of_machine(option.fleet.machine)) if option.fleet else None
            if simulated and option.fleet and simulated.replica_count == option.fleet.layout.data:
                by_option[option.id] = simulated
        return by_option


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """A service on the machines of one sort."""

    workload: Workload
    work: Serve
    arch: Architecture
    supply: Supply
    machine: Machine

    def sized(self, correction: Correction) -> Fleet | Refusal:
        """Return what the corrected formula asks for."""
        supply = replace(self.supply, corrections={kin_of_machine(self.machine): correction})
        return supply.sized_on(self.workload, [self.machine])[0]

    def simulated(self, fleet: Fleet, *, is_searched: bool = False) -> Confirmed | None:
        """Return what the simulation says of a fleet."""
        calibration = self.supply.calibration or default_calibration()
        return confirmed(self.work, fleet, self.arch, self.supply.assumptions, calibration, is_searched=is_searched)


def confirmation_of(
    workload: Workload, supply: Supply, fleets: dict[Machine, Fleet], refusals: tuple[Refusal, ...], options: tuple[Option, ...]
) -> Confirmation:  # fmt: skip
    """Return the fleets of the cheapest few options confirmed, and sized anew where the simulation differs from the formula.

    Parameters
    ----------
    workload : Workload
        With its defaults filled in; only services are simulated.
    supply, fleets, refusals, options
        As the formula sizes them.
    """
    state = Confirmation(supply=supply, fleets=fleets, refusals=refusals, options=options)
    work, arch = workload.work, supply.architecture
    if not isinstance(work, Serve) or arch is None:
        return state
    tried: dict[Machine, Confirmed | None] = {}
    while new := [machine for machine in _shortlist(state.options) if kin_of_machine(machine) not in tried]:
        corrections = {}
        for machine in new[: MOST_SORTS - len(tried)]:
            service = _Service(workload=workload, work=work, arch=arch, supply=supply, machine=machine)
            correction, result = _settled(service, state.fleets[machine])
            tried[kin_of_machine(machine)] = result
            if correction != Correction():
                corrections[kin_of_machine(machine)] = correction
        state = _revised(state, workload, corrections) if corrections else state
        if len(tried) >= MOST_SORTS:
            break
    return replace(state, by_machine={machine: result for machine, result in tried.items() if result})


def percentiles_of(
    workload: Workload, checked: Confirmation, options: Sequence[Option], shown: Option | None
) -> dict[str, Confirmed]:
    """Return what was simulated of these options' fleets, by their ids; of the shown one with the replicas that 99 % would take."""
    by_option = checked.of_options(options)
    work, arch = workload.work, checked.supply.architecture
    if isinstance(work, Serve) and arch is not None and shown is not None and shown.fleet is not None:
        service = _Service(workload=workload, work=work, arch=arch, supply=checked.supply, machine=shown.fleet.machine)
        if (simulated := service.simulated(shown.fleet, is_searched=True)) is not None:
            by_option[shown.id] = simulated
    return by_option


def _shortlist(options: Sequence[Option]) -> list[Machine]:
    """Return the machines of the cheapest options, one of each kin."""
    cheapest: dict[Machine, Machine] = {}
    for option in options:
        if option.choosable and option.fleet is not None:
            cheapest.setdefault(kin_of_machine(option.fleet.machine), option.fleet.machine)
            if len(cheapest) == CHEAPEST_SORTS:
                break
    for shown in alternatives_of(options).values():
        if shown is not None and shown.choosable and shown.fleet is not None:
            cheapest.setdefault(kin_of_machine(shown.fleet.machine), shown.fleet.machine)
    return list(cheapest.values())


def _revised(state: Confirmation, workload: Workload, corrections: Mapping[Machine, Correction]) -> Confirmation:
    """Size again every machine with the same accelerators as a simulated one."""
    supply = replace(state.supply, corrections={**state.supply.corrections, **corrections})
    touched = [machine for machine in state.fleets if kin_of_machine(machine) in corrections]
    resized = supply.sized_on(workload, touched)
    fleets = {machine: fleet for machine, fleet in state.fleets.items() if kin_of_machine(machine) not in corrections}
    fleets |= {sized.machine: sized for sized in resized if isinstance(sized, Fleet)}
    refusals = (*state.refusals, *(sized for sized in resized if isinstance(sized, Refusal)))
    return replace(state, supply=supply, fleets=fleets, refusals=refusals, options=supply.options(workload, fleets))


def _settled(service: _Service, fleet: Fleet) -> tuple[Correction, Confirmed | None]:
    """Return how the formula has to be corrected on a machine, and what the simulation says of what it then asks for."""
    result = service.simulated(fleet)
    if result is None:
        return Correction(), None
    return _eased(service, fleet, result) if result.service.holds else _tightened(service, fleet, result)


def _ratios(result: Confirmed) -> tuple[float, ...]:
    """Return the limits over the times that the simulation found: infinite without such a time or limit, 0 where it never ends."""
    limits = (result.limits.ttft_ms, result.limits.tpot_ms, result.limits.total_ms)
    pairs = zip(limits, result.service.at_limit_ms, strict=True)
    return tuple(limit / at if at > 0 and math.isfinite(limit) else math.inf for limit, at in pairs)


def _by_ratios(ratios: Iterable[float]) -> Correction:
    ttft, tpot, total = (ratio if math.isfinite(ratio) else 1.0 for ratio in ratios)
    return Correction(ttft_ratio=ttft, tpot_ratio=tpot, total_ratio=total)


def _eased(service: _Service, fleet: Fleet, result: Confirmed) -> tuple[Correction, Confirmed]:
    """Return the fewest machines, of those that the formula asks for with the room that is left, that hold the limits too."""
    slack = [max(SLACK_RATIO * ratio, 1.0) for ratio in _ratios(result)]
    failed: Layout | None = None
    for power in EASING_POWERS:
        correction = _by_ratios(ratio**power for ratio in slack)
        fewer = service.sized(correction)
        if isinstance(fewer, Refusal) or fewer.instance_count >= fleet.instance_count or fewer.layout == failed:
            break
        failed, check = fewer.layout, service.simulated(fewer)
        if check is not None and check.service.holds and min(_ratios(check)) >= 1.0 / SLACK_RATIO:
            return correction, check
    return Correction(), result


def _tightened(service: _Service, fleet: Fleet, first: Confirmed) -> tuple[Correction, Confirmed | None]:
    """Return what holds the limits: what the formula asks for with tighter ones, else more of the same machines."""
    correction, result = Correction(), first
    if 0.0 in _ratios(first):
        return Correction(late_ratio=math.inf), first  # too many requests are longer than the cache
    for _ in range(MOST_TIGHTENINGS):
        tighter = [SLACK_RATIO * ratio if ratio < 1.0 else 1.0 for ratio in _ratios(result)]
        before = (correction.ttft_ratio, correction.tpot_ratio, correction.total_ratio)
        correction = _by_ratios(ratio * change for ratio, change in zip(before, tighter, strict=True))
        more = service.sized(correction)
        if isinstance(more, Refusal):
            if more.stage in {"max_gpus", "max_replicas"}:
                return correction, None
            break
        check = service.simulated(more)
        if check is None or check.service.holds:
            return correction, check
        result = check
    needed = service.simulated(fleet, is_searched=True)
    if needed is None or needed.needed_count is None:
        return Correction(late_ratio=1.0 / min(_ratios(first))), first
    ratio = needed.needed_count / needed.replica_count
    for _ in range(MOST_TIGHTENINGS):
        correction = Correction(count_ratio=ratio)
        more = service.sized(correction)
        check = service.simulated(more) if isinstance(more, Fleet) else None
        if check is None or check.service.holds:
            return correction, check
        # A large fleet is simulated by a part of it, which may just hold what the whole does not.
        ratio += 1.0 / (fleet.instance_count - fleet.spare_instance_count)
    return correction, check
