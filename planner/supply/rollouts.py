"""Rollouts: how fast the machines of a training job write the answers that it learns from, in an engine of their own.

The engine and the trainer take the GPUs in turn (colocated, as verl, NeMo RL and TRL do by default), so that neither has to leave
memory to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.service import Serve
from planner.demand.workload import Finetune, Workload
from planner.supply.calibration import Calibration
from planner.supply.machines import Fleet, Machine
from planner.supply.training.candidates import Writing

_ANSWERS_AT_ONCE = (1.0, 16.0, 256.0, 4096.0)
_SPANS = (1, 2, 4, 8)
"""Machines over which one copy of a model is spread, where fewer do not hold it."""


def writing_of(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, calibration: Calibration | None
) -> Writing | None:  # fmt: skip
    """Return how fast the machines write; None for a method that learns from what is there."""
    work = workload.work
    if not isinstance(work, Finetune) or not work.written_tokens:
        return None
    from planner.supply.serving.fleet import size_serving  # most training writes nothing

    prompt = max(work.seq_len - work.written_tokens, 1)
    rates = np.zeros((len(machines), len(_ANSWERS_AT_ONCE)))
    for place, answers in enumerate(_ANSWERS_AT_ONCE):
        todo = list(range(len(machines)))
        for span in _SPANS:
            serve = Serve.model_validate(
                {"concurrency": answers * span, "input_tokens": prompt, "output_tokens": work.written_tokens}
            )
            asked = Workload(kind="serve", model=workload.model, precision=("bf16", "fp16"), serve=serve)
            fleets = size_serving(
                asked, arch, [machines[row] for row in todo], assumptions, calibration=calibration, fixed_machines=span
            )
            for row, fleet in zip(todo, fleets, strict=True):
                if isinstance(fleet, Fleet):
                    rates[row, place] = fleet.performance.rate_per_s.typical / span
            todo = [row for row in todo if not rates[row, place]]
            if not todo:
                break
    return Writing(answer_counts=np.asarray(_ANSWERS_AT_ONCE), rates_per_s=rates)
