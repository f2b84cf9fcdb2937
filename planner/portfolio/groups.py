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
from planner.demand.volume import volume
from planner.demand.workload import Workload
from planner.supply.calibration import Calibration
from planner.supply.fleet import sizes
from planner.supply.fleet_arrays import Amounts, Fleets, amounts_of
from planner.supply.machines import Machine

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
class Group(Amounts):
    """Workloads of one shape, with how much they ask for; arrays have one entry for each.

    Attributes
    ----------
    workloads : sequence of Workload
        As stated; the first one stands for the shape.
    input_tokens, output_tokens : FloatArray
        Of a month, or of one run of a job.
    runs_per_month : FloatArray
        0 for a job that is run once.
    max_gpus, max_usd_per_month, max_capex_usd : FloatArray
        Infinite without a limit.
    """

    workloads: Sequence[Workload]
    input_tokens: FloatArray
    output_tokens: FloatArray
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


def group_of(workloads: Sequence[Workload], hours_per_month: float) -> Group:
    """Return the sizes of workloads of one shape.

    Parameters
    ----------
    workloads : sequence of Workload
        Of one shape, at least one.
    hours_per_month : float
        Clock hours of a month.
    """
    amounts = amounts_of(workloads)
    volumes = [volume(workload, hours_per_month) for workload in workloads]
    limits = [workload.constraints for workload in workloads]
    return Group(
        workloads=workloads,
        **{name: getattr(amounts, name) for name in Amounts.__dataclass_fields__},
        input_tokens=np.array([amount.input_tokens for amount in volumes]),
        output_tokens=np.array([amount.output_tokens for amount in volumes]),
        runs_per_month=np.array([amount.runs_per_month for amount in volumes]),
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
    stands_for = shape or group.first
    fleets = sizes(
        stands_for, architecture, machines, assumptions, group,
        max_accelerators=stands_for.constraints.max_gpus, calibration=calibration,
    )  # fmt: skip
    per_machine = np.array([m.accelerator_count if m.accelerator else 0.0 for m in machines])[:, None]
    too_many = fleets.instance_count * per_machine > group.max_gpus
    fleets.instance_count[too_many] = 0.0
    return fleets
