"""Notes in words: what the codes of models, machines, prices and plans say to a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from planner.costs.products import CommitmentProduct
from planner.notes import Note, NoteCode

__all__ = ["note_text", "note_texts", "relief_sentence"]

PARTS = {
    "compute": "the compute",
    "memory_bandwidth": "the memory bandwidth",
    "memory_size": "the memory",
    "interconnect": "the links between accelerators",
}


def _accelerators_above_limit(needed: float, accelerator: str, spares: int, most: int) -> str:
    standing_by = f", {spares} machines of them as spares" if spares else ""
    return f"{needed:,.0f} {accelerator} are needed{standing_by}, but only {most:,} are allowed"


def _deadline_missed(machines: float, label: str, late_s: float, deadline_s: float, joined: bool) -> str:
    text = f"{machines:,.0f} x {label} may take {_duration(late_s)}; the deadline is {_duration(deadline_s)}"
    return text if joined else f"{text}; they cannot be joined for one job"


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:,.0f} minutes"
    return f"{seconds / 3600:,.1f} hours" if seconds < 172_800 else f"{seconds / 86_400:,.1f} days"


def _compiled(unit: str, slower_ratio: float, swapped: bool) -> str:
    text = (
        f"{unit} are made by a compiled model; launched kernel by kernel (PyTorch without torch.compile) a step takes "
        f"{slower_ratio:.1f} times as long"
    )
    waits = "; text encoder and decoder do not fit beside the denoiser and wait in host memory"
    return text + waits if swapped else text


def _measured_rows(rows: int, scope: str, blocks: str) -> str:
    return f"{rows} measured rows of {'all accelerators' if scope == '*' else scope} ({blocks})"


def _calibrated(work: str, scope: str, rows: int, source: str, change_share: float) -> str:
    faster = "faster" if change_share >= 0 else "slower"
    return (
        f"{work} on {scope} is calibrated on {rows:,} of your own rows ({source}): "
        f"{abs(change_share):.0%} {faster} than without"
    )


def _median_of_spot(last: float, high: float | None) -> str:
    dearest = f", in the dearest tenth {high:g}" if high else ""
    return f"planned with the median of 90 days; {last:g} USD/h at the last reading{dearest}"


def _commitment(product: CommitmentProduct) -> str:
    exits = []
    if product.can_be_sold:
        exits.append(f"the rest can be sold for a fee of {product.marketplace_fee_share:.0%}")
    if product.refund_cap_usd > 0:
        exits.append(f"up to {product.refund_cap_usd:,.0f} USD a year are refunded")
    if product.can_be_exchanged:
        exits.append("it can be exchanged")
    if product.return_days:
        exits.append(f"small ones can be returned within {product.return_days} days")
    return f"{product.product}: {'; '.join(exits) or 'there is no way out: the rest is paid, used or not'}"


def _serverless(is_warm: bool, scales_to_zero: bool) -> str:
    warm = "; counted as always warm, though it can scale to zero" if is_warm else ""
    if scales_to_zero:
        warm = "; counted only while it answers, so that the first request after a pause waits for a cold start"
    return f"billed by the second{warm}; cold start, idle timeout and minimum charge are not stated"


def _owned_hour(full_use_usd: float, rent_usd: float, share: float | None) -> str:
    own = f"an owned hour costs {full_use_usd:.2f} USD per GPU even when every hour is used"
    if share is None:
        return f"{own}, more than the rent of {rent_usd:.2f}"
    return f"{own}; at {share:.0%} of the hours it costs the rent of {rent_usd:.2f}"


def relief_sentence(gains: Mapping[str, float]) -> str:
    """Return in words what twice as much of each part would bring, most first; empty where nothing is known.

    Examples
    --------
    >>> relief_sentence({"compute": 0.55, "memory_bandwidth": 0.267, "memory_size": 0.001, "interconnect": 0.0})
    'twice the compute would be 55 % faster, twice the memory bandwidth 27 % faster; more of the memory or of the links \
between accelerators would not help'
    """
    worth = sorted((name for name, gain in gains.items() if gain >= 0.01), key=lambda name: -gains[name])
    rest = [PARTS[name] for name, gain in gains.items() if gain < 0.01]
    useless = f"more of {' or of '.join(rest)} would not help" if rest else ""
    if not worth:
        return useless
    told = ", ".join(
        f"twice {PARTS[name]} {'would be ' if name == worth[0] else ''}{100 * gains[name]:.0f} % faster"
        for name in worth
    )
    return f"{told}; {useless}" if useless else told


TEXTS: Mapping[NoteCode, str | Callable[..., str]] = {
    NoteCode.AS_STATED: "{}",
    NoteCode.TOGETHER: lambda *notes: "; ".join(map(note_text, notes)),
    NoteCode.UNKNOWN_MODEL_TYPE: "model_type {!r} is not known here: its keys are all understood and its size fits its name",
    NoteCode.QUANTIZED_CONFIGURATION: lambda method: (
        f"the weights of this config.json are quantized ({method or 'in a format that is not named'}); "
        "`precision:` says in which format they are planned"
    ),
    NoteCode.FILLED_IN: "model numbers filled in by the usual shape: {}",
    NoteCode.PARAMETERS_DISAGREE: (
        "the numbers make {:.3g}B parameters, the workload states {:g}B; the stated one counts"
    ),
    NoteCode.NO_MODEL: "the workload states GPU hours alone, no model",
    NoteCode.OTHER_ACCELERATOR: "{} is not the stated {}",
    NoteCode.PART_OF_ONE: "{:g} of a {} is less than the stated whole one",
    NoteCode.WHOLE_MACHINES_ABOVE_LIMIT: "whole machines come with {:,.0f} {}, but only {:,} are allowed",
    NoteCode.NO_SUCH_FORMAT: "{} does not compute in {}",
    NoteCode.NO_FORMAT_AT_ALL: "{} has no unit for any number format that the work allows",
    NoteCode.SERVING_MEMORY: (
        "{} needs {:.1f} GB of each accelerator (weights {:.1f}, cache for {:,} tokens {:.1f}, the engine itself {:.1f}); "
        "{} leaves {:.1f} GB of each to an engine"
    ),
    NoteCode.TRAINING_MEMORY: (
        "{} takes at least {:,.0f} GiB on each {} with every technique tried "
        "(sharding, recomputation, chunked loss, offload); {} has {:,.0f} GiB usable"
    ),
    NoteCode.PIECES_MEMORY: "{} takes {:.1f} GiB, each of {} has {:.1f} GiB",
    NoteCode.TTFT_ABOVE_LIMIT: "time to first token is {:,.0f} ms at best; the limit is {:,.0f} ms",
    NoteCode.TPOT_ABOVE_LIMIT: "time per output token is {:,.0f} ms at best; the limit is {:,.0f} ms",
    NoteCode.TOTAL_ABOVE_LIMIT: "time to the last token is {:,.0f} ms at best; the limit is {:,.0f} ms",
    NoteCode.LIMITS_EXCLUDE_EACH_OTHER: (
        "no batch size keeps both limits: time per output token would be {:,.0f} ms at best; the limit is {:,.0f} ms"
    ),
    NoteCode.PIECE_TOO_SLOW: "one {} takes {:.1f} s; the limit is {:.1f} s",
    NoteCode.DEADLINE_MISSED: _deadline_missed,
    NoteCode.ACCELERATORS_ABOVE_LIMIT: _accelerators_above_limit,
    NoteCode.MACHINE_ABOVE_LIMIT: "one machine of {} is more than is allowed",
    NoteCode.CPU_MACHINES: "the {} would take {:,.0f} {} machines",
    NoteCode.NOT_SO_MANY_JOINED: "no {:,} GPUs of {} can be joined into one job, within what is allowed",
    NoteCode.FLEET_TOO_LARGE: "the rate would take {:,} machines of {}",
    NoteCode.ONLY_SMALLER_WEIGHTS_FIT: "only {} weights fit; check the answers' quality before relying on them",
    NoteCode.IDLE_ACCELERATORS: "{:g} accelerators of the whole machines stay idle but are paid for",
    NoteCode.NO_REPLICA: "{} of {} accelerators carry no replica but are paid for",
    NoteCode.RATE_ABOVE_CAPACITY: "{:g} requests/s are asked for, but only {:.3g} can be planned for",
    NoteCode.LONGER_THAN_CONTEXT: "{:,} tokens exceed the model's context of {:,}",
    NoteCode.SEQUENCES_LONGER_THAN_CONTEXT: "sequences of {:,} tokens exceed the model's context of {:,}",
    NoteCode.WIDENED_WEIGHTS: "{0} has no {1} arithmetic: weights are stored in {1} and multiplied in 16 bit",
    NoteCode.OFFLOADED: "weights or optimizer wait in host memory between steps (offload: false refuses what fits only so)",
    NoteCode.GENERATION: "{:,.0f} of the {:,.0f} s of a step are spent generating answers on the same GPUs, with an engine that takes turns with training for their memory",
    NoteCode.REQUEST_TOO_SLOW: "a request takes up to {:,.1f} ms, the wait for the one before it included; the limit is {:,.0f} ms",
    NoteCode.REQUEST_LATENCY: "{:,} documents are read at once: a request takes at most {:,.1f} ms, the wait for the batch before its own included; alone {:,.1f} ms",
    NoteCode.PIECES_AT_ONCE: "transcribed by an engine that cuts recordings into pieces and processes {} at once",
    NoteCode.COMPILED_MODEL: _compiled,
    NoteCode.BATCH_TOO_SMALL: "{:,.0f} of {:,.0f} GPUs are used: the batch has {:,.0f} sequences",
    NoteCode.TRAINER: "trained as {} does it; `stack:` names another trainer, which fits and runs differently",
    NoteCode.NO_DEADLINE: lambda wall_s: f"no deadline: the fewest machines that hold the work, {_duration(wall_s)}",
    NoteCode.SIDE_BY_SIDE: "{} runs have to go side by side: one takes {:,.0f} h",
    NoteCode.RELIEF: lambda *gains: relief_sentence(dict(gains)),
    NoteCode.OVER_PROVISIONED: "over-provisioned: {:,} of these {:,} do the stated work within all its limits",
    NoteCode.NO_CURVE: "no curve: only a job that ends takes less time on more machines",
    NoteCode.STATED_HOURS: "the workload states the accelerators and their hours",
    NoteCode.OWN_ROWS: "{:,} of your own rows of {} ({})",
    NoteCode.MEASURED_ROWS: lambda name, *rows: _measured_rows(*rows),  # noqa: ARG005 - its siblings name it
    NoteCode.MEASURED_ON_GENERATION: lambda name, *rows: f"no row of {name} itself; {_measured_rows(*rows)}",
    NoteCode.MEASURED_ELSEWHERE: lambda name, *rows: f"no row of {name} or its generation; {_measured_rows(*rows)}",
    NoteCode.NOT_MEASURED: lambda name, scope: (
        f"no measured row of {name}; start values of {'accelerators in general' if scope == '*' else scope}"
    ),
    NoteCode.CALIBRATED_ON_OWN_ROWS: _calibrated,
    NoteCode.SPOT_AT_ON_DEMAND: "spot costs as much as on demand here: no discounted capacity on the day of the price",
    NoteCode.MEDIAN_OF_SPOT: _median_of_spot,
    NoteCode.STRETCHED_RUN: "interruptions and checkpoints stretch the run by {:.0%}",
    NoteCode.COMMITMENT: _commitment,
    NoteCode.BLOCKS: "bought as {} blocks, of at most {} instances each: ask whether one fabric joins them",
    NoteCode.SERVERLESS: _serverless,
    NoteCode.FORM_FACTOR_UNKNOWN: ("the source does not state the form factor; planned with the slowest of its kind"),
    NoteCode.SEPARATE_MACHINES: "{} separate machines: no fast link joins their accelerators",
    NoteCode.DISCOUNT: "{:.0%} negotiated discount, of {:g} USD/h",
    NoteCode.CREDIT_FIRST: "paid from {:,.0f} USD of credit first, for {:.1f} months at most",
    NoteCode.SET_WITHOUT_EFFECT: "set, but nothing in this plan rests on it: {}",
    NoteCode.TERMS_OF_FREE_TIERS: (
        "free tiers change without notice, promise nothing and often forbid commercial or unattended use"
    ),
    NoteCode.QUOTA_USED: "this takes {:.1f} of {:g} h a {}",
    NoteCode.MONTHLY_CREDIT: "paid from a monthly credit; beyond it {:g} USD/h",
    NoteCode.RATE_LIMITS: "the seller's rate limits apply: ask whether they cover your peak",
    NoteCode.LATENCY_OF_SELLER: "latency depends on the seller: measure it against your limits",
    NoteCode.NO_FIRM_PRICE: "no firm price: {:,.0f} to {:,.0f} USD are asked; get a quote",
    NoteCode.ASKED_SINCE: "{:,.0f} to {:,.0f} USD are asked since ({}, {})",
    NoteCode.POWER_FROM_ACCELERATORS: "highest draw worked out from the accelerators: {:.2f} kW",
    NoteCode.SOLD_AFTER_RUN: "sold when the run is done, at the price of used hardware",
    NoteCode.UNTIL_DELIVERY: "until delivery, {} months, {} does the work, for {:,.0f} USD",
    NoteCode.OWNED_HOUR: _owned_hour,
    NoteCode.RUNNING_COSTS: "running costs: {:,.2f} USD/h per machine; the purchase is already paid",
    NoteCode.PAID_UNTIL: "already paid until {}, at {:g} USD/h per instance, used or not",
    NoteCode.BEYOND_COMMITMENT: "{} more than committed to, at {:g} USD/h",
    NoteCode.RENT_AFTERWARDS: "after {:.0f} months the cheapest rent takes over",
    NoteCode.SMALLER_WEIGHTS: (
        "with {} weights, {:,.0f} {} of {} would do this at {:.0%} of the cost: check that the answers stay good enough"
    ),
    NoteCode.UNKNOWN_ACCELERATORS: "offers with {} are left out, since nothing is known about these accelerators",
    NoteCode.OTHER_DAYS: (
        "{} {} are used all the same, since there are no others; --set states what you know of that time"
    ),
    NoteCode.CHARGES_WITHOUT_HOURS: "{:,} charges of accelerators state no quantity in hours; their cost counts, their hours are missing",
    NoteCode.SPREAD_CHARGES: "charges of up to {:,} hours are spread evenly over them: the curve by hour is smoother than the use was",
    NoteCode.COPIED_ROWS: "{:,} rows are copies of others in time, resource, kind, quantity and every cost, and count once (--keep-copies)",
    NoteCode.CORRECTIONS: "corrections count in the hour that they correct, not in the one in which they were billed",
    NoteCode.UNUSED_SAVINGS_PLANS: "what savings plans did not use is tied to no machine; it counts as far as their use was of accelerators",
    NoteCode.NO_LIST_PRICES: "the bill has no list prices: savings rate and on-demand equivalent cannot be shown",
    NoteCode.NOT_IN_CATALOG: "the catalogue does not know {}; its hours count, but there is nothing to compare it with",
    NoteCode.BASIS_OF_TABLE: "the table's numbers count as {} hours (--basis)",
    NoteCode.TIMES_WITHOUT_ZONE: "Slurm's times carry no zone and count as UTC (--timezone)",
    NoteCode.SLICES: "{:,} jobs held slices of accelerators (MIG): a slice counts as its share of one",
    NoteCode.CUT_OFF_RESOURCES: "{:,} jobs' resources were cut off by a narrow column: write them with sacct -P, or AllocTRES%200",
    NoteCode.SHARDS: "{:,} jobs held shards of accelerators; how many make one is not recorded, and they are left out",
    NoteCode.JOBS_NOT_STARTED: "{:,} jobs never started and hold nothing",
    NoteCode.JOBS_RUNNING: "{:,} jobs still ran when the records were written, and count until then",
    NoteCode.NO_SUCH_TAG: "no charge of an accelerator has a tag called {}: nothing is divided by it (capitals count)",
    NoteCode.REPEATED_JOBS: "{:,} jobs stand in the records more than once, and count once",
    NoteCode.IDLE_ALLOCATIONS: "{:,.0f} GPU-hours that no pod held (__idle__, __unmounted__) are not counted as allocated",
    NoteCode.COARSE_COUNTER: "{:,} accelerators report GPU_UTIL alone: it says that a kernel ran, not on how much of the chip",
    NoteCode.NO_USEFUL_HOURS: "{:,} accelerators report no SM_ACTIVE: their useful hours are missing",
    NoteCode.NO_OWNER_LABELS: "no label says whose an accelerator was (pod, hpc_job): allocated hours cannot be shown",
    NoteCode.OTHER_SPARK: "Spark {} answers a client of {}; only equal versions are tested",
}


def note_text(note: Note) -> str:
    """Return a note in words.

    Examples
    --------
    >>> note_text(Note(NoteCode.PART_OF_ONE, (0.5, "L4")))
    '0.5 of a L4 is less than the stated whole one'
    """
    text = TEXTS[note.code]
    return text.format(*note.figures) if isinstance(text, str) else text(*note.figures)


def note_texts(notes: Iterable[Note]) -> tuple[str, ...]:
    """Return notes in words, each once where it says anything."""
    return tuple(text for text in map(note_text, notes) if text)
