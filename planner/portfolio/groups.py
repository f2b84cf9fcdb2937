"""Shape and size: what of a workload decides which machines can do it, and what only decides how many it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.profiles import peak_over_mean_ratio
from planner.demand.requirements import peak_requests_per_s
from planner.demand.volume import volume
from planner.demand.workload import (
    Batch,
    Diffusion,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Serve,
    Transcribe,
    Video,
    Workload,
)
from planner.supply.calibration import Calibration
from planner.supply.machines import Machine
from planner.supply.sizes.fleets import Fleets, images_and_documents, served, stated
from planner.supply.sizes.training import trained

SIZE_KEYS: Mapping[str, frozenset[str]] = {
    "serve": frozenset({"requests_per_s", "peak_requests_per_s"}),
    "batch": frozenset({"requests", "deadline_hours"}),
    "embed": frozenset({"documents", "requests_per_s", "deadline_hours"}),
    "pretrain": frozenset({"tokens_b", "deadline_days"}),
    "finetune": frozenset({"tokens_m", "epochs", "steps", "deadline_hours"}),
    "diffusion": frozenset({"images_per_day"}),
    "transcribe": frozenset({"audio_hours", "deadline_hours"}),
    "video": frozenset({"clips_per_day"}),
    "gpu_hours": frozenset({"count", "hours_per_month"}),
}
"""What of each kind's section only decides how many machines it takes."""
TRAINING = frozenset({"pretrain", "finetune"})
SECONDS_PER_DAY = 86_400.0


