"""Supply: whatever may do a workload, and the ranked options that it makes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.parameters import parameter_count
from planner.demand.volume import volume
from planner.demand.workload import Serve, Workload
from planner.notes import Note, NoteCode
from planner.options.free import FreeMachine, free_options
from planner.options.hosted import hosted_options, tuning_options
from planner.options.machine_hours import sized_machines
from planner.options.option import Option, OptionKind
from planner.options.owned import OwnableServer, owned_options
from planner.options.paid_already import PaidAlready, options_paid_already
from planner.options.price_evidence import Evidence
from planner.options.rented import SCALED_TO_ZERO, rented_options
from planner.options.substitutes import cheapest_bridge
from planner.supply.calibration import Calibration
from planner.supply.candidates import Candidates
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine, Refusal, with_more
from planner.supply.serving.candidates import demand_of
from planner.verdict.ranking import ranked, well_founded
from pricing.facts.token_prices import TokenPrice

LOWER_TIERS: tuple[Literal["C", "D"], ...] = ("C", "D")
"""Tiers of sellers that are recommended where no better one sells what the work takes, and the user states no lowest one."""
SELLERS_OF_A_MACHINE = 4
"""Of a part of the supply: what is dearer than these is not taken at another rate either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a simulation has found of the formula that sizes services on a machine.

    Attributes
    ----------
    ttft_ratio, tpot_ratio, total_ratio : float
        Limits by which the formula has to size, over those that shall hold.
    count_ratio : float
        Machines that serve, over those that the formula then asks for.
    late_ratio : float
        Time at the percentile over its limit, where no number of machines holds it; 1 elsewhere.
    """

    ttft_ratio: float = 1.0
    tpot_ratio: float = 1.0
    total_ratio: float = 1.0
    count_ratio: float = 1.0
    late_ratio: float = 1.0

    def applied(self, workload: Workload) -> Workload:
        """Return a service as the formula has to be asked for it."""
        work = workload.work
        if not isinstance(work, Serve) or work.ttft_limit_ms is None or work.tpot_limit_ms is None:
            return workload
        limits = {"ttft_limit_ms": work.ttft_limit_ms * self.ttft_ratio, "tpot_limit_ms": work.tpot_limit_ms * self.tpot_ratio}  # fmt: skip
        if work.total_limit_ms:
            limits["total_limit_ms"] = work.total_limit_ms * self.total_ratio
        return workload.model_copy(update={"serve": work.model_copy(update=limits)})


NO_CORRECTION = Correction()


def kin_of_machine(machine: Machine) -> Machine:
    """Return what all machines with the same accelerators have in common: on them the same fleet serves alike."""
    if machine.accelerator is None:
        return machine
    return replace(machine, vcpus=None, physical_cores=None, memory_gib=None, processor="", cpu_arch="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What may do a workload within its constraints, and what is known of it.

    Attributes
    ----------
    candidates : Candidates
        Offers, and the machine behind each.
    servers : sequence of OwnableServer
        What can be bought.
    free : sequence of FreeMachine
        Free tiers.
    held : sequence of PaidAlready
        What is paid for already.
    token_prices : sequence of TokenPrice
        Sellers of the model by the token.
    evidence : Evidence
        What speaks for and against the prices.
    architecture : Architecture or None
        The model.
    assumptions : Assumptions
        Stated numbers.
    calibration : Calibration or None
        Fitted constants; the shipped ones by default.
    corrections : mapping of Machine to Correction
        What simulations have found of machines, by what their kin have in common.
    """

    candidates: Candidates
    servers: Sequence[OwnableServer]
    free: Sequence[FreeMachine]
    held: Sequence[PaidAlready]
    token_prices: Sequence[TokenPrice]
    evidence: Evidence
    architecture: Architecture | None
    assumptions: Assumptions
    calibration: Calibration | None = None
    corrections: Mapping[Machine, Correction] = field(default_factory=dict)

    def only(self, machines: Collection[Machine], options: Iterable[Option]) -> Supply:
        """Return the part of it that consists of these machines at their cheapest sellers, and all sellers of tokens.

        Parameters
        ----------
        machines : collection of Machine
            What is kept.
        options : iterable of Option
            Ranked, the cheapest first.
        """
        kept = frozenset(machines)
        sold: defaultdict[tuple[OptionKind, bool, Machine], list[str]] = defaultdict(list)
        for option in options:
            if option.fleet is not None and option.fleet.machine in kept:
                sold[option.kind, option.binds, option.fleet.machine].append(option.id.removesuffix(SCALED_TO_ZERO))
        ids = {offer_id for sellers in sold.values() for offer_id in sellers[:SELLERS_OF_A_MACHINE]}
        rows = [row for row, offer_id in enumerate(self.candidates.ids) if offer_id in ids]
        return replace(
            self,
            candidates=self.candidates.at(rows),
            servers=[server for server in self.servers if server.machine in kept],
            free=[free for free in self.free if free.machine in kept],
            held=[held for held in self.held if held.machine in kept],
        )

    def sized(self, workload: Workload) -> tuple[dict[Machine, Fleet], tuple[Refusal, ...]]:
        """Return how many of each machine do the work, and why others do not."""
        machines = dict.fromkeys(
            [
                *self.candidates.machines,
                *(s.machine for s in self.servers),
                *(n.machine for n in self.free),
                *(h.machine for h in self.held),
            ]
        )
        fleets: dict[Machine, Fleet] = {}
        refusals: list[Refusal] = []
        for result in self.sized_on(workload, tuple(machines)):
            if isinstance(result, Fleet):
                fleets[result.machine] = result
            else:
                refusals.append(result)
        return fleets, tuple(refusals)

    def sized_on(self, workload: Workload, machines: Sequence[Machine]) -> list[Fleet | Refusal]:
        """Return how many of each of these machines do the work, as far as simulations have corrected the formulas."""
        groups: defaultdict[Correction, list[Machine]] = defaultdict(list)
        for machine in machines:
            groups[self.corrections.get(kin_of_machine(machine), NO_CORRECTION) if self.corrections else NO_CORRECTION].append(machine)  # fmt: skip
        return [
            _corrected(result, correction, workload)
            for correction, some in groups.items()
            for result in sized_machines(
                correction.applied(workload), self.architecture, tuple(some), self.assumptions, self.calibration
            )
        ]

    def options(self, workload: Workload, fleets: Mapping[Machine, Fleet]) -> tuple[Option, ...]:
        """Return the options of sized machines and of sellers of tokens within the budget, ranked."""
        numbers, constraints = self.assumptions, workload.constraints
        work = volume(workload, numbers["money.hours_per_month"])
        rented = rented_options(self.candidates, fleets, workload, work, numbers, self.evidence)
        hosted = hosted_options(self.token_prices, workload, work, numbers)
        # What does the work until servers are delivered, or takes over from what is paid for, has to be recommended too.
        others = self._well_founded([*rented, *hosted])
        budget = math.inf if constraints.max_usd_per_month is None else constraints.max_usd_per_month
        bridge = cheapest_bridge(others, numbers, max_usd_per_month=budget)
        owned = owned_options(self.servers, fleets, workload, work, numbers, bridge=bridge)
        parameters = parameter_count(self.architecture) if self.architecture else 0.0
        tuned = tuning_options(workload, work, parameters, numbers)
        free = free_options(self.free, fleets, workload, work, numbers)
        held = options_paid_already(self.held, fleets, others, workload, work, numbers, self.evidence.today,
            share_of=lambda owned: self._share_done(owned, fleets[owned.machine], workload),
        )  # fmt: skip
        return ranked(self._well_founded([*others, *owned, *tuned, *free, *held]), constraints)

    def _well_founded(self, options: Sequence[Option]) -> list[Option]:
        return well_founded(options, self.assumptions, age_days=lambda option: self.evidence.age_days(option.priced_on))

    def recommended(self, workload: Workload, fleets: Mapping[Machine, Fleet]) -> tuple[tuple[Option, ...], Workload]:
        """Return the options, and the workload with the tier of seller that has to do where no better one sells what it takes."""
        options = self.options(workload, fleets)
        for tier in LOWER_TIERS if workload.constraints.min_tier is None else ():
            if any(option.choosable for option in options):
                break
            constraints = workload.constraints.model_copy(update={"min_tier": tier})
            lower = workload.model_copy(update={"constraints": constraints})
            lower_options = self.options(lower, fleets)
            if any(option.choosable for option in lower_options):
                return lower_options, lower
        return options, workload

    def _share_done(self, held: PaidAlready, fleet: Fleet, workload: Workload) -> float:
        """Return which part of the work machines that are paid for do, where the whole of it takes a larger fleet."""
        if not isinstance(workload.work, Serve):
            return min(held.count / (fleet.instance_count - fleet.spare_instance_count), 1.0)
        gpus = round(held.count * held.machine.accelerator_count)
        done = estimate(workload, self.architecture, held.machine, gpus, self.assumptions, calibration=self.calibration)
        asked = demand_of(workload, self.assumptions)
        if not isinstance(done, Fleet) or not asked.peak_per_s:
            return 0.0
        return min(done.performance.rate_per_s.typical / (asked.peak_per_s * asked.output_tokens), 1.0)


