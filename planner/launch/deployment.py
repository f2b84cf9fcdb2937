"""Deployments: what of a plan's option has to be known to run it, or why it cannot be run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from planner.demand.models import configuration_path, known_model, resolve_model
from planner.demand.profiles import hourly_rates
from planner.demand.workload import ModelNumbers, Profile
from planner.errors import PlanningError
from planner.fact_rows import fact_rows
from pricing.facts.accelerators import accelerators

if TYPE_CHECKING:
    from planner.report.schema.option import Layout, OptionRecord
    from planner.report.schema.plan import PlanRecord


@cache
def checkpoints() -> Mapping[str, str]:
    """Return the hub id of each known model that has one; of several the one that follows instructions."""
    return {row["model"]: row["hub_id"] for row in fact_rows("checkpoints")}


def checkpoint_of(model: object) -> str | None:
    """Return the checkpoint that a workload's model means: its hub id or folder; None where only numbers are known.

    Parameters
    ----------
    model : object
        The model as a workload names it.

    Examples
    --------
    >>> checkpoint_of("llama-3.1-70b"), checkpoint_of("RedHatAI/Qwen3-32B-FP8-dynamic"), checkpoint_of({"parameters_b": 7})
    ('meta-llama/Llama-3.1-70B-Instruct', 'RedHatAI/Qwen3-32B-FP8-dynamic', None)
    """
    if not isinstance(model, str):
        return None
    if path := configuration_path(model):
        return str(path.parent)
    return model if "/" in model else checkpoints().get(known_model(model).name)


ENGINE_KINDS = {"serve", "batch", "embed"}
"""Kinds of work that an inference engine does."""
DISK_GB = 512
"""Room for the weights and the program on each machine."""
LONGEST_OVER_MEAN = 4
"""The longest request that is let in, over the mean one, where the plan does not say."""
WHY_NOT = {
    "api": "a hosted API has nothing to deploy: it is called by its key",
    "buy": "owned servers have to be bought first; nothing starts them",
    "free": "a free notebook is started by hand, on its own page",
    "have": "it runs on machines that are there already; nothing has to be started",
}


class LaunchError(PlanningError):
    """An option that cannot be launched, or not so; the message says why."""

    code = "launch"
    exit_status = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What every target needs to know.

    Attributes
    ----------
    option : mapping
        The option, as in the plan's JSON.
    work : mapping
        The section of the workload that its kind names.
    kind, title, planned_on, command : str
        The question, its day, and the command that asks it again.
    checkpoint : str or None
        Hub id or folder of the weights.
    vendor : str
        Who makes the accelerator; empty for CPU-only machines.
    gpus_per_machine_count, machine_count, spare_machine_count : int
        Machines, the spares among them.
    replica_gpu_count, replica_count : int
        Accelerators of one replica, and replicas, those on spare machines among them.
    max_context_tokens : int
        Longest request that the engine lets in.
    requests_per_s, peak_requests_per_s : float
        Mean and busiest rate; 0 for work that is no service.
    is_native : bool
        Whether the checkpoint is in the plan's weight format already.
    """

    option: OptionRecord
    work: Mapping[str, Any]
    kind: str
    title: str
    planned_on: str
    command: str
    checkpoint: str | None
    vendor: str
    gpus_per_machine_count: int
    machine_count: int
    spare_machine_count: int
    replica_gpu_count: int
    replica_count: int
    max_context_tokens: int
    requests_per_s: float
    peak_requests_per_s: float
    is_native: bool

    @property
    def layout(self) -> Layout:
        """How the work is laid over the accelerators."""
        layout = self.option["layout"]
        assert layout is not None
        return layout

    @property
    def has_engine(self) -> bool:
        """Whether an inference engine does the work."""
        return self.kind in ENGINE_KINDS and self.vendor in {"NVIDIA", "AMD"}

    @property
    def is_service(self) -> bool:
        """Whether an engine on each machine answers requests as they come."""
        return self.kind == "serve" and self.has_engine and self.machines_per_replica_count == 1

    @property
    def machines_per_replica_count(self) -> int:
        """Machines that one replica spans."""
        return max(1, math.ceil(self.replica_gpu_count / self.gpus_per_machine_count))

    @property
    def replicas_per_machine_count(self) -> int:
        """Replicas that one machine holds; 1 where one spans several."""
        return max(1, min(self.gpus_per_machine_count // self.replica_gpu_count, self.replica_count))

    @property
    def name(self) -> str:
        """A name that every target takes."""
        words = (self.checkpoint or self.kind).rpartition("/")[2].lower().replace("_", "-").replace(".", "-")
        plain = "".join(c for c in words if c.isascii() and (c.isalnum() or c == "-")).strip("-")
        named = plain if plain[:1].isalpha() else f"gpu-{plain}"
        return named[:40].strip("-")

    @property
    def max_usd_per_hour(self) -> float:
        """Most that one machine may cost an hour: a tenth above the plan's price."""
        return round((self.option["price_usd_per_hour"] or 0.0) * 1.1, 2)

    @property
    def machine_requests_per_s(self) -> float:
        """Rate of one machine at the busiest time, as planned."""
        return self.peak_requests_per_s / max(self.machine_count - self.spare_machine_count, 1)

    @property
    def least_machine_count(self) -> int:
        """Machines that the quietest hour takes, the spares among them; none where the service scales to zero."""
        least = self.work.get("min_replicas")
        if least == 0:
            return 0
        if self.peak_requests_per_s <= self.requests_per_s:
            return self.machine_count
        quiet = self.requests_per_s * float(hourly_rates(Profile(self.work.get("profile", "steady"))).min())
        ready = math.ceil((least or 1) / self.replicas_per_machine_count)
        needed = max(ready, math.ceil(quiet / self.machine_requests_per_s)) + self.spare_machine_count
        return min(needed, self.machine_count)


def deployment_of(record: PlanRecord, option_id: str | None = None) -> Deployment:
    """Return what has to be known to run an option of a plan.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    option_id : str, optional
        The option; the verdict's without it.

    Raises
    ------
    LaunchError
        There is no such option, or it is nothing that can be started.
    """
    by_id = {option["id"]: option for option in record["options"]}
    named = option_id or record["verdict"]["option_id"]
    if named not in by_id:
        raise LaunchError(
            f"the plan has no option {named!r}",
            where="--option",
            hint=f"`gpuplan plan ... -f csv` lists them, such as {next(iter(by_id), '-')}",
        )
    option = by_id[named]
    if option["kind"] in WHY_NOT or not option["price_usd_per_hour"]:
        rents = (option["id"] for option in record["options"] if option["kind"] == "rent" and option["choosable"])
        rent = next(rents, None)
        raise LaunchError(
            f"{named} cannot be launched: {WHY_NOT.get(option['kind'], 'no seller offers its machines by the hour')}",
            where="the verdict" if option_id is None else "--option",
            hint=f"the cheapest rented machines are --option {rent}" if rent else "no rented machines do this work",
        )
    return _deployment(record, option)


def _deployment(record: PlanRecord, option: OptionRecord) -> Deployment:
    workload, needs = record["workload"], record["requirements"]
    kind = workload["kind"]
    layout = option["layout"]
    count, per_machine = option["instance_count"], max(1, int(option["accelerator_count"] or 0))
    replica_gpus = layout["tensor"] * layout["pipeline"] * layout["context"] if layout else 1
    spares = option.get("spare_instance_count") or 0
    accelerator = accelerators().get(option["accelerator"] or "")
    return Deployment(
        option=option,
        work=workload[kind],
        kind=kind,
        title=record["title"],
        planned_on=record["planned_on"],
        command=record["verdict"].get("command", ""),
        checkpoint=checkpoint_of(workload.get("model")),
        vendor=accelerator.vendor if accelerator else "",
        gpus_per_machine_count=per_machine,
        machine_count=count,
        spare_machine_count=spares,
        replica_gpu_count=replica_gpus,
        replica_count=(layout["data"] if layout else count) + spares * per_machine // replica_gpus,
        max_context_tokens=_longest_request(record),
        requests_per_s=(needs.get("units_per_s") or 0.0) if kind == "serve" else 0.0,
        peak_requests_per_s=(needs.get("peak_units_per_s") or 0.0) if kind == "serve" else 0.0,
        is_native=_is_native(workload.get("model"), layout["precision"] if layout else ""),
    )


def _longest_request(record: PlanRecord) -> int:
    """Return the context to serve with: as stated, else room for requests well above the mean."""
    workload, defaults = record["workload"], {row["key"]: row["value"] for row in record.get("defaults") or ()}
    if stated := workload.get("max_context_tokens"):
        return int(stated)
    work = workload[workload["kind"]]
    lengths = [
        work.get(key) or defaults.get(f"{workload['kind']}.{key}")
        for key in ("input_tokens", "output_tokens", "tokens_per_document")
    ]
    mean = sum(map(_mean, lengths))
    wanted: int = 2 ** math.ceil(math.log2(max(LONGEST_OVER_MEAN * mean, 512)))
    longest = _architecture_limit(workload.get("model"))
    return min(wanted, longest) if longest else wanted


def _mean(length: object) -> float:
    """Return the mean of a length, or the longest of its stated percentiles."""
    if isinstance(length, Mapping):
        return max((float(tokens) for key, tokens in length.items() if key != "cv" and tokens), default=0.0)
    return float(length) if isinstance(length, int | float) else 0.0


def _architecture_limit(model: object) -> int:
    if isinstance(model, Mapping):
        model = ModelNumbers.model_validate(model)
    return int(resolve_model(model).max_context_tokens) if isinstance(model, str | ModelNumbers) else 0


def _is_native(model: object, precision: str) -> bool:
    if not isinstance(model, str) or configuration_path(model) or not precision:
        return False
    return known_model(model).native_precision == precision
