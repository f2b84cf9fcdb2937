"""How sentences call an option: what it takes, where it is, what it costs, and what would make it fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from planner.costs.timeline import Timeline
from planner.demand.formats import FORMATS
from planner.demand.workload import (
    Batch,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    Pretrain,
    Serve,
    Transcribe,
    Workload,
)
from planner.options.option import Option, OptionKind
from planner.report.figures import duration, gpus_text, machines_text, percent, usd, usd_by_stage
from planner.report.words import how_paid, seller
from pricing.clock import HOURS_PER_MONTH

if TYPE_CHECKING:
    from planner.report.schema.option import Layout, OptionRecord
    from planner.report.schema.plan import PlanRecord


HEADS = {
    "rent": "Rent ",
    "buy": "Buy ",
    "cpu": "No GPU needed: ",
    "api": "No GPU of your own needed: ",
    "free": "A free tier is enough: ",
    "have": "Use what you have: ",
}

Named: TypeAlias = "Option | OptionRecord"
"""An option of a plan, or of its record."""
MACHINES = ("instance_count", "instance_type", "accelerator_count", "accelerator")
LATE_SHARE = 0.9
"""A break-even later than this part of the horizon comes about by the resale."""

NEARLY_ALL_SHARE = 0.98
MOST_SURE_SHARE = 0.99


def is_by_resale(month: float, months: int) -> bool:
    """Tell whether owning pays off so late in the horizon that only the resale at its end makes it."""
    return month > months * LATE_SHARE


def confidence(share: float) -> str:
    """Write a share of random draws: no number of them makes an answer certain.

    Examples
    --------
    >>> confidence(0.9985), confidence(0.55), confidence(0.0)
    ('over 99 %', '55 %', 'under 1 %')
    """
    if share < 1 - MOST_SURE_SHARE:
        return "under 1 %"
    return "over 99 %" if share > MOST_SURE_SHARE else percent(share)


def money(option: Option, *, once: bool) -> str:
    """Say what an option costs: for the run, or a month, at first and later where a credit or a commitment ends."""
    if once:
        took = f" of {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
        return f"{usd(option.total_usd)} USD for the run{took}"
    stages = option.stages
    if stages is not None:
        return usd_by_stage(stages.first_usd_per_month, stages.first_months, stages.then_usd_per_month)
    return f"{usd(option.usd_per_month)} USD a month"


def _of(option: Named, *names: str) -> list[Any]:
    if isinstance(option, Option):
        return [getattr(option, name) for name in names]
    values: Mapping[str, Any] = option
    return [values[name] for name in names]


def machines(option: Named) -> str:
    """Say what an option takes: machines, and the accelerators in them; of a hosted API the model."""
    kind, count, instance_type, accelerator_count, accelerator = _of(option, "kind", *MACHINES)
    if kind == OptionKind.API:
        return str(instance_type)
    return machines_text(count, instance_type, accelerator_count, accelerator)


def gpus(option: Named) -> str:
    """Say what an option takes as the headline has it: the GPUs first, then the machines that hold them."""
    return gpus_text(*_of(option, *MACHINES))


def degrees_of(layout: Layout) -> list[str]:
    """Say over how many accelerators work is split, and how."""
    return [
        f"{name} {layout[name]}" for name in ("tensor", "pipeline", "data", "expert", "context") if layout[name] > 1
    ]


def place_of(option: Named) -> str:
    """Say who offers it and where; "global" is a seller that states no region."""
    provider, region = _of(option, "provider", "region")
    if provider == "own":
        return str(region)
    return f"{seller(provider)} {'' if region == 'global' else region}".strip()


def paid(option: Named) -> str:
    """Say how an option is paid for."""
    return how_paid(*_of(option, "purchase_option"))


def given_back(option: Named, kind: str) -> str:
    """Say for how much of the month autoscaled machines are paid; hours that the user stated are not repeated."""
    sort, run_hours, count, paid_hours = _of(option, "kind", "hours_per_run", "instance_count", "paid_hours_per_month")
    if sort not in {OptionKind.RENT, OptionKind.CPU} or run_hours is not None or kind == "gpu_hours" or not count:
        return ""
    share = paid_hours / (count * HOURS_PER_MONTH)
    return f" (idle machines given back: {percent(share)} of the month is paid)" if share < NEARLY_ALL_SHARE else ""


def label(option: Named) -> str:
    """Return an option in one line: machines, place, payment."""
    return _placed(option, machines(option))


def whole(option: Named) -> str:
    """Say what an option is: machines, where, and how they are paid for."""
    return f"buying {label(option)}" if _of(option, "kind") == [OptionKind.BUY] else label(option)


def heading(option: OptionRecord) -> str:
    """Return how a verdict for an option begins."""
    head = "Lease " if option["purchase_option"] == "lease" else HEADS[option["kind"]]
    text = _placed(option, gpus(option)) if option["kind"] == OptionKind.RENT else label(option)
    return head + (f"{text.removesuffix(', per token')}, paid per token" if option["kind"] == OptionKind.API else text)


def short_name(option: OptionRecord) -> str:
    """Return an option in a few words: accelerators or machines, seller, region, payment."""
    if option["kind"] == OptionKind.API:
        return f"{option['instance_type'].rpartition('/')[2]} at {seller(option['provider'])}"
    gpu_count = option["accelerators_total_count"]
    what = machines_text(option["instance_count"], option["instance_type"], 0, None)
    if option["accelerator"] and gpu_count >= 1 and gpu_count == int(gpu_count):
        what = f"{gpu_count:,.0f} x {option['accelerator']}"
    if option["kind"] == OptionKind.BUY:
        capex = option.get("capex_usd")
        return f"{what} {option['region']}" + (f", {usd(capex)} USD capex" if capex else "")
    return f"{what}, {place_of(option)}, {paid(option).replace(' years', ' y').replace(' year', ' y')}"


def _placed(option: Named, what: str) -> str:
    """Return what an option takes, its place, and how it is paid for."""
    if _of(option, "kind") == [OptionKind.BUY]:
        return f"{what}, {place_of(option)}"
    return f"{what} at {place_of(option)}, {paid(option)}"


def chosen_of(record: PlanRecord) -> OptionRecord | None:
    """Return the option that a plan takes; None where it takes none."""
    return next((option for option in record["options"] if option["id"] == record["verdict"]["option_id"]), None)


def items_usd(timeline: Timeline) -> dict[str, float]:
    """Return the sum of each item of a timeline that is paid at all."""
    by_month = {name: timeline.component_usd(name) for name in timeline.components}
    return {name: float(cells.sum()) for name, cells in by_month.items() if cells.any()}


def stated_usd(option: OptionRecord, *, once: bool) -> float:
    """Return the cost that a reader is told: of the run, or of the mean month; older plans state no run's but its NPV."""
    cost = option["cost"]
    return float((cost.get("total_usd") or cost["present_value_usd"]) if once else cost["usd_per_month"])