def _corrected(sized: Fleet | Refusal, correction: Correction, workload: Workload) -> Fleet | Refusal:
    """Return what a simulation leaves of a sized fleet."""
    if isinstance(sized, Refusal) or correction == NO_CORRECTION:
        return sized
    serving, spare = sized.instance_count - sized.spare_instance_count, sized.spare_instance_count
    more = math.ceil(serving * correction.count_ratio - 1e-9) - serving
    fleet = replace(with_more(sized, more) if more else sized, late_ratio=correction.late_ratio)
    if more and workload.serve and fleet.layout.data > (workload.serve.max_replicas or math.inf):
        reason = Note(NoteCode.REPLICAS_ABOVE_LIMIT, (sized.machine.label, workload.serve.max_replicas))
        return Refusal(machine=sized.machine, stage="max_replicas", reason=reason)
    most_accelerators = workload.constraints.max_gpus
    accelerator, per_machine = sized.machine.accelerator, sized.machine.accelerator_count
    if accelerator and most_accelerators is not None and fleet.instance_count * per_machine > most_accelerators:
        figures = (fleet.instance_count * per_machine, accelerator.name, spare, most_accelerators)
        return Refusal(machine=sized.machine, stage="max_gpus", reason=Note(NoteCode.ACCELERATORS_ABOVE_LIMIT, figures))
    return fleet
