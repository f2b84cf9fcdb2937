"""The market: everything a portfolio is planned against, and what of it is the same for many workloads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.workload import Constraints, Workload
from planner.options.free import LentMachine, lent_machines
from planner.options.owned import OwnableServer
from planner.options.place import beliefs_at
from planner.options.rented import planned_price_usd_per_hour
from planner.options.servers import ownable_servers
from planner.plan import Plan, is_wanted, make_plan
from planner.portfolio.money import Purse, purse_of
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.candidates import Candidates, find_candidates, machine_of
from planner.supply.machines import Machine
from planner.supply.remembered import RememberedCalibration
from pricing.accelerators import accelerators
from pricing.catalog import Catalog
from pricing.free_tiers import FreeTier, free_tiers
from pricing.offers import Offer, PurchaseOption, offer_id
from pricing.token_prices import TokenPrice, token_prices

__all__ = ["Market", "Shelf"]

T = TypeVar("T")
FloatArray = NDArray[np.float64]
PRICED_BY_TOKEN = frozenset({"serve", "batch", "embed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What one set of constraints leaves, as columns; one entry for each offer.

    Attributes
    ----------
    candidates : Candidates
        The offers themselves.
    offers : tuple of Offer
        In the order of their ids.
    ids : tuple of str
        Of the offers.
    machine : ndarray of int
        The machine behind each, as a row of the market's machines.
    machines : tuple of Machine
        Those of the market.
    price, upfront, term_months, step_hours : FloatArray
        Of one instance.
    interruptible, is_block, asked_for, is_stranger, is_cpu, on_demand : ndarray of bool
        Whether it can be taken back; is sold in dated blocks; is paid in a way that the user named; is a stranger's machine
        whose provider the user did not name; has processors only; binds no one.
    servers, lent : tuple
        What can be bought, and what is lent for free.
    server_machine, lent_machine : ndarray of int
        Their machines, as rows of `machines`.
    """

    candidates: Candidates
    offers: tuple[Offer, ...]
    ids: tuple[str, ...]
    machine: NDArray[np.intp]
    machines: tuple[Machine, ...]
    price: FloatArray
    upfront: FloatArray
    term_months: FloatArray
    step_hours: FloatArray
    interruptible: NDArray[np.bool_]
    is_block: NDArray[np.bool_]
    asked_for: NDArray[np.bool_]
    is_stranger: NDArray[np.bool_]
    is_cpu: NDArray[np.bool_]
    on_demand: NDArray[np.bool_]
    servers: tuple[OwnableServer, ...]
    lent: tuple[LentMachine, ...]
    server_machine: NDArray[np.intp]
    lent_machine: NDArray[np.intp]


def _remembered(kept: dict[Any, T], key: Any, make: Callable[[], T]) -> T:  # noqa: ANN401  any key that can be hashed
    if key not in kept:
        kept[key] = make()
    return kept[key]


