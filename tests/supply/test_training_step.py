"""Laws of a training step: narrow formats, networks, experts, adapters and what a chip's power leaves of its peak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Finetune, Precision, Pretrain, Workload
from planner.supply.communication import Links, exchange_bandwidth, group_bandwidth
from planner.supply.fleet import estimate
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Fleet, Machine
from planner.supply.training.candidates import trained_model
from planner.supply.training.efficiency import matmul_ceiling_share, offloaded_update_s
from planner.supply.training.speed import TrainingConstants, TrainingLayout, exposed_s, matmul_efficiency, training_step
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()
quick = settings(max_examples=25, deadline=None)
CONSTANTS = TrainingConstants(
    matmul_share=0.72, width_knee=500.0, token_knee=500.0, attention_share=0.3, overlap_share=0.9, layer_s=3e-4, step_s=0.03,
    scale_loss_share=0.007, tensor_exposed_share=0.5, context_waste_ratio=1.2, pace_ratio=1.0,
)  # fmt: skip
LINKS = Links(
    scale_up_share=np.asarray(0.9), pcie_share=np.asarray(0.5), rdma_share=np.asarray(0.8), ethernet_share=np.asarray(0.5),
    scale_up_latency_s=np.asarray(2e-5), pcie_latency_s=np.asarray(3e-5), network_latency_s=np.asarray(5e-5),
)  # fmt: skip
LAYOUT = TrainingLayout(
    tensor=1, pipeline=1, data=8, sharded=True, recompute=0.0, micro_batch_tokens=8192, micro_batches=4, flop_per_s=1e15,
    flop16_per_s=1e15, bandwidth_bytes_per_s=3e12, tensor_bytes_per_s=4e11, tensor_latency_s=0.0, data_bytes_per_s=3e11,
    data_latency_s=0.0, stage_bytes_per_s=4e11, stage_latency_s=0.0, expert_bytes_per_s=4e11, expert_latency_s=0.0, machines=1,
)  # fmt: skip


def box(name: str = "H100-SXM", count: float = 8, network: str = "infiniband", speed: float = 400.0) -> Machine:
    return Machine(
        accelerator=accelerators()[name],
        accelerator_count=count,
        memory_gib=1024,
        network=network,
        network_gb_per_s_each_way=speed,
    )


def nodes(name: str = "H100-SXM") -> Hardware:
    return hardware([box(name)])


def step_s(model: str = "llama-3.1-8b", *, adapters: bool = False, base: str = "bf16", **changed: object) -> float:
    found = trained_model(known_model(model), 4096, adapters=adapters, base=base)
    return float(training_step(found, replace(LAYOUT, **changed), CONSTANTS).total_s)  # type: ignore[arg-type]


@quick
@given(width=st.floats(32, 2e4), tokens=st.floats(16, 1e6), ridge=st.floats(20, 1000))
def test_twice_the_peak_computes_faster_but_never_twice_as_fast(width: float, tokens: float, ridge: float) -> None:
    once = float(matmul_efficiency(CONSTANTS, width, tokens, ridge))
    twice = 2.0 * float(matmul_efficiency(CONSTANTS, width, tokens, 2.0 * ridge))
    assert once < twice < 2.0 * once


def test_a_product_reaches_half_of_its_share_where_the_bytes_beside_it_take_as_long() -> None:
    assert float(matmul_efficiency(CONSTANTS, 1000.0, 1000.0, 300.0)) == pytest.approx(0.72 / 2)
    assert float(matmul_efficiency(CONSTANTS, 1000.0, 1000.0, 600.0)) == pytest.approx(0.72 / 3)


@quick
@given(
    name=st.sampled_from(["H100-SXM", "H200-SXM", "L40S", "B200", "RTX 4090"]),
    model=st.sampled_from(["gpt2-124m", "llama-3.2-3b", "llama-2-7b", "mixtral-8x7b"]),
)
def test_training_in_fp8_is_never_slower_than_in_16_bit_where_the_chip_has_it(name: str, model: str) -> None:
    rates = []
    for precision in (Precision.BF16, Precision.FP8):
        work = Workload(kind="pretrain", model=model, precision=(precision,), pretrain=Pretrain(tokens_b=10))
        found = estimate(work, known_model(model), box(name), 64, ASSUMPTIONS)
        if not isinstance(found, Fleet):
            return
        rates.append(found.performance.rate_per_s.typical)
    assert rates[1] >= rates[0] * (1 - 1e-9)


@quick
@given(short=st.floats(0, 10), more=st.floats(0, 10), cover=st.floats(0, 10), further=st.floats(0, 10))
def test_more_to_send_shows_more_and_more_to_hide_under_never_slows(
    short: float, more: float, cover: float, further: float
) -> None:
    assert float(exposed_s(short, cover)) <= float(exposed_s(short + more, cover)) + 1e-12
    assert cover + float(exposed_s(short, cover)) <= cover + further + float(exposed_s(short, cover + further)) + 1e-9


def test_a_group_over_two_nodes_is_held_back_by_the_network_and_not_by_pcie() -> None:
    bandwidth, _ = group_bandwidth(nodes(), LINKS, 16.0, inside=8.0)
    assert float(bandwidth[0]) == pytest.approx(0.8 * 400e9)


def test_a_token_crosses_once_to_the_other_node_however_many_of_its_experts_are_there() -> None:
    bandwidth, _ = exchange_bandwidth(nodes(), LINKS, 16.0, inside=8.0, copies=8.0)
    sent = 8.0 * 15 / 16  # copies that go to another accelerator, in tokens
    crossing = 1 - 0.5**8
    seconds = crossing / (0.8 * 50e9) + 8.0 * 7 / 8 / (0.9 * 450e9)
    assert float(bandwidth[0]) == pytest.approx(sent / seconds)
    inside, _ = exchange_bandwidth(nodes(), LINKS, 8.0, inside=8.0, copies=8.0)
    assert float(inside[0]) == pytest.approx(0.9 * 450e9)


@quick
@given(
    speed=st.floats(5, 400), slower=st.floats(0.1, 1.0), copies=st.integers(1, 16), group=st.sampled_from([16, 64, 256])
)
def test_experts_over_a_slower_network_are_never_reached_sooner(
    speed: float, slower: float, copies: int, group: int
) -> None:
    fast, slow = (
        float(exchange_bandwidth(hardware([box(speed=each)]), LINKS, group, inside=8.0, copies=copies)[0][0])
        for each in (speed, speed * slower)
    )
    assert slow <= fast * (1 + 1e-9)


def test_experts_that_lie_over_many_accelerators_cost_their_way() -> None:
    assert step_s("qwen3-30b-a3b", expert=8) > step_s("qwen3-30b-a3b", expert=8, expert_bytes_per_s=1e15)


def test_a_4_bit_base_costs_its_unpacking_and_an_adapter_saves_the_gradients_of_the_base() -> None:
    plain = step_s(adapters=True)
    assert step_s(adapters=True, base="nf4", data=1) > step_s(adapters=True, data=1)
    assert plain < step_s()


def test_frozen_weights_move_less_for_each_token_and_less_still_in_8_bit() -> None:
    full, frozen, narrow = (
        step_s(adapters=adapters, base=base, data=1, micro_batch_tokens=512.0)
        / step_s(adapters=adapters, base=base, data=1, micro_batch_tokens=65_536.0)
        for adapters, base in ((False, "bf16"), (True, "bf16"), (True, "fp8"))
    )
    assert full > frozen > narrow


def test_gradients_in_32_bit_take_twice_their_way() -> None:
    moved = [
        step_s(gradient_bytes_per_parameter=each, sharded=False, data_bytes_per_s=1e9, micro_batch_tokens=128.0)
        for each in (0.0, 2.0, 4.0)
    ]
    assert moved[2] - moved[0] == pytest.approx(2 * (moved[1] - moved[0]), rel=0.1)


def test_attention_with_sinks_moves_its_scores_by_hand() -> None:
    model = trained_model(known_model("gpt-oss-120b"), 4096, adapters=False)
    bytes_per_token = 22 * 36 * 64 * 4096
    assert float(np.asarray(model.score_bytes_per_token)) == bytes_per_token
    fused = float(training_step(replace(model, score_bytes_per_token=0.0), LAYOUT, CONSTANTS).compute_s)
    unfused = float(training_step(model, LAYOUT, CONSTANTS).compute_s)
    assert unfused - fused == pytest.approx(4 * 8192 * bytes_per_token / (0.7 * 3e12))
    assert float(np.asarray(trained_model(known_model("llama-2-7b"), 4096, adapters=False).score_bytes_per_token)) == 0


def test_8_bit_leaves_the_output_head_in_16_bit() -> None:
    small = trained_model(known_model("llama-3.2-1b"), 4096, adapters=False)
    large = trained_model(known_model("llama-3.1-70b"), 4096, adapters=False)
    assert float(np.asarray(small.head_flop_share)) == pytest.approx(0.21, abs=0.02)
    assert float(np.asarray(large.head_flop_share)) == pytest.approx(0.015, abs=0.002)


def test_a_card_with_fewer_watts_keeps_less_of_the_same_peak() -> None:
    shares = [matmul_ceiling_share(box(name)) for name in ("H100-PCIe", "H100-SXM-96GB-HBM2e", "H100-SXM")]
    assert shares == sorted(shares)
    # A GeForce runs above the clock of its data sheet, where sums in single precision halve its rate.
    assert all(0.3 < matmul_ceiling_share(box(name)) <= 1.2 for name in accelerators())
    assert matmul_ceiling_share(box("RTX 4090")) > 1.0 > matmul_ceiling_share(box("RTX PRO 6000 Blackwell")) > 0.8


def test_states_in_host_memory_cost_their_way_and_the_processors_time_by_hand() -> None:
    way = 4 * 7e9 / 8 / (0.6 * 31e9)
    update = 28 * 7e9 / 200e9
    assert float(offloaded_update_s(7e9, 8, 1, pcie_bytes_per_s=31e9)) == pytest.approx(way + update)


def test_qlora_is_never_planned_faster_than_lora_on_the_same_card() -> None:
    rates = []
    for method in ("lora", "qlora"):
        work = Workload(
            kind="finetune", model="llama-3.1-8b", finetune=Finetune(method=method, tokens_m=10, seq_len=2048)
        )
        found = estimate(work, known_model("llama-3.1-8b"), box("A100-80GB-SXM", 1, "none", 0.0), 1, ASSUMPTIONS)
        assert isinstance(found, Fleet)
        rates.append(found.performance.rate_per_s.typical)
    assert rates[1] <= rates[0]
