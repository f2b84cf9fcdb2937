"""Where owned machines would stand, and what is paid for already."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from planner.demand.sections import Count, Name, Section, no_truth_value

SITES = ("home", "colocation", "own_room")
OwnSite = Literal["home", "colocation", "own_room"]
Usd = Annotated[float, Field(ge=0, le=1e12), BeforeValidator(no_truth_value)]
Share = Annotated[float, Field(ge=0, lt=1), BeforeValidator(no_truth_value)]
HAVE_PLACE: OwnSite = "colocation"


class Own(Section):
    """Where owned machines would stand.

    Attributes
    ----------
    place : str
        ISO country (``DE``) or a US state (``US-Texas``): its tariff and its grid; or ``home``, ``colocation`` or ``own_room`` (a
        room of your own, at no cost for space) where only one of these will do.
    country : str
        Country of the tariff and the grid, where `place` is one of the three.
    """

    place: str = Field(default="US", min_length=2, max_length=40)
    country: str = Field(default="US", min_length=2, max_length=40)

    @property
    def tariff_place(self) -> str:
        """The country or state."""
        return self.country if self.place in SITES else self.place

    @property
    def site(self) -> OwnSite | None:
        """The only site that will do; None where any will."""
        return cast("OwnSite", self.place) if self.place in SITES else None


class OwnedMachines(Section):
    """Accelerators that are owned already.

    Attributes
    ----------
    gpu : str
        Accelerator by any of its names.
    count : int
        How many.
    place : str
        Where they stand.
    remaining_months : int
        How long they will last; without it, to the end of the horizon.
    resale_usd : float
        What they would sell for today, all together: the cost of keeping them, besides that of running them.
    """

    gpu: str = Field(min_length=1, max_length=100)
    count: Count = 1
    place: OwnSite = HAVE_PLACE
    remaining_months: Annotated[int, Field(ge=1, le=600)] | None = None
    resale_usd: Usd = 0.0


class Commitment(Section):
    """Instances that are committed to, and paid whether they are used or not.

    Attributes
    ----------
    provider, instance_type : str
        The provider's own names.
    count : int
        Instances.
    usd_per_hour : float
        Of one instance, as committed.
    until : date
        The last day.
    """

    provider: Name
    instance_type: Name
    count: Count = 1
    usd_per_hour: Usd
    until: date


class Credit(Section):
    """Credit with a provider of machines.

    Attributes
    ----------
    provider : str
        Whose machines it pays for.
    usd : float
        How much is left.
    expires : date
        The last day on which it can be used.
    """

    provider: Name
    usd: Annotated[float, Field(gt=0, le=1e12), BeforeValidator(no_truth_value)]
    expires: date


class Quote(Section):
    """A price that a seller quoted to the user alone: it counts as a price of today, from a seller of tier A, until it expires.

    Attributes
    ----------
    provider : str
        Who quoted it.
    gpu : str
        Accelerator by any of its names.
    count : int
        Accelerators in one machine.
    price_per_gpu_hour, price_per_server : float, optional
        One of the two: of one GPU for an hour, or of a server to buy.
    currency : str
        ISO 4217. Of euros `money.usd_per_eur` says what one is worth; of others, `usd_per_unit`.
    usd_per_unit : float, optional
        What one unit of the currency is worth.
    purchase : str
        How machines by the hour are paid for: ``on_demand``, or ``reserved_1m`` to ``reserved_5y``.
    expires : date
        The last day on which it can be accepted.
    max_gpus : int, optional
        How many are quoted; any number, if not stated.
    country : str
        Where they are; empty if not stated.
    interconnect : str
        What joins machines: ``infiniband`` (400 Gb/s a GPU) or ``none``.
    """

    provider: Name
    gpu: str = Field(min_length=1, max_length=100)
    count: Annotated[int, Field(ge=1, le=144), BeforeValidator(no_truth_value)] = 8
    price_per_gpu_hour: Annotated[float, Field(gt=0, le=1e5), BeforeValidator(no_truth_value)] | None = None
    price_per_server: Annotated[float, Field(gt=0, le=1e9), BeforeValidator(no_truth_value)] | None = None
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    usd_per_unit: Annotated[float, Field(gt=0, le=1e3), BeforeValidator(no_truth_value)] | None = None
    purchase: Literal[
        "on_demand",
        "reserved_1m",
        "reserved_3m",
        "reserved_6m",
        "reserved_1y",
        "reserved_2y",
        "reserved_3y",
        "reserved_5y",
    ] = "on_demand"
    expires: date
    max_gpus: Count | None = None
    country: str = Field(default="", max_length=2)
    interconnect: Literal["none", "infiniband"] = "none"

    @model_validator(mode="after")
    def _one_price_in_a_known_currency(self) -> Self:
        if (self.price_per_gpu_hour is None) == (self.price_per_server is None):
            raise ValueError("state price_per_gpu_hour or price_per_server, one of them")
        if self.currency not in {"USD", "EUR"} and self.usd_per_unit is None:
            raise ValueError(f"state usd_per_unit: what one {self.currency} is worth in USD")
        return self


class Have(Section):
    """What is paid for already, or promised: it enters at what using it costs from now on.

    Attributes
    ----------
    owned : tuple of OwnedMachines
        Machines.
    committed : tuple of Commitment
        Commitments.
    credits : tuple of Credit
        Credits.
    quotes : tuple of Quote
        Private quotes.
    """

    owned: Annotated[tuple[OwnedMachines, ...], Field(max_length=100)] = ()
    committed: Annotated[tuple[Commitment, ...], Field(max_length=100)] = ()
    credits: Annotated[tuple[Credit, ...], Field(max_length=100)] = ()
    quotes: Annotated[tuple[Quote, ...], Field(max_length=100)] = ()