@dataclass(kw_only=True)
class Market:
    """Offers, beliefs and the day; what was worked out of them is kept for the next shape.

    Attributes
    ----------
    catalog : Catalog
        All offers.
    beliefs : Assumptions
        Stated beliefs.
    today : date
        The caller's today.
    calibration : Calibration, optional
        Fitted constants, where the user measured for himself.
    overrides : mapping of str to tuple of str
        Constraints from the command line, which stand instead of a workload's own.
    horizon_months : int, optional
        The same for the horizon.
    """

    catalog: Catalog
    beliefs: Assumptions
    today: date
    calibration: Calibration | None = None
    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    horizon_months: int | None = None
    _shelves: dict[Constraints, Shelf] = field(default_factory=dict, repr=False)
    _purses: dict[tuple[str, int], Purse] = field(default_factory=dict, repr=False)
    _sellers: dict[str, tuple[TokenPrice, ...]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave what was worked out at home; a worker works it out again. Facts are in the package."""
        state = {
            name: getattr(self, name) for name in ("beliefs", "today", "calibration", "overrides", "horizon_months")
        }
        return {
            **state,
            "offers": self.catalog.offers,
            "snapshot": self.catalog.snapshot,
            "notes": self.catalog.notes,
            "sellers": self._sellers,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        catalog = Catalog(
            offers=state.pop("offers"),
            snapshot=state.pop("snapshot"),
            accelerators=accelerators(),
            notes=state.pop("notes"),
        )
        sellers = state.pop("sellers")
        self.__init__(catalog=catalog, **state, _sellers=sellers)  # type: ignore[misc]

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
            str(self.today),
            sorted((name, row.value) for name, row in self.beliefs.rows.items()),
            repr(self.calibration and sorted(self.calibration.rows.items(), key=str)),
            {name: list(value) for name, value in sorted(self.overrides.items())},
            self.horizon_months,
            offers,
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def asked(self, workload: Workload) -> Workload:
        """Return the workload under the command line's constraints and horizon."""
        if not self.overrides and self.horizon_months is None:
            return workload
        constraints = workload.constraints.model_copy(update=dict(self.overrides))
        horizon = {"horizon_months": self.horizon_months} if self.horizon_months else {}
        return workload.model_copy(update={"constraints": constraints, **horizon})

    def sellers(self, workload: Workload) -> tuple[TokenPrice, ...]:
        """Return who sells the workload's model by the token."""
        model = workload.model
        if not isinstance(model, str) or workload.kind not in PRICED_BY_TOKEN:
            return ()
        return self._sellers_of(model)

    def _sellers_of(self, model: str) -> tuple[TokenPrice, ...]:
        return _remembered(self._sellers, model, lambda: token_prices(model, self.today))

    def know_all_sellers(self, contents: Iterable[str]) -> None:
        """Look up who sells the models of workloads by the token, for workers that cannot do it themselves.

        Parameters
        ----------
        contents : iterable of str
            Workloads as JSON.
        """
        for content in contents:
            found = json.loads(content) if content else {}
            model = found.get("model")
            if isinstance(model, str) and found.get("kind") in PRICED_BY_TOKEN:
                self._sellers_of(model)

    @cached_property
    def free_tiers(self) -> tuple[FreeTier, ...]:
        """What is lent for free."""
        return tuple(free_tiers())

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """Every machine that can be rented, owned or had for free, each once: those with accelerators before the others."""
        return (*self.with_accelerators, *self.processors_only)

    @cached_property
    def with_accelerators(self) -> tuple[Machine, ...]:
        """Machines with accelerators."""
        return tuple(machine for machine in self._all if machine.accelerator is not None)

    @cached_property
    def processors_only(self) -> tuple[Machine, ...]:
        """Machines without accelerators."""
        return tuple(machine for machine in self._all if machine.accelerator is None)

    @cached_property
    def _all(self) -> dict[Machine, None]:
        known = [o for o in self.catalog.select(launchable=True).offers if o.accelerator or not o.accelerator_stated]
        servers, lent = ownable_servers(self.beliefs), lent_machines(self.free_tiers)
        found = [*map(machine_of, known), *(s.machine for s in servers), *(one.machine for one in lent)]
        return dict.fromkeys(found)

    @cached_property
    def _rows(self) -> dict[Machine, int]:
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
            self.beliefs,
            today=self.today,
            token_prices=self.sellers(workload),
            free_tiers=self.free_tiers,
            calibration=self.calibration,
        )

    def purse(self, workload: Workload) -> Purse:
        """Return how money is counted at the workload's place over its horizon."""
        place, months = workload.own.place, workload.horizon_months
        return _remembered(self._purses, (place, months), lambda: purse_of(beliefs_at(self.beliefs, place), months))

    def shelf(self, constraints: Constraints) -> Shelf:
        """Return what the constraints leave; limits on number and budget play no part.

        Raises
        ------
        InputError, PricingError
            A name that nothing is known of.
        """
        wide = constraints.model_copy(update={"max_gpus": None, "max_usd_per_month": None})
        return _remembered(self._shelves, wide, lambda: self._shelf(wide))

    def _shelf(self, constraints: Constraints) -> Shelf:
        candidates = find_candidates(self.catalog, constraints)
        servers = tuple(s for s in ownable_servers(self.beliefs) if is_wanted(s.machine, constraints))
        lent = tuple(one for one in lent_machines(self.free_tiers) if is_wanted(one.machine, constraints))
        offers = candidates.offers
        behind = [candidates.machine_by_id[offer_id(offer)] for offer in offers]
        row_of = self._rows
        return Shelf(
            candidates=candidates,
            offers=offers,
            ids=tuple(offer_id(offer) for offer in offers),
            machine=np.array([row_of[machine] for machine in behind], dtype=np.intp),
            machines=self.machines,
            price=np.array([planned_price_usd_per_hour(offer) for offer in offers], dtype=float),
            upfront=np.array([offer.upfront_usd for offer in offers], dtype=float),
            term_months=np.array([offer.term_months for offer in offers], dtype=float),
            step_hours=np.array([offer.minimum_hours for offer in offers], dtype=float),
            interruptible=np.array([offer.interruptible for offer in offers], dtype=bool),
            is_block=np.array([offer.purchase_option is PurchaseOption.CAPACITY_BLOCK for offer in offers], dtype=bool),
            asked_for=np.array([offer.purchase_option in constraints.purchase for offer in offers], dtype=bool),
            is_stranger=np.array(
                [offer.shared_host and offer.provider not in constraints.providers for offer in offers], dtype=bool
            ),
            is_cpu=np.array([machine.accelerator is None for machine in behind], dtype=bool),
            on_demand=np.array([offer.purchase_option is PurchaseOption.ON_DEMAND for offer in offers], dtype=bool),
            servers=servers,
            lent=lent,
            server_machine=np.array([row_of[server.machine] for server in servers], dtype=np.intp),
            lent_machine=np.array([row_of[one.machine] for one in lent], dtype=np.intp),
        )