def range_usd(option: OptionRecord, *, once: bool) -> tuple[float, float] | None:
    """Return the 10th and 90th percentile of that cost; None where no draws were made."""
    cost = option["cost"]
    low, high = cost.get("low_usd_per_month"), cost.get("high_usd_per_month")
    if low is None or high is None:
        return None
    ratio = stated_usd(option, once=once) / cost["usd_per_month"] if cost["usd_per_month"] else 1.0
    return low * ratio, high * ratio


def stage_words(option: OptionRecord) -> str:
    """Return what a month costs at first and then, where a credit or a commitment ends; else an empty text."""
    stages = option["cost"].get("stages")
    return usd_by_stage(**stages) if stages else ""


_ONE_BYTE = 1.0


def memory_remedies(workload: Workload) -> list[str]:
    """Return what to state where the memory is too small, the most usual first.

    Only weights that are not trained can be narrow, and only work that lies across accelerators is helped by more of them.

    Examples
    --------
    >>> full = {"kind": "finetune", "model": "m", "finetune": {"method": "full", "tokens_m": 1}}
    >>> memory_remedies(Workload.model_validate(full))
    ['more accelerators', 'adapters over frozen weights (method: lora)', 'an optimizer with smaller states (optimizer: adamw_8bit)']
    """
    is_small = (
        bool(workload.precision) and min(FORMATS[str(name)].weight_bytes for name in workload.precision) < _ONE_BYTE
    )
    match workload.work:
        case Pretrain() | Finetune() as work:
            remedies, trains, key = ["more accelerators"], "", ""
            if isinstance(work, Finetune):
                trains, key = work.trains, "method" if work.trains == work.method else "adapter"
            if trains == "full":
                remedies.append(f"adapters over frozen weights ({key}: lora)")
            if trains == "lora":
                remedies.append(f"4-bit frozen weights ({key}: qlora)")
            elif work.optimizer == "adamw" and trains != "qlora":
                remedies.append("an optimizer with smaller states (optimizer: adamw_8bit)")
            return remedies
        case FinetuneImages() as work:
            remedies = ["accelerators of more memory"]
            remedies += [] if work.checkpointing else ["gradient checkpointing (checkpointing: true)"]
            remedies += [] if work.cached else ["cached latents and text embeddings (cached: true)"]
            return remedies + ["4-bit frozen weights (method: qlora)"] * (not is_small and work.method == "lora")
        case Embed() | EmbedService() | Transcribe():
            return ["accelerators of more memory"]
        case work:
            more = "more accelerators" if isinstance(work, Serve | Batch) else "accelerators of more memory"
            return [more, *["a smaller number format (precision: [fp8, int4])"] * (not is_small)]