def _shape(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what decides speed, and what only decides prices and choice, of a workload as it is written down."""
    kind = str(content.get("kind", ""))
    work = content.get(kind)
    constraints = content.get("constraints")
    limits = dict(constraints) if isinstance(constraints, dict) else {"": constraints}
    physics: dict[str, Any] = {
        "kind": kind,
        "model": content.get("model"),
        "max_context_tokens": content.get("max_context_tokens"),
        "precision": content.get("precision"),
        "kv_precision": content.get("kv_precision"),
        "stack": content.get("stack"),
        "work": {key: value for key, value in work.items() if key not in SIZE_KEYS.get(kind, ())}
        if isinstance(work, dict)
        else work,
    }
    if kind in TRAINING:
        # How many machines may be joined, and which, decides the layouts that are searched.
        physics |= {"interconnect": limits.get("interconnect"), "max_gpus": limits.get("max_gpus")}
    else:
        limits.pop("max_gpus", None)
    limits.pop("max_usd_per_month", None)
    limits.pop("max_capex_usd", None)
    money = {
        "constraints": limits,
        "own": content.get("own"),
        "horizon_months": content.get("horizon_months"),
        "once": not content.get("runs_per_month"),
    }
    return physics, money


def physics_key(content: Mapping[str, Any]) -> str:
    """Return a text that is equal for workloads which every machine does equally fast.

    Examples
    --------
    >>> small, large = ({"kind": "gpu_hours", "gpu_hours": {"gpu": "h100", "count": n}} for n in (1, 64))
    >>> physics_key(small) == physics_key(large)
    True
    >>> physics_key({"kind": "finetune", "stack": "fsdp"}) == physics_key({"kind": "finetune", "stack": "unsloth"})
    False
    """
    return json.dumps(_shape(content)[0], sort_keys=True, default=str)


def money_key(content: Mapping[str, Any]) -> str:
    """Return a text that is equal for workloads which have the same offers and purchase options."""
    return json.dumps(_shape(content)[1], sort_keys=True, default=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Workloads of one shape; arrays have one entry for each.

    Attributes
    ----------
    workloads : sequence of Workload
        As stated; the first one stands for the shape.
    mean_per_s, peak_per_s, total : FloatArray
        Rates and the whole of a job, in requests, documents, images or (total) trained tokens.
    gpus, hours_per_month : FloatArray
        Of stated accelerator hours.
    input_tokens, output_tokens : FloatArray
        Of a month, or of one run of a job.
    deadline_hours : FloatArray
        Infinite without one.
    runs_per_month : FloatArray
        0 for a job that is run once.
    max_gpus, max_usd_per_month, max_capex_usd : FloatArray
        Infinite without a limit.
    """

    workloads: Sequence[Workload]
    mean_per_s: FloatArray
    peak_per_s: FloatArray
    total: FloatArray
    gpus: FloatArray
    hours_per_month: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    deadline_hours: FloatArray
    runs_per_month: FloatArray
    max_gpus: FloatArray
    max_usd_per_month: FloatArray
    max_capex_usd: FloatArray

    @property
    def first(self) -> Workload:
        """The workload that stands for the shape."""
        return self.workloads[0]

    @property
    def is_job(self) -> bool:
        """Whether the work ends."""
        return self.first.ends

    def part(self, columns: slice) -> Group:
        """Return some of the workloads."""
        names = [name for name in self.__dataclass_fields__ if name != "workloads"]
        return Group(workloads=self.workloads[columns], **{name: getattr(self, name)[columns] for name in names})


def _numbers(workload: Workload) -> tuple[float, float, float, float, float]:
    """Return mean and peak rate, the whole, accelerators and their hours."""
    match workload.work:
        case Serve() as work:
            return work.requests_per_s, peak_requests_per_s(work), 0.0, 0.0, 0.0
        case Diffusion() as work:
            mean = work.images_per_day / SECONDS_PER_DAY
            return mean, mean * peak_over_mean_ratio(work.profile), 0.0, 0.0, 0.0
        case Batch() as work:
            rate = work.requests / (workload.deadline_hours * 3600.0)
            return rate, rate, float(work.requests), 0.0, 0.0
        case Embed() as work:
            rate = work.documents / (workload.deadline_hours * 3600.0)
            return rate, rate, float(work.documents), 0.0, 0.0
        case EmbedService() as work:
            return work.documents_per_s, work.documents_per_s * peak_over_mean_ratio(work.profile), 0.0, 0.0, 0.0
        case Transcribe() as work:
            rate = work.audio_hours / (workload.deadline_hours * 3600.0)
            return rate, rate, work.audio_hours, 0.0, 0.0
        case FinetuneImages() as work:
            images = float(work.steps) * work.batch
            rate = images / (workload.deadline_hours * 3600.0)
            return rate, rate, images, 0.0, 0.0
        case Video() as work:
            mean = work.clips_per_day / SECONDS_PER_DAY
            return mean, mean * peak_over_mean_ratio(work.profile), 0.0, 0.0, 0.0
        case Pretrain() as work:
            return 0.0, 0.0, work.tokens_b * 1e9, 0.0, 0.0
        case Finetune() as work:
            return 0.0, 0.0, work.tokens_m * 1e6 * work.epochs, 0.0, 0.0
        case GpuHours() as work:
            return 0.0, 0.0, 0.0, float(work.count), work.hours_per_month


def group_of(workloads: Sequence[Workload], hours_per_month: float) -> Group:
    """Return the sizes of workloads of one shape.

    Parameters
    ----------
    workloads : sequence of Workload
        Of one shape, at least one.
    hours_per_month : float
        Clock hours of a month.
    """
    columns = np.array([_numbers(workload) for workload in workloads]).T
    volumes = [volume(workload, hours_per_month) for workload in workloads]
    limits = [workload.constraints for workload in workloads]
    return Group(
        workloads=workloads,
        mean_per_s=columns[0],
        peak_per_s=columns[1],
        total=columns[2],
        gpus=columns[3],
        hours_per_month=columns[4],
        input_tokens=np.array([each.input_tokens for each in volumes]),
        output_tokens=np.array([each.output_tokens for each in volumes]),
        deadline_hours=np.array([workload.deadline_hours for workload in workloads]),
        runs_per_month=np.array([each.runs_per_month for each in volumes]),
        max_gpus=np.array([float(limit.max_gpus or np.inf) for limit in limits]),
        max_usd_per_month=np.array([limit.max_usd_per_month or np.inf for limit in limits]),
        max_capex_usd=np.array([limit.max_capex_usd or np.inf for limit in limits]),
    )


def fleets_of(
    group: Group,
    architecture: Architecture | None,
    machines: Sequence[Machine],
    assumptions: Assumptions,
    *,
    shape: Workload | None = None,
    calibration: Calibration | None = None,
) -> Fleets:
    """Return the fleet of every machine for every workload of a group.

    Parameters
    ----------
    group : Group
        Workloads of one shape.
    architecture : Architecture or None
        The model; None for stated accelerator hours.
    machines : sequence of Machine
        The sorts, each once.
    assumptions : Assumptions
        Stated assumptions.
    shape : Workload, optional
        Stands for the shape instead of the first one (processors are asked in another format).
    calibration : Calibration, optional
        Fitted constants; the shipped ones by default.
    """
    one = shape or group.first
    if isinstance(one.work, GpuHours):
        fleets = stated(one, machines, assumptions, gpus=group.gpus, hours_per_month=group.hours_per_month)
    else:
        assert architecture is not None
        rates = {"mean_per_s": group.mean_per_s, "peak_per_s": group.peak_per_s}
        match one.work:
            case Serve() | Batch():
                fleets = served(
                    one, architecture, machines, assumptions, **rates, requests=group.total, calibration=calibration
                )
            case Diffusion() | Embed() | EmbedService() | FinetuneImages() | Transcribe() | Video():
                fleets = images_and_documents(
                    one, architecture, machines, assumptions, **rates, total=group.total, calibration=calibration
                )
            case _:
                fleets = trained(
                    one,
                    architecture,
                    machines,
                    assumptions,
                    tokens=group.total,
                    deadline_s=group.deadline_hours * 3600.0,
                    max_accelerators=one.constraints.max_gpus,
                    calibration=calibration,
                )
    each = np.array([m.accelerator_count if m.accelerator else 0.0 for m in machines])[:, None]
    too_many = fleets.instance_count * each > group.max_gpus
    fleets.instance_count[too_many] = 0.0
    return fleets
