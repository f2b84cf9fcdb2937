"""Defaults: what a workload means where it does not say, filled in before anything is sized."""

from __future__ import annotations

from planner.assumptions import Assumptions
from planner.demand.sections import mean_tokens, variation
from planner.demand.service import Traffic
from planner.demand.workload import Diffusion, EmbedService, GpuHours, Pretrain, Serve, Video, Workload


def with_limits(workload: Workload, assumptions: Assumptions) -> Workload:
    """Return work with what it does not state: a service's limits and spare replicas, the deadline of a job that ends.

    A service that states no limit still has users who wait, so limits hold that any chat would ask for (`serve.ttft_limit_ms`, in
    proportion for long prompts, and `serve.tpot_limit_ms`); with a limit on the total time neither may take longer than that. A job
    without a deadline would be done for the least money by one machine in some decades, so it is given `job.deadline_hours`
    (`pretrain.deadline_days`), or the time to its next run, unless it states its GPUs. Lengths whose variation is not stated vary as those
    of chats do. A service of encoders is held to the limit on the first token. Spare replicas are paid for only where the user stated a limit.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> serve = {"requests_per_s": 1, "input_tokens": 32_000, "output_tokens": 300}
    >>> stated = Workload.model_validate({"kind": "serve", "model": "m", "serve": serve})
    >>> filled = with_limits(stated, default_assumptions()).serve
    >>> filled.ttft_limit_ms, filled.tpot_limit_ms, filled.spare_replicas
    (8000.0, 100.0, 0)
    """
    work = workload.work
    if isinstance(work, EmbedService) and work.latency_limit_ms is None:
        limit = {"latency_limit_ms": assumptions["serve.ttft_limit_ms"]}
        return workload.model_copy(update={"embed": work.model_copy(update=limit)})
    if not isinstance(work, Serve):
        return _with_deadline(workload, assumptions)
    filled: dict[str, float | Traffic] = {}
    is_limited = any((work.ttft_limit_ms, work.tpot_limit_ms, work.total_limit_ms))
    if work.ttft_limit_ms is None:
        longer = max(mean_tokens(work.input_tokens) / assumptions["serve.ttft_limit_input_tokens"], 1.0)
        filled["ttft_limit_ms"] = work.total_limit_ms or assumptions["serve.ttft_limit_ms"] * longer
    if work.tpot_limit_ms is None:
        # Of an answer of a few tokens the time of each varies much: the whole of it is what the limit is for.
        filled["tpot_limit_ms"] = work.total_limit_ms or assumptions["serve.tpot_limit_ms"]
    if work.spare_replicas is None:
        filled["spare_replicas"] = round(assumptions["serve.spare_replicas"]) if is_limited else 0
    if work.traffic is None and None in (variation(work.input_tokens), variation(work.output_tokens)):
        filled["traffic"] = Traffic.CHAT
    if not filled:
        return workload
    served = work.model_copy(update=filled).with_loop_rate()
    served.model_fields_set.difference_update({"spare_replicas"} & filled.keys())  # still not stated
    return workload.model_copy(update={"serve": served})


def _with_deadline(workload: Workload, assumptions: Assumptions) -> Workload:
    """Return a job with a deadline; other work, and training on a stated number of GPUs, as it is."""
    work = workload.work
    if isinstance(work, Diffusion | Video | GpuHours | Serve | EmbedService) or getattr(work, "gpu_count", None):
        return workload
    key = "deadline_days" if isinstance(work, Pretrain) else "deadline_hours"
    if getattr(work, key) is not None:
        return workload
    default = assumptions["pretrain.deadline_days" if isinstance(work, Pretrain) else "job.deadline_hours"]
    if workload.runs_per_month:  # one run is over before the next begins
        between_hours = assumptions["money.hours_per_month"] / workload.runs_per_month
        default = min(default, between_hours / 24 if isinstance(work, Pretrain) else between_hours)
    return workload.model_copy(update={workload.kind: work.model_copy(update={key: default})})
