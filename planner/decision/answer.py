"""What a decision says: the parts of each fleet, what is to be switched off, what is saved, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from planner import notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One way to have a part of the fleet.

    Attributes
    ----------
    kind : str
        ``owned``, ``committed``, ``spot`` or ``on_demand``.
    name : str
        Offer or server.
    machines, gpus : float
        Kept all the time; 0 for what is taken by the hour.
    gpu_hours_per_month, idle_gpu_hours_per_month, usd_per_month : float
        Served, paid and idle, and its cost.
    priced_on : date or None
        Of the price; None where it is the bill's own.
    """

    kind: str
    name: str
    machines: float
    gpus: float
    gpu_hours_per_month: float
    idle_gpu_hours_per_month: float
    usd_per_month: float
    priced_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBreakEven:
    """Owning the base load against what an hour was paid.

    Attributes
    ----------
    server : str
        What would be bought.
    paid_usd_per_gpu_hour : float
        Effective cost of an hour used.
    utilisation_share : float or None
        Share of the hours from which on owning is cheaper than that; None is never.
    month : float or None
        From which an always busy server has cost less.
    base_use_share : float
        Share of the hours in which the accelerators of the base load worked.
    because : Note
        In a sentence.
    """

    server: str
    paid_usd_per_gpu_hour: float
    utilisation_share: float | None
    month: float | None
    base_use_share: float
    because: notes.Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the ladder: the cheapest mix with this and every earlier purchase option.

    Attributes
    ----------
    kind : str
        ``on_demand``, ``committed``, ``spot`` or ``owned``.
    usd_per_month, saving_usd_per_month : float
        Its cost, and what it saves of what is paid.
    committed_usd_per_month : float
        Paid whether used or not.
    capex_usd : float
        Of what would be bought.
    break_even_use_share : float or None
        Share of the hours from which on the step's own machines cost less than on demand; None where it takes none.
    """

    kind: str
    usd_per_month: float
    saving_usd_per_month: float
    committed_usd_per_month: float
    capex_usd: float
    break_even_use_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDecision:
    """What to do with one kind of machine at one place.

    Attributes
    ----------
    gpu : str
        Canonical name.
    place : str
        Provider, region and machine type, as far as the bill tells.
    gpus_per_machine : int
        Accelerators in a machine; 0 where that is not told.
    idle_gpus : float
        Accelerators in machines that ran and on which counters saw nothing at work, on average; the mix is without them.
    capex_usd : float
        Of what would be bought.
    spot_share : float
        Largest part of the demand that might rest on spot: what did already, or ``mix.spot_share`` where it was set.
    trend_first_gpus, trend_last_gpus : float or None
        Where use went up or down by half or more: the record's first weeks, and its last, which the mix is for.
    recent_hours : int
        What of the record counts.
    going_on_gpus, going_on_usd_per_month, going_on_best_usd_per_month : float or None
        Where there is a trend and it goes on for as long again: accelerators on average, what they cost with the machines of
        this mix, and with the mix that would then be cheapest.
    mean_gpus, peak_gpus, base_gpus : float
        Of the curve.
    paid_usd_per_month, mix_usd_per_month, saving_usd_per_month : float
        Effective cost of the hours used and of what was committed and not used, the mix's, and the difference.
    now_paid_usd_per_month, now_saving_usd_per_month : float
        What is paid beside today's commitments, and what the cheapest mix for the hours outside them saves of that while
        they last: they are paid either way.
    parts : tuple of Part
        The mix.
    break_even : OwnBreakEven or None
        None where no server of it is known.
    saving_low_usd_per_month, saving_high_usd_per_month : float or None
        10th and 90th percentile over the resamples.
    holds_share, saves_share : float or None
        Resamples in which the mix is within 5 % of the best, keeping what there is among the choices, and in which it saves
        at all.
    """

    gpu: str
    mean_gpus: float
    peak_gpus: float
    base_gpus: float
    paid_usd_per_month: float
    mix_usd_per_month: float
    saving_usd_per_month: float
    now_paid_usd_per_month: float
    now_saving_usd_per_month: float
    parts: tuple[Part, ...]
    break_even: OwnBreakEven | None
    saving_low_usd_per_month: float | None = None
    saving_high_usd_per_month: float | None = None
    holds_share: float | None = None
    saves_share: float | None = None
    place: str = ""
    gpus_per_machine: int = 0
    idle_gpus: float = 0.0
    capex_usd: float = 0.0
    spot_share: float = 0.0
    trend_first_gpus: float | None = None
    trend_last_gpus: float | None = None
    recent_hours: int = 0
    going_on_gpus: float | None = None
    going_on_usd_per_month: float | None = None
    going_on_best_usd_per_month: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOff:
    """Something that is paid for and does nothing.

    Attributes
    ----------
    code : str
        ``idle`` (allocated and not busy), ``unused_commitment`` or ``unused_reservation``.
    name : str
        The accelerator or the commitment; empty where it has none.
    share : float
        What does nothing of what counters saw, or of what was committed; 1 for reservations.
    seen_gpu_hours : float
        Hours that counters saw.
    usd_per_month : float
        Its cost; of idle allocation, at the price of an allocated hour.
    gpu_hours_per_month : float
        Where it has hours.
    is_saved_by_mix : bool
        Whether the mix's saving holds it already (an unused commitment is part of what was paid).
    """

    code: str
    name: str = ""
    share: float = 1.0
    seen_gpu_hours: float = 0.0
    usd_per_month: float
    gpu_hours_per_month: float
    is_saved_by_mix: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Machines that stay as they are.

    Attributes
    ----------
    name : str
        The accelerator, and its place where there are several of it.
    code : str
        ``too_little_use``, ``part_of_an_accelerator``, ``no_cost_in_the_bill``, ``unknown_accelerator``, ``nothing_works``, ``not_used_lately``, ``no_offer``, ``no_on_demand_offer``,
        ``cheapest_already`` (no offer for this machine at its place costs less), ``dearer`` (any mix), ``as_dear`` or
        ``close_call``.
    usd_per_month : float
        What the cheapest mix would save, or cost more.
    saves_share : float
        Resamples in which it would save anything.
    mix : tuple of str
        What that mix is of.
    """

    name: str
    code: str
    usd_per_month: float = 0.0
    saves_share: float = 0.0
    mix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that has to be known of a decision.

    Attributes
    ----------
    code : str
        ``own_providers`` (names: theirs), ``trend`` (names: accelerator; amounts: first and last accelerators, days, recent
        days), ``short`` (days, least days), ``repeated`` (days), ``no_seasons`` (days), ``spot`` (names, their shares),
        ``no_spot``, ``commitments``, ``above_list`` (names: machines; amounts: how much more than the list), ``price_moved`` (names: machines; amounts: the last week's on-demand price over the record's, less 1), ``fees`` (USD a month), ``owned`` (months), ``elsewhere``, ``same_place`` or ``not_bought`` (names: where; amounts: margin and
        confidence that a purchase takes).
    names : tuple of str
        See there.
    amounts : tuple of float
        See there.
    """

    code: str
    names: tuple[str, ...] = ()
    amounts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to own, commit to, keep on demand and switch off.

    Attributes
    ----------
    gpus : tuple of GpuDecision
        The dearest first.
    switch_off : tuple of SwitchOff
        The dearest first.
    paid_usd_per_month, after_usd_per_month, saving_usd_per_month : float
        Of all accelerators, those that keep what they have included.
    now_saving_usd_per_month : float
        While today's commitments last, and before servers are delivered.
    saving_share : float
        Of what was paid.
    saving_low_usd_per_month, saving_high_usd_per_month : float or None
        10th and 90th percentile of the sum over the resamples; the accelerators' prices and demand move together.
    holds_share, saves_share : float or None
        Resamples in which the whole is within 5 % of the best, and in which it saves at all.
    kept : tuple of Kept
        Accelerators for which nothing was decided, and why.
    providers : tuple of str
        Whose offers were considered.
    resamples : int
        How many.
    notes : tuple of Note
        What has to be known.
    ladder : tuple of Step
        What each further purchase option would save.
    oldest_price_on : date or None
        Of the offers that were considered.
    is_short : bool
        Whether the record is too short to own or to commit on, and to say how sure anything is.
    """

    gpus: tuple[GpuDecision, ...]
    switch_off: tuple[SwitchOff, ...]
    paid_usd_per_month: float
    after_usd_per_month: float
    saving_usd_per_month: float
    now_saving_usd_per_month: float
    saving_share: float
    kept: tuple[Kept, ...]
    providers: tuple[str, ...]
    resamples: int
    saving_low_usd_per_month: float | None = None
    saving_high_usd_per_month: float | None = None
    holds_share: float | None = None
    saves_share: float | None = None
    notes: tuple[Note, ...] = field(default=())
    ladder: tuple[Step, ...] = field(default=())
    oldest_price_on: date | None = None
    is_short: bool = False
