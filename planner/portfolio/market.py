"""The market: everything a portfolio is planned against, and what of it is the same for many workloads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.defaults import with_limits
from planner.demand.workload import Constraints, Workload
from planner.options.energy import assumptions_at, own_place
from planner.options.free import FreeMachine, free_machines
from planner.options.machine_hours import is_wanted
from planner.options.option import OptionKind
from planner.options.owned import OwnableServer
from planner.options.price_evidence import Evidence
from planner.options.rented import planned_price_usd_per_hour, weekly_above_hours
from planner.options.rules import RentTerms
from planner.options.servers import ownable_servers
from planner.plan import Plan, make_plan
from planner.portfolio.costs import HorizonCosts
from planner.portfolio.option_table import Listed
from planner.supply.calibration import Calibration, RememberedCalibration, default_calibration
from planner.supply.candidates import Candidates, find_candidates, machine_of
from planner.supply.machines import Machine
from pricing.catalog import Catalog
from pricing.facts.accelerators import accelerators
from pricing.facts.offers import Offer, offer_id
from pricing.facts.sellers import FreeTier, free_tiers
from pricing.facts.token_prices import TokenPrice, token_prices

T = TypeVar("T")
PRICED_BY_TOKEN = frozenset({"serve", "batch", "embed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedMarket:
    """What one set of constraints leaves, as columns; one entry for each offer.

    Attributes
    ----------
    candidates : Candidates
        The offers themselves.
    listed : tuple of Listed
        What each is as an option, in the order of their ids.
    machine : ndarray of int
        The machine behind each, as a row of the market's machines.
    price, upfront, term_months, step_hours, weekly_above_hours : FloatArray
        Of one instance; `weekly_above_hours` as in `planner.costs.inputs.RentInputs`.
    terms : RentTerms
        What the rules look at.
    is_barred : ndarray of bool
        Whether it is not to be recommended for any work (`planner.options.price_evidence`).
    staleness_count, is_floor_price, most_accelerators : ndarray
        How much too old the price is; whether it is a "from" price; how many accelerators can be counted on without a commitment.
    servers, free : tuple
        What can be bought, and what is free.
    server_machine, free_machine : ndarray of int
        Their machines, as rows of the market's machines.
    """

    candidates: Candidates
    listed: tuple[Listed, ...]
    machine: NDArray[np.intp]
    price: FloatArray
    upfront: FloatArray
    term_months: FloatArray
    step_hours: FloatArray
    weekly_above_hours: FloatArray
    terms: RentTerms
    is_barred: NDArray[np.bool_]
    staleness_count: NDArray[np.int_]
    is_floor_price: NDArray[np.bool_]
    most_accelerators: FloatArray
    servers: tuple[OwnableServer, ...]
    free: tuple[FreeMachine, ...]
    server_machine: NDArray[np.intp]
    free_machine: NDArray[np.intp]


def _listed(name: str, offer: Offer, machine: Machine, row: int) -> Listed:
    return Listed(
        id=name,
        kind=OptionKind.RENT if machine.accelerator else OptionKind.CPU,
        provider=offer.provider,
        region=offer.region,
        instance_type=offer.instance_type,
        purchase_option=offer.purchase_option.value,
        accelerator=offer.accelerator or None,
        accelerator_count=machine.accelerator_count,
        priced_on=offer.observed_on,
        row=row,
    )


def _remembered(kept: dict[Any, T], key: object, make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
    return kept[key]


@dataclass(kw_only=True)
class Market:
    """Offers, assumptions and the day; what was worked out of them is kept for the next shape.

    Attributes
    ----------
    catalog : Catalog
        All offers.
    assumptions : Assumptions
        Stated assumptions.
    today : date
        The caller's today.
    calibration : Calibration, optional
        Fitted constants, from the user's own measurements.
    overrides : mapping of str to tuple of str
        Constraints from the command line, which stand instead of a workload's own.
    horizon_months : int, optional
        The same for the horizon.
    """

    catalog: Catalog
    assumptions: Assumptions
    today: date
    calibration: Calibration | None = None
    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    horizon_months: int | None = None
    _allowed: dict[Constraints, AllowedMarket] = field(default_factory=dict, repr=False)
    _costs: dict[tuple[str, int], HorizonCosts] = field(default_factory=dict, repr=False)
    _sellers: dict[str, tuple[TokenPrice, ...]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out caches, but for the sellers, and facts that are in the package."""
        catalog = replace(self.catalog, accelerators={}, stands_for={})
        fresh = {"catalog": catalog, "_allowed": {}, "_costs": {}}
        return {attribute.name: fresh.get(attribute.name, getattr(self, attribute.name)) for attribute in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, catalog=replace(state["catalog"], accelerators=accelerators()))

    def fingerprint(self) -> str:
        """Return a text that is equal where the same answers come out."""
        offers = sorted(
            (
                offer_id(o),
                o.source,
                o.price_usd_per_hour,
                o.price_median_usd_per_hour or 0.0,
                o.upfront_usd,
                str(o.observed_on),
                o.launchable.value,
                o.flags,
            )
            for o in self.catalog.offers
        )
        said = [
            self.catalog.snapshot,
            str(self.catalog.window),
            str(self.today),
            sorted((name, row.value) for name, row in self.assumptions.rows.items()),
            repr(self.calibration and sorted(self.calibration.rows.items(), key=str)),
            {name: list(value) for name, value in sorted(self.overrides.items())},
            self.horizon_months,
            offers,
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def asked(self, workload: Workload) -> Workload:
        """Return the workload under the command line's constraints and horizon, with the limits that it does not state."""
        workload = with_limits(workload, self.assumptions)
        if not self.overrides and self.horizon_months is None:
            return workload
        constraints = workload.constraints.model_copy(update=dict(self.overrides))
        horizon = {"horizon_months": self.horizon_months} if self.horizon_months else {}
        return workload.model_copy(update={"constraints": constraints, **horizon})

    def sellers(self, model: object, kind: object) -> tuple[TokenPrice, ...]:
        """Return who sells a model by the token, for a kind of work that is priced so."""
        if not isinstance(model, str) or kind not in PRICED_BY_TOKEN:
            return ()
        window = self.catalog.window
        return _remembered(
            self._sellers,
            model,
            lambda: window.split(token_prices(model, self.today), lambda price: price.priced_on, "prices per token")[0],
        )

    def know_all_sellers(self, contents: Iterable[str]) -> None:
        """Look up who sells the models of workloads (as JSON) by the token, for workers that cannot do it themselves."""
        for content in filter(None, contents):
            stated = json.loads(content)
            self.sellers(stated.get("model"), stated.get("kind"))

    @cached_property
    def evidence(self) -> Evidence:
        """What speaks for and against the prices."""
        return Evidence.of(self.catalog.offers, self.assumptions, today=self.today)

    @cached_property
    def free_tiers(self) -> tuple[FreeTier, ...]:
        """What is free."""
        return self.catalog.window.split(free_tiers(), lambda tier: tier.day, "free tiers")[0]

    @cached_property
    def servers(self) -> tuple[OwnableServer, ...]:
        """What can be bought."""
        return tuple(ownable_servers(self.assumptions, self.catalog.window))

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """Every machine that can be rented, owned or had for free, each once: those with accelerators before the others."""
        of_known = [o for o in self.catalog.select(launchable=True).offers if o.accelerator or not o.accelerator_stated]
        machines = [
            *map(machine_of, of_known),
            *(server.machine for server in self.servers),
            *(tier.machine for tier in free_machines(self.free_tiers)),
        ]
        return tuple(sorted(dict.fromkeys(machines), key=lambda machine: machine.accelerator is None))

    @cached_property
    def with_accelerators(self) -> tuple[Machine, ...]:
        """Machines with accelerators."""
        return tuple(machine for machine in self.machines if machine.accelerator)

    @cached_property
    def processors_only(self) -> tuple[Machine, ...]:
        """Machines without accelerators."""
        return self.machines[len(self.with_accelerators) :]

    @cached_property
    def row_of(self) -> dict[Machine, int]:
        """The place of each machine in `machines`."""
        return {machine: row for row, machine in enumerate(self.machines)}

    @cached_property
    def constants(self) -> RememberedCalibration:
        """The constants of the machines, looked up once."""
        return RememberedCalibration((self.calibration or default_calibration()).rows)

    def plan(self, workload: Workload) -> Plan:
        """Return the whole plan of one workload, as ``gpuplan plan`` makes it."""
        return make_plan(
            workload,
            self.catalog,
            self.assumptions,
            today=self.today,
            token_prices=self.sellers(workload.model, workload.kind),
            free_tiers=self.free_tiers,
            calibration=self.calibration,
            in_full=False,
        )

    def costs(self, workload: Workload, months: int | None = None) -> HorizonCosts:
        """Return how money is counted at the workload's place, over its horizon or other months."""
        key = own_place(workload), workload.horizon_months if months is None else months
        return _remembered(self._costs, key, lambda: HorizonCosts(assumptions_at(self.assumptions, key[0]), key[1]))

    def allowed(self, constraints: Constraints) -> AllowedMarket:
        """Return what the constraints leave; limits on number, budget and capital play no part.

        Raises
        ------
        InputError, PricingError
            A name that nothing is known of.
        """
        wide = constraints.model_copy(update=dict.fromkeys(("max_gpus", "max_usd_per_month", "max_capex_usd")))
        return _remembered(self._allowed, wide, lambda: self._allowed_by(wide))

    def _allowed_by(self, constraints: Constraints) -> AllowedMarket:
        candidates = find_candidates(self.catalog, constraints, self.evidence.is_old)
        offers, behind, row_of = candidates.offers, candidates.behind, self.row_of
        servers = tuple(server for server in self.servers if is_wanted(server.machine, constraints))
        free = tuple(tier for tier in free_machines(self.free_tiers) if is_wanted(tier.machine, constraints))
        return AllowedMarket(
            candidates=candidates,
            listed=tuple(map(_listed, candidates.ids, offers, behind, range(len(offers)))),
            machine=np.array([row_of[machine] for machine in behind], dtype=np.intp),
            price=np.array([planned_price_usd_per_hour(offer) for offer in offers], dtype=float),
            upfront=np.array([offer.upfront_usd for offer in offers], dtype=float),
            term_months=np.array([offer.term_months for offer in offers], dtype=float),
            step_hours=np.array([offer.minimum_hours for offer in offers], dtype=float),
            weekly_above_hours=np.array([weekly_above_hours(offer) for offer in offers], dtype=float),
            terms=RentTerms.of(offers, behind, constraints),
            is_barred=np.array([any(self.evidence.against(offer, constraints)) for offer in offers], dtype=bool),
            is_floor_price=np.array(["floor_price" in offer.flags for offer in offers], dtype=bool),
            staleness_count=np.array([self.evidence.staleness(offer) for offer in offers], dtype=int),
            most_accelerators=np.array(
                [self.evidence.most_accelerators(offer, constraints) for offer in offers], dtype=float
            ),
            servers=servers,
            free=free,
            server_machine=np.array([row_of[server.machine] for server in servers], dtype=np.intp),
            free_machine=np.array([row_of[tier.machine] for tier in free], dtype=np.intp),
        )
