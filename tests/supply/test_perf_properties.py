"""Laws that every sizing keeps, whatever the constants: more work takes no less, more hardware is never slower."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.demand.models import known_model, resolve_model
from planner.demand.workload import Embed, Finetune, ModelNumbers, Precision, Pretrain, Serve, Workload
from planner.report.notes import note_text
from planner.supply.fleet import estimate, size
from planner.supply.machines import Fleet, Machine, Refusal
from planner.supply.training.memory import fixed_bytes, training_states
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()
quick = settings(max_examples=25, deadline=None)


def machine(name: str = "H100-SXM", count: float = 8, network: str = "infiniband", speed: float = 400.0) -> Machine:
    return Machine(
        accelerator=accelerators()[name],
        accelerator_count=count,
        vcpus=96,
        memory_gib=1024,
        network=network,
        network_gb_per_s_each_way=speed,
    )


def serving(
    rate: float = 20.0, prompt: int = 1000, answer: int = 300, tpot_ms: float = 50.0, **more: object
) -> Workload:
    work = Serve(requests_per_s=rate, input_tokens=prompt, output_tokens=answer, tpot_limit_ms=tpot_ms)
    return Workload(kind="serve", model="llama-3.1-8b", serve=work, **more)


def fleet(workload: Workload, box: Machine) -> Fleet:
    found = size(workload, resolve_model(workload.model), [box], ASSUMPTIONS)[0]
    assert isinstance(found, Fleet), found
    return found


@quick
@given(rate=st.floats(20, 5000))
def test_doubling_the_requests_about_doubles_the_machines(rate: float) -> None:
    once, twice = (fleet(serving(rate=r), machine(count=1)).instance_count for r in (rate, 2 * rate))
    assert 2 * once - 1 <= twice <= 2 * once


@quick
@given(prompt=st.integers(64, 8000), more=st.integers(1, 8000))
def test_a_longer_prompt_never_lowers_the_cost(prompt: int, more: int) -> None:
    short, long = (fleet(serving(rate=200, prompt=p), machine(count=1)).instance_count for p in (prompt, prompt + more))
    assert long >= short


@quick
@given(limit=st.floats(12, 200), tighter=st.floats(0.7, 1.0))
def test_a_tighter_limit_never_needs_fewer_machines(limit: float, tighter: float) -> None:
    loose = fleet(serving(rate=300, tpot_ms=limit), machine(count=1)).instance_count
    tight = size(
        serving(rate=300, tpot_ms=limit * tighter), known_model("llama-3.1-8b"), [machine(count=1)], ASSUMPTIONS
    )[0]
    assert isinstance(tight, Refusal) or tight.instance_count >= loose


@quick
@given(name=st.sampled_from(["H100-SXM", "H200-SXM", "L40S", "B200", "L4"]), rate=st.floats(1, 100))
def test_fp8_is_never_slower_than_16_bit_where_the_chip_has_it(name: str, rate: float) -> None:
    wide = fleet(serving(rate=rate, tpot_ms=400, precision=(Precision.BF16,)), machine(name, 1))
    narrow = fleet(serving(rate=rate, tpot_ms=400, precision=(Precision.FP8,)), machine(name, 1))
    assert narrow.instance_count <= wide.instance_count


@pytest.mark.parametrize("name", ["T4", "V100-32GB-SXM"])
def test_a_precision_that_the_chip_lacks_is_refused_in_words(name: str) -> None:
    found = size(serving(precision=(Precision.FP8,)), known_model("llama-3.1-8b"), [machine(name)], ASSUMPTIONS)[0]
    assert isinstance(found, Refusal)
    assert found.stage == "precision"
    assert "fp8" in note_text(found.reason)


@quick
@given(factor=st.floats(1.0, 4.0), name=st.sampled_from(["H100-SXM", "A100-80GB-SXM", "L40S"]))
def test_more_memory_bandwidth_never_slows(factor: float, name: str) -> None:
    box = machine(name, 1)
    assert box.accelerator is not None
    chip = replace(box.accelerator, memory_bandwidth_gb_per_s=box.accelerator.memory_bandwidth_gb_per_s * factor)
    faster = replace(box, accelerator=chip)
    for workload in (serving(rate=50, tpot_ms=200), pretraining(days=None)):
        slow, fast = (estimate(workload, resolve_model(workload.model), b, 1, ASSUMPTIONS) for b in (box, faster))
        if isinstance(slow, Fleet):
            assert isinstance(fast, Fleet)
            assert fast.performance.rate_per_s.typical >= slow.performance.rate_per_s.typical * (1 - 1e-9)


def pretraining(days: float | None = 30, model: str = "llama-2-7b", **more: object) -> Workload:
    return Workload(kind="pretrain", model=model, pretrain=Pretrain(tokens_b=1000, deadline_days=days), **more)


@quick
@given(speed=st.floats(3, 400), slower=st.floats(0.1, 1.0), machines=st.sampled_from([2, 4, 16]))
def test_training_never_speeds_up_on_a_slower_network(speed: float, slower: float, machines: int) -> None:
    rates = []
    for each_way in (speed, speed * slower):
        found = estimate(
            pretraining(days=None), known_model("llama-2-7b"), machine(speed=each_way), 8 * machines, ASSUMPTIONS
        )
        assert isinstance(found, Fleet)
        rates.append(found.performance.rate_per_s.typical)
    assert rates[1] <= rates[0] * (1 + 1e-9)


def test_ethernet_is_slower_than_infiniband_for_the_same_job() -> None:
    fast = fleet(pretraining(), machine())
    slow = size(pretraining(), known_model("llama-2-7b"), [machine(network="ethernet", speed=12.5)], ASSUMPTIONS)[0]
    assert isinstance(slow, Refusal) or slow.instance_count > fast.instance_count


@quick
@given(days=st.floats(5, 200), earlier=st.floats(0.3, 0.95))
def test_an_earlier_deadline_never_needs_fewer_machines(days: float, earlier: float) -> None:
    late, soon = (fleet(pretraining(days=d), machine()).instance_count for d in (days, days * earlier))
    assert soon >= late


@quick
@given(data=st.sampled_from([1, 2, 8, 64, 512]), tensor=st.sampled_from([1, 2, 8]))
def test_memory_falls_with_the_zero_stage(data: int, tensor: int) -> None:
    states = training_states(known_model("llama-3.1-8b"), Finetune(method="full", tokens_m=1))
    totals = []
    for stage in (0, 1, 2, 3):
        parts = fixed_bytes(states, tensor=tensor, pipeline=1, data=data, expert=1, stage=stage, offload=False)
        totals.append(sum(float(part) for part in parts))
    assert totals == sorted(totals, reverse=True) or math.isclose(totals[0], totals[-1])


@quick
@given(billions=st.floats(0.05, 2000))
def test_any_number_of_parameters_gives_an_answer_or_a_reason(billions: float) -> None:
    model = ModelNumbers(parameters_b=billions)
    arch = resolve_model(model)
    work = Serve(requests_per_s=1, input_tokens=500, output_tokens=100)
    boxes = [machine("L4", 1, "ethernet", 3), machine(), machine("RTX 4090", 2, "none", 0)]
    for found in size(Workload(kind="serve", model=model, serve=work), arch, boxes, ASSUMPTIONS):
        if isinstance(found, Fleet):
            assert (
                found.performance.rate_per_s.low
                < found.performance.rate_per_s.typical
                < found.performance.rate_per_s.high
            )
            assert found.memory is not None
            assert found.memory.total_bytes <= found.memory.capacity_bytes
        else:
            assert note_text(found.reason)


def test_a_single_machine_without_a_network_is_never_joined_to_another() -> None:
    alone = machine("T4", 1, "none", 0.0)
    found = size(pretraining(), known_model("llama-2-7b"), [alone], ASSUMPTIONS)[0]
    assert isinstance(found, Refusal)


def test_the_allowed_number_of_gpus_is_held() -> None:
    found = size(serving(rate=5000), known_model("llama-3.1-8b"), [machine()], ASSUMPTIONS, max_accelerators=8)[0]
    assert isinstance(found, Refusal)
    assert found.stage == "max_gpus"


def test_a_cpu_is_told_how_many_of_it_a_large_model_would_take() -> None:
    cpu = Machine(
        accelerator=None,
        accelerator_count=0,
        vcpus=192,
        physical_cores=96,
        memory_gib=768,
        processor="AMD EPYC 9R14 (Genoa)",
        cpu_arch="x86_64",
    )
    work = Serve(requests_per_s=20, input_tokens=1000, output_tokens=300, tpot_limit_ms=50, ttft_limit_ms=1000)
    found = size(
        Workload(kind="serve", model="llama-3.1-70b", serve=work), known_model("llama-3.1-70b"), [cpu], ASSUMPTIONS
    )[0]
    assert isinstance(found, Refusal)
    assert found.machines_needed is not None
    assert found.machines_needed > 50


def test_embedding_ten_million_documents_is_an_afternoon_of_one_small_gpu() -> None:
    work = Embed(documents=10_000_000, tokens_per_document=300, deadline_hours=24)
    found = fleet(Workload(kind="embed", model="all-mpnet-base-v2", embed=work), machine("L4", 1, "ethernet", 3))
    assert found.instance_count == 1
    assert found.busy_hours_per_run is not None
    assert 1 < found.busy_hours_per_run < 12


def test_lora_of_an_8b_model_takes_one_gpu_and_qlora_fits_in_24_gb() -> None:
    lora = Workload(kind="finetune", model="llama-3.1-8b", finetune=Finetune(method="lora", tokens_m=50))
    qlora = Workload(kind="finetune", model="llama-3.1-8b", finetune=Finetune(method="qlora", tokens_m=50))
    big, small = fleet(lora, machine("L40S", 1, "ethernet", 3)), fleet(qlora, machine("RTX 4090", 1, "none", 0))
    assert big.instance_count == small.instance_count == 1
    assert small.memory is not None
    assert small.memory.total_bytes < 24 * 2**30


def test_seven_billion_parameters_on_a_trillion_tokens_in_thirty_days_take_about_48_h100() -> None:
    found = fleet(pretraining(), machine())
    assert 36 <= found.instance_count * 8 <= 64
    assert found.performance.mfu_share is not None
    assert 0.3 < found.performance.mfu_share < 0.55


def test_twenty_requests_a_second_of_a_70b_model_take_between_8_and_24_h100() -> None:
    work = Serve(requests_per_s=20, input_tokens=1000, output_tokens=300, ttft_limit_ms=1000, tpot_limit_ms=50)
    found = fleet(Workload(kind="serve", model="llama-3.1-70b", precision=(Precision.FP8,), serve=work), machine())
    assert 8 <= found.instance_count * 8 <= 24
    assert found.performance.tpot_ms is not None
    assert found.performance.tpot_ms.typical <= 50
    assert found.performance.ttft_ms is not None
    assert found.performance.ttft_ms.typical <= 1000


def test_tensor_parallel_groups_stay_inside_a_machine() -> None:
    for name, count in (("H100-SXM", 8), ("L40S", 4), ("A100-80GB-SXM", 2)):
        found = fleet(serving(rate=50, tpot_ms=100), machine(name, count))
        assert found.layout.tensor <= count


def test_sizing_a_hundred_and_fifty_machines_is_quick() -> None:
    from time import perf_counter

    boxes = [machine(name, count) for name in accelerators() for count in (1, 2, 8)][:150]
    best = min(_seconds(perf_counter, boxes) for _ in range(3))
    assert best < 1.0  # 0.1 s on an idle core; the bound leaves room for a busy one


def _seconds(clock: object, boxes: list[Machine]) -> float:
    assert callable(clock)
    before = float(clock())
    size(pretraining(), known_model("llama-2-7b"), boxes, ASSUMPTIONS)
    return float(clock()) - before
