"""A decision as a record and as tables, the verdict first, its codes in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from planner.decision import Decision, GpuDecision, Kept, Note, SwitchOff
from planner.decision.answer import OwnBreakEven, Part, Step
from planner.report.figures import count, percent, usd
from planner.report.notes import note_text
from planner.report.table import Table, headings, table_of
from planner.report.values import Record

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


def kept_text(kept: Kept, *, is_short: bool = False) -> str:
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


def idle_text(idle: SwitchOff) -> str:
    """Return what is paid for and does nothing."""
    match idle.code:
        case "idle":
            return f"{idle.name or 'accelerators'} allocated and not busy: {percent(idle.share)} of the {count(round(idle.seen_gpu_hours))} GPU-hours that the cluster's own counters saw"
        case "unused_commitment":
            return f"commitment {idle.name or '(no name)'}: {percent(idle.share)} of it is not used"
        case _:
            return "capacity reservations without a machine running in them"


def decision_note_text(note: Note) -> str:
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


AT_ONCE_SHARE = 0.99
"""Whose saving waits for the end of commitments is told so."""
MOST_SWITCHED_OFF = 12
QUARTER_DAYS = 90
"""Servers are not bought on a shorter record without a word."""
MOST_PLACES_SAID = 3
"""Of more, the verdict tells the sum, and the tables each."""
LADDER_WORDS = {
    "on_demand": "on demand only",
    "committed": "and commitments",
    "spot": "and spot",
    "owned": "and own servers",
    "recommended": "recommended",
}
KIND_WORDS = {"owned": "own", "committed": "commit", "spot": "spot", "on_demand": "on demand"}


def decision_record(decision: Decision) -> Record:
    """Return everything that was decided, keys with units."""
    record = asdict(decision)
    record["headline"] = headline(decision)
    record["kept"] = [asdict(kept) | {"gpu": kept.name, "because": kept_text(kept)} for kept in decision.kept]
    record["switch_off"] = [
        asdict(idle) | {"what": idle_text(idle), "when": WHEN_WORDS[idle.code]} for idle in decision.switch_off
    ]
    for gpu, said in zip(decision.gpus, record["gpus"], strict=True):
        if gpu.break_even is not None:
            said["break_even"]["because"] = note_text(gpu.break_even.because)
    record["notes"] = [decision_note_text(note) for note in decision.notes]
    return record


def headline(decision: Decision) -> str:
    """Return the verdict in a sentence or two: what to stop first, then place by place what to have."""
    said = []
    idle = sum(gpu.idle_gpus for gpu in decision.gpus)
    if idle > 0:
        said.append(f"stop idle machines first ({count(round(idle, 1))} GPUs on average run without work)")
    several = len(decision.gpus) > 1
    if len(decision.gpus) > MOST_PLACES_SAID:
        places = dict.fromkeys(", ".join(gpu.place.split(", ")[:2]) for gpu in decision.gpus if gpu.place)
        where = f" ({'; '.join(places)})" if places else ""
        said.append(f"for {len(decision.gpus)} kinds of machines{where}: {', '.join(_parts_said(decision.gpus))}")
    else:
        for gpu in decision.gpus:
            place = f"for {gpu.gpu} at {gpu.place}: " if several and gpu.place else ""
            said.append(place + ", ".join(_parts_said([gpu])))
    off = sum(idle.usd_per_month for idle in decision.switch_off if idle.is_saved_by_mix and idle.code != "idle")
    if off > 0:
        said.append(f"do not renew the unused part of commitments ({usd(off)} USD a month, included in the saving)")
    if not decision.gpus:
        return _keep_said(decision)
    first = ("; " if several else ", ").join(said)
    saves = (
        f"This saves {usd(decision.saving_usd_per_month)} of the {usd(decision.paid_usd_per_month)} USD paid a month "
        f"({percent(decision.saving_share)})"
    )
    if _waits(decision):
        saves += f", {_when(decision)}; {usd(decision.now_saving_usd_per_month)} of it at once"
    trends = [
        f"Use went from {count(round(gpu.trend_first_gpus))} to {count(round(gpu.trend_last_gpus))} GPUs, and this is sized for what runs now"
        for gpu in decision.gpus
        if gpu.trend_first_gpus is not None and gpu.trend_last_gpus is not None
    ]
    sure = [f"It saves {_confidence(decision)}"] if decision.holds_share is not None else []
    if decision.is_short:
        sure = ["The record is too short to say how certain that is"]
    return ". ".join([f"{first[:1].upper()}{first[1:]}", saves, *trends, *sure, *_before_a_purchase(decision)])


def _before_a_purchase(decision: Decision) -> list[str]:
    """Say what to make sure of before servers are bought on a record of a few weeks."""
    days = min((note.amounts[0] for note in decision.notes if note.code == "no_seasons"), default=QUARTER_DAYS)
    if days >= QUARTER_DAYS or not any(part.kind == "owned" for gpu in decision.gpus for part in gpu.parts):
        return []
    return [
        f"Before you buy, check that the use of a quarter looks like these {days:.0f} days, and get quotes for the servers"
    ]


def _confidence(saving: Decision | GpuDecision) -> str:
    """Return the range of a saving and how sure it is."""
    return (
        f"{usd(saving.saving_low_usd_per_month)} to {usd(saving.saving_high_usd_per_month)} USD a month in 8 of 10 simulated futures, "
        f"and something in {percent(saving.saves_share)}; in {percent(saving.holds_share)} no other choice would be more than 5 % cheaper"
    )


def _waits(decision: Decision) -> bool:
    return decision.now_saving_usd_per_month < AT_ONCE_SHARE * decision.saving_usd_per_month


def _when(decision: Decision) -> str:
    """Return when the whole saving is there."""
    ends = any(gpu.now_paid_usd_per_month < AT_ONCE_SHARE * gpu.paid_usd_per_month for gpu in decision.gpus)
    is_bought = any(part.kind == "owned" for gpu in decision.gpus for part in gpu.parts)
    waits = ["today's commitments have ended"] * ends + ["the servers are delivered"] * is_bought
    return "once " + " and ".join(waits or ["today's commitments have ended"])


def _parts_said(gpus: Sequence[GpuDecision]) -> list[str]:
    parts = [(gpu.gpu, part) for gpu in gpus for part in gpu.parts]
    names = list(dict.fromkeys(gpu.gpu for gpu in gpus))
    capex_usd, spot_share = sum(gpu.capex_usd for gpu in gpus), max(gpu.spot_share for gpu in gpus)
    said = []
    for kind, verb in (("owned", "buy"), ("committed", "commit to")):
        kept = {
            name: number
            for name in names
            if (number := sum(part.gpus for gpu, part in parts if (gpu, part.kind) == (name, kind)))
        }
        capex = f" ({usd(capex_usd)} USD of capex)" if kind == "owned" and capex_usd else ""
        unit = "GPU" if sum(kept.values()) == 1 else "GPUs"
        said += [f"{verb} {_by_name(kept, 2, len(names) > 1)} {unit}{capex}"] if kept else []
    for kind, words in (("spot", "on spot"), ("on_demand", "on demand")):
        hours = {
            name: number
            for name in names
            if (number := sum(part.gpu_hours_per_month for gpu, part in parts if (gpu, part.kind) == (name, kind)))
            >= 0.5
        }
        limit = f" (at most {percent(spot_share)} of the demand)" if kind == "spot" and spot_share < 1 else ""
        said += [f"run {_by_name(hours, 0, len(names) > 1)} GPU-hours a month {words}{limit}"] if hours else []
    return said


def _by_name(numbers: Mapping[str, float], digits: int, named: bool) -> str:
    """Return a number, or one of each accelerator where there are several."""
    return " and ".join(
        f"{count(round(number, digits))}{f' {name}' if named else ''}" for name, number in numbers.items()
    )


def _keep_said(decision: Decision) -> str:
    unused = sum(idle.usd_per_month for idle in decision.switch_off)
    text = "Keep what you have"
    if unused > 0:
        text = f"Switch off what is idle ({usd(unused)} USD a month), and keep the rest"
    doubtful = [f"{kept.name} is {kept_text(kept)}" for kept in decision.kept if kept.code == "close_call"]
    if doubtful:
        return ". ".join([text, *doubtful])
    if decision.is_short:
        return f"{text}: the record is too short to buy or commit on, and by the hour none of these offers is cheaper than the {usd(decision.paid_usd_per_month)} USD a month paid"
    return f"{text}: none of these offers is cheaper than the {usd(decision.paid_usd_per_month)} USD a month paid; nothing is saved"


def decision_tables(decision: Decision) -> list[Table]:
    """Return the same for people."""
    whole = {
        "paid today": decision.paid_usd_per_month,
        f"after, {_when(decision)}" if _waits(decision) else "after": decision.after_usd_per_month,
        "could be saved at once, on what is not committed": decision.now_saving_usd_per_month,
    }
    sums = tuple((name, f"{usd(value)} USD a month") for name, value in whole.items())
    tables = [Table(headline(decision), headings(" | "), sums)]
    tables += [_parts(gpu) for gpu in decision.gpus]
    tables += _ladder(decision)
    if decision.switch_off:
        rows = tuple(
            (idle_text(idle), usd(idle.usd_per_month), count(round(idle.gpu_hours_per_month)), WHEN_WORDS[idle.code])
            for idle in decision.switch_off[:MOST_SWITCHED_OFF]
        )
        rest = decision.switch_off[MOST_SWITCHED_OFF:]
        if rest:
            total, hours = sum(idle.usd_per_month for idle in rest), sum(idle.gpu_hours_per_month for idle in rest)
            rows += ((f"{len(rest)} more", usd(total), count(round(hours)), ""),)
        columns = headings("what | costs [USD/month]: | hours [GPU-h/month]: | when")
        tables.append(Table("Switch off", columns, rows))
    if decision.kept:
        reasons = tuple((kept.name, kept_text(kept, is_short=decision.is_short)) for kept in decision.kept)
        tables.append(Table("Keep as it is", headings("gpu | because"), reasons))
    notes = [decision_note_text(note) for note in decision.notes]
    if decision.resamples:
        notes.append(f"simulated futures ({decision.resamples}): weeks of the record drawn again, with other demand, rents and server prices (--resamples)")  # fmt: skip
    tables.append(
        Table("What this decision rests on", headings("note"), tuple((note[:1].upper() + note[1:],) for note in notes))
    )
    return tables


def ladder_steps(decision: Decision) -> list[Step]:
    """Return the steps of the ladder, and below them what is recommended."""
    steps = list(decision.ladder)
    if steps and decision.gpus:
        parts = [part for gpu in decision.gpus for part in gpu.parts]
        paid = steps[0].usd_per_month + steps[0].saving_usd_per_month
        recommended = Step(
            kind="recommended",
            usd_per_month=paid - decision.saving_usd_per_month,
            saving_usd_per_month=decision.saving_usd_per_month,
            committed_usd_per_month=sum(part.usd_per_month for part in parts if part.kind == "committed"),
            capex_usd=sum(gpu.capex_usd for gpu in decision.gpus),
            break_even_use_share=None,
        )
        steps.append(recommended)
    return steps


def _ladder(decision: Decision) -> list[Table]:
    if len(decision.ladder) < 2:
        return []
    columns: dict[str, Callable[[Step], str]] = {
        "with": lambda step: LADDER_WORDS[step.kind],
        "cost [USD/month]:": lambda step: usd(step.usd_per_month),
        "saves [USD/month]:": lambda step: usd(step.saving_usd_per_month),
        "committed [USD/month]:": lambda step: usd(step.committed_usd_per_month),
        "capex [USD]:": lambda step: usd(step.capex_usd),
        "breaks even [at use of]:": lambda step: percent(step.break_even_use_share),
    }
    note = "each step is the cheapest mix of that option and those above; breaks even: the share of the hours in which a machine has to be used to cost less than on demand; "
    by_hour = "on so short a record only what is taken by the hour is recommended"
    note += by_hour if decision.is_short else "what is recommended saves in most simulated futures too"
    outside = decision.paid_usd_per_month - decision.ladder[0].usd_per_month - decision.ladder[0].saving_usd_per_month
    if outside >= 0.5:
        note += f"; {usd(outside)} USD a month of the bill is not part of this table (fees, and machines for which nothing was compared)"
    if decision.oldest_price_on:
        note += f"; the oldest price is of {decision.oldest_price_on.isoformat()}"
    return [table_of("The ladder: what each further purchase option would save", ladder_steps(decision), columns, note)]


def _break_even(own: OwnBreakEven) -> str:
    if own.utilisation_share is None:
        return note_text(own.because)
    return f"at that price an own server pays off from {percent(own.utilisation_share)} use on"


def _parts(gpu: GpuDecision) -> Table:
    title = (
        f"{gpu.gpu}{f' at {gpu.place}' if gpu.place else ''}: {usd(gpu.paid_usd_per_month)} USD a month paid, {usd(gpu.mix_usd_per_month)} with this mix "
        f"({count(round(gpu.base_gpus))} base, {count(round(gpu.mean_gpus, 1))} mean, {count(round(gpu.peak_gpus))} peak GPUs)"
    )
    columns: dict[str, Callable[[Part], str]] = {
        "use": lambda part: KIND_WORDS[part.kind],
        "offer or server": lambda part: part.name,
        "kept [GPUs]:": lambda part: count(round(part.gpus, 2)) if part.gpus else "by the hour",
        "used [GPU-h/month]:": lambda part: count(round(part.gpu_hours_per_month)),
        "idle [GPU-h/month]:": lambda part: count(round(part.idle_gpu_hours_per_month)),
        "cost [USD/month]:": lambda part: usd(part.usd_per_month),
        "priced on": lambda part: part.priced_on.isoformat() if part.priced_on else "the bill",
    }
    notes = []
    if gpu.break_even is not None:
        hour_usd, use = usd(gpu.break_even.paid_usd_per_gpu_hour), percent(gpu.break_even.base_use_share)
        base = f"; the base load is in use in {use} of the hours" if gpu.base_gpus > 0 else ""
        notes.append(
            f"today a used GPU-hour costs {hour_usd} USD, unused commitments included; {_break_even(gpu.break_even)}{base}"
        )
    if gpu.going_on_gpus is not None:
        notes.append(
            f"if use continues like this for as long again ({count(round(gpu.going_on_gpus))} GPUs), this mix costs {usd(gpu.going_on_usd_per_month)} USD a month "
            f"and the cheapest for that {usd(gpu.going_on_best_usd_per_month)}"
        )
    if gpu.holds_share is not None:
        notes.append(f"saves {_confidence(gpu)}")
    return table_of(title, gpu.parts, columns, "; ".join(notes))
