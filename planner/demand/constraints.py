"""What an option has to respect."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from planner.demand.sections import Count, Names, Positive, Section


class Interconnect(StrEnum):
    """What the machines of one training job have to be joined by."""

    ANY = "any"
    ETHERNET = "ethernet"
    EFA = "efa"
    INFINIBAND = "infiniband"


class Constraints(Section):
    """What an option has to respect.

    Attributes
    ----------
    providers, regions : tuple of str
        Only these; empty means any.
    countries : tuple of str
        Only these; empty means any. ISO 3166 codes of two letters, names, continents, or EU, EEA and APAC.
    gpus : tuple of str
        Only these accelerators, by any of their names; empty means any.
    purchase : tuple of str
        Only these purchase options; empty means any.
    max_gpus : int, optional
        Most accelerators that one option may take.
    min_secure : bool
        Leave out marketplaces and community clouds, where strangers own the machines.
    interconnect : Interconnect
        Network between the machines of one job, at least this fast.
    max_usd_per_month : float, optional
        Budget; it also covers the rent until owned servers are delivered.
    max_capex_usd : float, optional
        Most that servers may cost to buy, including network and installation.
    exclude_providers : tuple of str
        Never from these providers.
    min_tier : str, optional
        Lowest tier of seller that can be recommended, ``A`` to ``D`` (see `gpuplan providers`); ``B`` if not stated.
    free_tiers : bool
        Let a free tier be the answer; its terms are for individuals and trials.
    """

    providers: Names = ()
    exclude_providers: Names = ()
    countries: Names = ()
    regions: Names = ()
    gpus: Names = ()
    purchase: Names = ()
    max_gpus: Count | None = None
    min_secure: bool = False
    interconnect: Interconnect = Interconnect.ANY
    max_usd_per_month: Positive | None = None
    max_capex_usd: Positive | None = None
    min_tier: Literal["A", "B", "C", "D"] | None = None
    free_tiers: bool = False

    @property
    def names_sellers(self) -> bool:
        """Whether only some sellers or places are allowed."""
        return bool(self.providers or self.countries or self.regions)
