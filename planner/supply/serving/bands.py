"""Serving bands: how far measured speeds lie from predicted ones."""

from __future__ import annotations

from planner.demand.architecture import Architecture
from planner.supply.calibration import Calibration
from planner.supply.evidence import basis_and_evidence, spread
from planner.supply.machines import Machine
from planner.supply.serving.stacks import ServingStack


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
