"""Serving stacks: who runs the engine, how well, and how far measured speeds lie from predicted ones.

The same model on the same box differs by two to three times. Three classes were measured apart: a community engine by its defaults or its recipe (whole
runs of a load generator), published tables of engines tuned to each model and box (trtllm-bench, InferenceMAX), and vendors' submissions (MLPerf of 2025).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.supply.calibration import Calibration, basis_and_evidence, spread
from planner.supply.machines import Machine

TUNED_STACK = "tuned"


_DEFAULTS = ("@default",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingStack:
    """How text is served.

    Attributes
    ----------
    name : str
        As in ``stack``.
    tags : tuple of str
        Tags under which the calibration holds what differs from the tuned engines' mean.
    band : str
        Whose spread its speed has, a name under ``band.``; empty for that of the kind of model.
    most_drafting_count : float
        Requests that it takes at once with speculative decoding, unless it is told another number.
    """

    name: str
    tags: tuple[str, ...] = ()
    band: str = ""
    most_drafting_count: float = math.inf

    def tags_of(self, *, is_moe: bool) -> tuple[str, ...]:
        """Return the tags of a model of its: a default engine starts a mixture's kernels one by one, which takes it longest."""
        both = ("@default-moe",) if is_moe and self.is_default else ()
        return (*self.tags, *both, *(("@moe",) if is_moe else ()))

    @property
    def is_default(self) -> bool:
        """Whether an engine is run as it comes."""
        return "@default" in self.tags


_STACKS: Mapping[str, ServingStack] = {
    stack.name: stack
    for stack in (
        ServingStack(name="default", tags=_DEFAULTS, band="serve.default"),
        ServingStack(name="vllm", tags=_DEFAULTS, band="serve.default"),
        # "Max running requests is reset to 48 for speculative decoding" (SGLang's server arguments, 2025 and 2026).
        ServingStack(name="sglang", tags=_DEFAULTS, band="serve.default", most_drafting_count=48.0),
        ServingStack(name=TUNED_STACK),
        ServingStack(name="trtllm", tags=("@trtllm",)),
        ServingStack(name="llama.cpp", tags=("@llama.cpp",), band="serve.consumer"),
        ServingStack(name="submission", tags=("@submission",), band="serve.submission"),
    )
}

DEFAULT_STACK = _STACKS["default"]


def stack_named(name: str) -> ServingStack:
    """Return a stack by its name; the default one where none is stated.

    Examples
    --------
    >>> stack_named("").name, stack_named("sglang").is_default, stack_named("tuned").tags
    ('default', True, ())
    """
    return _STACKS[name] if name else DEFAULT_STACK


def stack_of(workload: Workload) -> ServingStack:
    """Return the stack that a service or a batch names: without one, a competent deployment of an engine by its defaults."""
    return stack_named(workload.stack or "")


def practice_shares(
    stack: ServingStack, calibration: Calibration, machines: Sequence[Machine], assumptions: Assumptions
) -> NDArray[np.float64]:
    """Return a user's speed over the calibrated one, by machine: 1 where the user has measured the machine.

    Default engines and llama.cpp were measured as users run them; of published tables a user reaches ``perf.serving_practice_share``.
    """
    if "@llama.cpp" in stack.tags:
        return np.ones(len(machines))
    share = assumptions["perf.default_engine_share" if stack.is_default else "perf.serving_practice_share"]
    own = [calibration.own_rows("serve.pace_ratio", machine) is not None for machine in machines]
    return np.where(own, 1.0, share)


def speed_spreads(
    calibration: Calibration, arch: Architecture, machine: Machine, stack: ServingStack
) -> tuple[float, float]:
    """Return the standard deviation of the logarithm of measured over predicted: time per token, time to the first one.

    The engine that will run is not known: the band is that of tables whose software was left out of the fit, unless the user
    measured the accelerator.
    """
    basis, _ = basis_and_evidence(calibration, "serve.bandwidth_share", machine)
    suffix = "" if basis == "measured_nearby" else ".stranger"
    tpot = spread(calibration, _sort(arch, machine, stack) + suffix, "serve.bandwidth_share", machine)
    waiting = "serve.default.ttft" if stack.is_default else "serve.ttft"
    return tpot, calibration.value(f"band.{waiting}{suffix}")


def _sort(arch: Architecture, machine: Machine, stack: ServingStack) -> str:
    """Return the class of measured rows whose errors such work has."""
    if machine.accelerator is None:
        return "cpu"
    if stack.band:
        return stack.band
    if machine.accelerator.market_class != "datacenter":
        return "serve.consumer"
    return "serve.moe" if arch.experts else "serve.dense"
