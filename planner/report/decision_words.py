"""What the codes of a decision mean, in sentences."""

from __future__ import annotations

from planner.decision import Kept, Note, SwitchOff
from planner.figures import count, percent, usd

KEPT_WORDS = {
    "too_little_use": "too little use",
    "part_of_an_accelerator": "a machine with part of an accelerator is sold in that size only, so there is nothing to compare it with",
    "no_cost_in_the_bill": "the bill does not say what it cost",
    "unknown_accelerator": "the catalog does not know it",
    "nothing_works": "it is idle",
    "not_used_lately": "it was not used in the last year",
    "no_offer": "no offer and no server of it is known",
    "no_on_demand_offer": "no on-demand offer can serve its peaks",
    "cheapest_already": "no offer for this machine at its place costs less than what is paid now",
    "as_dear": "what is paid now equals the cheapest mix of these offers",
}
NOTE_WORDS = {
    "no_spot": "nothing ran on spot, so no spot is recommended; --set mix.spot_share=0.3 allows it for 30 % of the demand",
    "commitments": "today's commitments are paid until they end, so the full saving comes only then; what can be saved at once is on the hours outside them, by commitments, spot and on demand",
    "elsewhere": "offers may be in other regions than today's use; the saving does not include data transfer and migration",
    "same_place": "each machine is compared with the same shape in its own region; --provider or --region widen the search",
}
WHEN_WORDS = {
    "idle": "as jobs allow: time limits on idle allocations, smaller allocations, sharing",
    "unused_commitment": "at its end, or by exchange or sale where its terms allow it; do not renew this part",
    "unused_reservation": "now: cancel them",
}


def because(kept: Kept, *, is_short: bool = False) -> str:
    """Return why machines stay as they are; on a short record, why nothing is bought or committed to."""
    match kept.code:
        case "as_dear" | "dearer" if is_short:
            return "the record is too short to buy or commit on, and by the hour none of these offers is cheaper"
        case "close_call":
            return (
                f"a close call: the cheapest mix ({', '.join(kept.mix)}) would save {usd(kept.usd_per_month)} USD a month, but in "
                f"{percent(1 - kept.saves_share)} of the simulated futures keeping what you have costs no more"
            )
        case "dearer":
            return f"what is paid now is {usd(kept.usd_per_month)} USD a month less than any mix of these offers"
        case code:
            return KEPT_WORDS[code]


def switched_off(idle: SwitchOff) -> str:
    """Return what is paid for and does nothing."""
    match idle.code:
        case "idle":
            return f"{idle.name or 'accelerators'} allocated and not busy: {percent(idle.share)} of the {count(round(idle.seen_gpu_hours))} GPU-hours that the cluster's own counters saw"
        case "unused_commitment":
            return f"commitment {idle.name or '(no name)'}: {percent(idle.share)} of it is not used"
        case _:
            return "capacity reservations without a machine running in them"


def note_said(note: Note) -> str:
    """Return a note in words."""
    amounts = note.amounts
    match note.code:
        case "own_providers":
            return f"only offers of the bill's own providers were considered ({', '.join(note.names)}); --provider adds others"
        case "trend":
            way, size = ("grew", "too small") if amounts[1] > amounts[0] else ("shrank", "too large")
            return (
                f"use of {note.names[0]} {way} from {amounts[0]:.0f} to {amounts[1]:.0f} GPUs in {_days(amounts[2])}: sized for its last "
                f"{_days(amounts[3])}, which is what runs now; if that continues, this is {size} before a commitment ends"
            )
        case "short":
            return f"a record of {_days(amounts[0])} says little: nothing is bought or committed to on less than {_days(amounts[1])}, and no confidence is stated"
        case "repeated":
            return f"the use of {_days(amounts[0])} is repeated to fill a year"
        case "no_seasons":
            return f"a record of {_days(amounts[0])} cannot show seasons; the simulated futures vary demand (risk.demand_ratio)"
        case "spot":
            shares = ", ".join(f"{percent(share)} of {gpu}" for gpu, share in zip(note.names, amounts, strict=True))
            return f"spot serves at most {shares}: as much as already ran on it, or mix.spot_share where that is set"
        case "not_bought":
            return (
                f"no servers are bought for {', '.join(note.names)}: a purchase has to cost {percent(amounts[0])} less than today's bill and than capacity by the hour, and "
                f"less than that bill and every mix without servers in {percent(amounts[1])} of the simulated futures (verdict.buy_margin_share, verdict.least_confidence_share)"
            )
        case "above_list":
            shares = ", ".join(f"{name} by {percent(share)}" for name, share in zip(note.names, amounts, strict=True))
            return f"the bill's on-demand prices are above the price list ({shares}): a license in the price, a reseller, or a price that has fallen since; the saving holds none of that, and takes commitments for the same machines to be dearer by as much"
        case "price_moved":
            moves = ", ".join(
                f"{name} is {percent(abs(share))} {'dearer' if share > 0 else 'cheaper'} in its last week than on average"
                for name, share in zip(note.names, amounts, strict=True)
            )
            return f"the on-demand price moved within the record ({moves}): all hours on demand count at the last week's price, in what is paid today too"
        case "fees":
            return f"fees of services, licenses and software on these machines ({usd(amounts[0])} USD a month) are paid as before, and are no part of the saving"
        case "owned":
            wait = f"{amounts[1]:g} month{'' if amounts[1] == 1 else 's'}"
            return f"an owned server stands in colocation over {amounts[0]:.0f} months from its delivery, which takes {wait} (own.lead_time_months): until then today's machines are still paid for, and they are not part of what could be saved at once"
        case code:
            return NOTE_WORDS[code]


def _days(days: float) -> str:
    return f"{days:.0f} day{'s' if round(days) != 1 else ''}"
