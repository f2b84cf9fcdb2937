"""Where owned machines would stand, and what is paid for already."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field

from planner.demand.sections import Count, Name, Section, no_truth_value

__all__ = ["HAVE_PLACE", "SITES", "Commitment", "Credit", "Have", "Own", "OwnSite", "OwnedMachines", "Share", "Usd"]


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
        room of one's own, whose space costs nothing) where only one of these will do.
    country : str
        The tariff and the grid, where `place` says what it is.
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
        How long they will still work; without it, to the end of the horizon.
    resale_usd : float
        What they would bring today, all together: what keeping them costs besides running them.
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
        Whose machines it pays.
    usd : float
        How much is left.
    expires : date
        The last day on which it can be used.
    """

    provider: Name
    usd: Annotated[float, Field(gt=0, le=1e12), BeforeValidator(no_truth_value)]
    expires: date


class Have(Section):
    """What is paid for already: it enters at what using it costs from now on.

    Attributes
    ----------
    owned : tuple of OwnedMachines
        Machines.
    committed : tuple of Commitment
        Commitments.
    credits : tuple of Credit
        Credits.
    """

    owned: Annotated[tuple[OwnedMachines, ...], Field(max_length=100)] = ()
    committed: Annotated[tuple[Commitment, ...], Field(max_length=100)] = ()
    credits: Annotated[tuple[Credit, ...], Field(max_length=100)] = ()
