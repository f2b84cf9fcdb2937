"""Images: laws that the time of a step keeps, and what a fleet of them is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Diffusion, Precision, Workload
from planner.report.notes import note_texts
from planner.supply.calibration import default_calibration
from planner.supply.fleet import size
from planner.supply.hardware import hardware
from planner.supply.machines import Fleet, Machine, Refusal
from planner.supply.scaling import relief
from planner.supply.throughput.images import (
    ImageConstants,
    ImageRates,
    image_constants,
    image_rates,
    image_s,
    step_time,
    sustained_share,
)
from pricing.facts.accelerators import accelerators

SDXL = known_model("sdxl")
MEGAPIXEL = 1024.0 * 1024.0
ASSUMPTIONS = default_assumptions()
quick = settings(max_examples=40, deadline=None)


def machine(name: str = "H100-SXM", count: float = 1) -> Machine:
    return Machine(accelerator=accelerators()[name], accelerator_count=count, vcpus=32, memory_gib=256)


def work_of(
    name: str = "H100-SXM", precision: str = "fp16", *, eager: bool = False
) -> tuple[ImageRates, ImageConstants]:
    machines = [machine(name)]
    tags = [("@compiled",)] if not eager else [()]
    constants = image_constants(default_calibration(), machines, tags, eager=eager)
    return image_rates(machines, hardware(machines), [precision]), constants


@quick
@given(batch=st.integers(1, 32), pixels=st.sampled_from([512.0**2, 768.0**2, MEGAPIXEL, 4 * MEGAPIXEL]))
def test_a_bigger_batch_never_slows_an_image_and_never_quickens_a_step(batch: int, pixels: float) -> None:
    rates, constants = work_of(eager=batch % 2 == 0)
    one, more = (
        image_s(SDXL, pixels, 28, guided=True, rates=rates, constants=constants, batch=count)
        for count in (batch, batch + 1)
    )
    assert more[0] <= one[0] * (1 + 1e-12)
    steps = [
        step_time(SDXL, pixels, guided=True, rates=rates, constants=constants, batch=count).total_s[0]
        for count in (batch, batch + 1)
    ]
    assert steps[1] >= steps[0]


@quick
@given(pixels=st.floats(64.0**2, 4096.0**2), more=st.floats(1.0, 4.0), steps=st.integers(1, 100))
def test_more_pixels_and_more_steps_take_longer(pixels: float, more: float, steps: int) -> None:
    rates, constants = work_of()
    small = image_s(SDXL, pixels, steps, guided=True, rates=rates, constants=constants)
    assert image_s(SDXL, pixels * more, steps, guided=True, rates=rates, constants=constants)[0] >= small[0]
    assert image_s(SDXL, pixels, steps + 1, guided=True, rates=rates, constants=constants)[0] > small[0]


@quick
@given(bandwidth=st.floats(0.1, 10.0))
def test_more_bandwidth_never_slows_a_step(bandwidth: float) -> None:
    rates, constants = work_of()
    wider = replace(rates, bandwidth_bytes_per_s=rates.bandwidth_bytes_per_s * (1 + bandwidth))
    slow, fast = (
        step_time(SDXL, MEGAPIXEL, guided=True, rates=one, constants=constants).total_s[0] for one in (rates, wider)
    )
    assert fast < slow


def test_guidance_doubles_the_work_but_not_the_starts() -> None:
    rates, constants = work_of()
    free, guided = (step_time(SDXL, MEGAPIXEL, guided=flag, rates=rates, constants=constants) for flag in (False, True))
    assert guided.arithmetic_s[0] == pytest.approx(2 * free.arithmetic_s[0])
    assert guided.blocks_s == free.blocks_s


@pytest.mark.parametrize("name", ["H100-SXM", "L40S", "RTX 4090"])
def test_eight_bit_is_never_slower_than_sixteen(name: str) -> None:
    machines = [machine(name)]
    hw = hardware(machines)
    times = []
    for precision, tags in (("fp16", ("@compiled",)), ("fp8", ("@compiled", "@fp8"))):
        constants = image_constants(default_calibration(), machines, [tags])
        rates = image_rates(machines, hw, [precision])
        times.append(image_s(SDXL, MEGAPIXEL, 28, guided=True, rates=rates, constants=constants)[0])
    assert times[1] < times[0]


def test_a_host_that_launches_kernel_by_kernel_sets_the_pace_of_small_images_alone() -> None:
    sd, small = known_model("sd1.5"), 512.0**2
    rates, eager = work_of(eager=True)
    replayed = replace(eager, host_block_s=np.zeros(1))

    def gain(batch: float) -> float:
        times = [
            step_time(sd, small, guided=True, rates=rates, constants=one, batch=batch).total_s[0]
            for one in (eager, replayed)
        ]
        return float(times[0] / times[1])

    assert gain(1) > 1.5
    assert gain(64) == pytest.approx(1.0, abs=0.01)


def test_a_card_of_70_watts_holds_less_than_half_of_its_peak_and_one_of_700_most_of_it() -> None:
    assert sustained_share(accelerators()["T4"]) < 0.5
    assert sustained_share(accelerators()["H100-PCIe"]) < sustained_share(accelerators()["H100-SXM"])
    assert sustained_share(accelerators()["H100-SXM"]) == pytest.approx(794.5 / 989)
    assert sustained_share(None) == 1.0


def test_consumer_cards_double_their_rate_when_sums_are_in_half_precision() -> None:
    machines = [machine("RTX 4090"), machine("L40S")]
    plain = image_rates(machines, hardware(machines), ["fp16", "fp16"])
    halved = image_rates(machines, hardware(machines), ["fp16", "fp16"], [True, True])
    assert (halved.linear_flop_per_s / plain.linear_flop_per_s).tolist() == [2.0, 1.0]


def test_a_format_that_the_chip_lacks_is_computed_in_sixteen_bits() -> None:
    machines = [machine("A100-80GB-SXM")]
    eight = image_rates(machines, hardware(machines), ["fp8"])
    assert eight.linear_flop_per_s == eight.attention_flop_per_s
    assert eight.element_bytes.tolist() == [2.0]


def images(limit_s: float | None = None, per_day: float = 50_000.0) -> Workload:
    return Workload(
        kind="diffusion", model="sdxl", diffusion=Diffusion(images_per_day=per_day, seconds_per_image_limit=limit_s)
    )


def fleet(workload: Workload, name: str = "H100-SXM") -> Fleet:
    found = size(workload, SDXL, [machine(name)], ASSUMPTIONS)[0]
    assert isinstance(found, Fleet), found
    return found


def test_a_limit_of_seconds_shrinks_the_batch_and_then_refuses() -> None:
    alone_s = fleet(images()).performance.step_s
    assert alone_s is not None
    assert fleet(images()).layout.micro_batch == 8
    assert fleet(images(alone_s * 2.5)).layout.micro_batch == 2
    assert fleet(images(alone_s * 1.01)).layout.micro_batch == 1
    refused = size(images(alone_s * 0.9), SDXL, [machine()], ASSUMPTIONS)[0]
    assert isinstance(refused, Refusal)
    assert refused.stage == "deadline"


def test_a_card_of_little_memory_makes_fewer_images_at_once() -> None:
    assert fleet(images(), "V100-16GB-SXM").layout.micro_batch < fleet(images(), "H100-SXM").layout.micro_batch


def test_the_fleet_says_what_running_without_a_compiler_would_cost() -> None:
    note = next(text for text in note_texts(fleet(images()).notes) if "torch.compile" in text)
    assert float(note.rsplit(" times", maxsplit=1)[0].rsplit(" ", maxsplit=1)[1]) > 1.0


def test_twice_the_images_take_about_twice_the_machines() -> None:
    one, two = (fleet(images(per_day=count)).instance_count for count in (2e6, 4e6))
    assert two == pytest.approx(2 * one, abs=1)


def test_twice_the_arithmetic_helps_even_a_chip_that_power_holds_back() -> None:
    for name in ("T4", "A100-80GB-SXM"):
        gains = relief(images(per_day=1000.0), SDXL, machine(name), 1, ASSUMPTIONS)
        assert gains["compute"] > gains["memory_bandwidth"] > 0


def test_int8_weights_on_a_chip_without_such_arithmetic_are_as_fast_as_sixteen_bits() -> None:
    speeds = [
        fleet(images().model_copy(update={"precision": (name,)}), "A100-80GB-SXM").performance.rate_per_s.typical
        for name in (Precision.INT8, Precision.FP16)
    ]
    assert speeds[0] == pytest.approx(speeds[1])
