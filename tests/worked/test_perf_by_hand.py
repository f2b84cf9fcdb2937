"""Performance by hand: each number is worked out on paper beside it, from public configurations."""

from __future__ import annotations

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.flops import (
    denoising_attention_flop,
    forward_flop_per_token,
    image_flop,
    training_flop_per_token,
)
from planner.demand.memory import kv_bytes_per_token, weight_bytes
from planner.demand.models import known_model
from planner.demand.parameters import active_parameter_count, lora_parameter_count, parameter_count
from planner.demand.requirements import requirements
from planner.demand.workload import Serve, Workload
from planner.supply.communication import all_reduce_s
from planner.supply.serving.model import served_model
from planner.supply.serving.speed import ServingConstants, ServingLayout, decode_step
from planner.supply.throughput.images import ImageConstants, ImageRates, image_s, step_time
from planner.supply.training.efficiency import goodput_share


def test_parameters_of_llama_3_1_8b_add_up_by_hand() -> None:
    attention = 4096 * 32 * 128 + 2 * 4096 * 8 * 128 + 32 * 128 * 4096  # 41,943,040
    mlp = 3 * 4096 * 14336  # 176,160,768
    by_hand = 32 * (attention + mlp + 2 * 4096) + 2 * 128256 * 4096 + 4096
    assert by_hand == 8_030_261_248
    assert parameter_count(known_model("llama-3.1-8b")) == by_hand


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("llama-2-7b", 6_738_415_616),
        ("llama-3.1-405b", 405_853_388_800),
        ("mixtral-8x7b", 46_702_792_704),
        ("deepseek-v3", 671_026_419_200),
        ("deepseek-v2-lite", 15_706_484_224),
        ("qwen2.5-72b", 72_706_203_648),
        ("qwen3-235b-a22b", 235_093_634_560),
        ("gemma-2-9b", 9_241_705_984),
        ("gpt2-124m", 124_439_808),
        ("phi-2", 2_779_683_840),
        ("falcon-7b", 6_921_720_704),
        ("bert-base", 109_482_240),
        ("gpt-oss-120b", 116_829_156_672),
    ],
)
def test_parameter_counts_of_published_checkpoints_are_exact(name: str, count: int) -> None:
    assert parameter_count(known_model(name)) == count


def test_active_parameters_of_mixtral_leave_out_six_of_eight_experts() -> None:
    one_expert = 3 * 4096 * 14336
    assert active_parameter_count(known_model("mixtral-8x7b")) == 46_702_792_704 - 32 * 6 * one_expert


def test_cache_of_llama_70b_is_320_kib_a_token_and_deepseeks_is_68() -> None:
    assert float(kv_bytes_per_token(known_model("llama-3.1-70b"), "bf16")) == 2 * 80 * 8 * 128 * 2
    assert float(kv_bytes_per_token(known_model("deepseek-v3"), "bf16")) == 61 * (512 + 64) * 2


def test_training_flop_are_six_a_parameter_and_half_of_full_attention() -> None:
    arch = known_model("llama-2-7b")
    linear, attention = training_flop_per_token(arch, 4096)
    matmul = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008) + 32000 * 4096
    assert linear == 6 * matmul
    assert float(attention) == 12 * 32 * 4096 * 4096 / 2
    frozen, _ = training_flop_per_token(arch, 4096, frozen_share=1.0)
    assert frozen == 4 * matmul


def test_lora_of_rank_16_on_llama_8b_has_42_million_parameters() -> None:
    query, value = 16 * (4096 + 4096), 16 * (4096 + 1024)
    mlp = 3 * 16 * (4096 + 14336)
    assert lora_parameter_count(known_model("llama-3.1-8b"), 16) == 32 * (2 * query + 2 * value + mlp) == 41_943_040


def test_twenty_requests_of_1300_tokens_to_a_70b_model_are_3_6_petaflop_a_second() -> None:
    work = Serve(requests_per_s=20, input_tokens=1000, output_tokens=300)
    need = requirements(Workload(kind="serve", model="llama-3.1-70b", serve=work))
    assert need.peak_flop_per_s == pytest.approx(2 * 70.55e9 * 26_000, rel=0.03)


def test_a_decode_step_adds_reading_computing_and_fixed_time() -> None:
    arch = known_model("llama-3.1-8b")
    model = served_model(arch, "bf16", "bf16")
    one = np.asarray(1.0)
    constants = ServingConstants(
        bandwidth_share=one * 0.5, cache_share=one * 0.25, prefill_share=one, decode_share=one * 0.5, attention_share=one,
        step_s=one * 1e-3, layer_s=one * 0.0, request_s=one * 0.0, expert_imbalance_ratio=one,
    )  # fmt: skip
    layout = ServingLayout(
        group=1, attention_split=1, stages=1, flop_per_s=1e15, flop16_per_s=1e15, bandwidth_bytes_per_s=2e12, link_bytes_per_s=1e12,
        link_latency_s=0.0, stage_bytes_per_s=1e12, stage_latency_s=0.0,
    )  # fmt: skip
    step = decode_step(model, layout, constants, 10, 1000)
    weights = (8_030_261_248 - 128256 * 4096) * 2  # all but the input table
    assert float(step.memory_s) == pytest.approx(weights / 1e12 + 10 * 1000 * 131_072 / 0.5e12)
    flop = 2 * (32 * (41_943_040 + 176_160_768) + 128256 * 4096) + 4 * 32 * 32 * 128 * 1000
    assert float(step.compute_s) == pytest.approx(10 * flop / 0.5e15)
    assert float(step.total_s) == pytest.approx(float(step.memory_s) + float(step.compute_s) + 1e-3)


def test_an_all_reduce_of_eight_moves_seven_fourths_of_the_volume() -> None:
    assert float(all_reduce_s(4e9, 8, 2e9, 1e-3)) == pytest.approx(2 * 7 / 8 * 2 + 1e-3)


def test_4_bit_weights_of_a_70b_model_fit_in_48_gb() -> None:
    assert weight_bytes(known_model("llama-3.1-70b"), "int4") < 48e9 < weight_bytes(known_model("llama-3.1-70b"), "fp8")


def test_an_sdxl_image_of_25_guided_steps_is_336_teraflop_of_passes() -> None:
    # 149.438e12 published multiply-adds of convolutions and linear layers; attention: 10 layers of width 640 see 64 x 64
    # tokens, 60 of width 1280 see 32 x 32, each 4 s^2 w FLOP a pass.
    attention = 4 * (10 * 640 * 4096**2 + 60 * 1280 * 1024**2)
    flop = float(image_flop(known_model("sdxl"), 1024 * 1024, 25, guided=True))
    assert flop == pytest.approx(2 * 149.438e12 + 50 * attention + 9.5e6 * 1024 * 1024, rel=1e-3)


def test_attention_of_a_flux_image_of_512_pixels_sees_1536_tokens() -> None:
    # 512 of text stay; the image's 4096 become 1024. 57 blocks of width 3072.
    by_hand = 4 * 57 * 3072 * 1536**2
    assert float(denoising_attention_flop(known_model("flux.1-dev"), 512 * 512)) == pytest.approx(by_hand, rel=0.01)


def test_a_guided_sd15_step_adds_arithmetic_traffic_weights_and_blocks() -> None:
    one = np.asarray([1.0])
    rates = ImageRates(
        linear_flop_per_s=one * 100e12, attention_flop_per_s=one * 50e12, single_flop_per_s=one * 10e12,
        bandwidth_bytes_per_s=one * 1e12, element_bytes=one * 2.0,
    )  # fmt: skip
    constants = ImageConstants(
        flop_share=one * 0.5,
        traffic_bytes_per_flop=one * 0.01,
        block_s=one * 1e-4,
        host_block_s=one * 0.0,
        serial_share=one * 0.0,
        pace_ratio=one,
    )
    sd = known_model("sd1.5")
    step = step_time(sd, 512 * 512, guided=True, rates=rates, constants=constants)
    linear, attention = 2 * 0.8001e12 * (1 - 0.1531), 2 * 0.8001e12 * 0.1531
    by_hand = (linear / 100e12 + attention / 50e12) / 0.5
    by_hand += (linear + attention) * 0.01 / 1e12 + 859.5e6 * 2 / 1e12 + 38 * 1e-4
    assert float(step.total_s[0]) == pytest.approx(by_hand)
    # Fifty steps and the decoding of 262,144 pixels, 9.5e6 FLOP each, in 16 bit.
    decoding = 9.5e6 * 262_144 * (1 / (50e12 * 0.5) + 0.01 / 1e12)
    whole = image_s(sd, 512 * 512, 50, guided=True, rates=rates, constants=constants)
    assert float(whole[0]) == pytest.approx(50 * by_hand + decoding)


def test_a_forward_pass_of_an_encoder_has_no_output_head() -> None:
    arch = known_model("bert-base")
    body = 12 * (4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768)
    expected = 2 * body + 4 * 12 * 12 * 64 * 300
    assert float(forward_flop_per_token(arch, 300)) == expected


def test_goodput_of_sixteen_thousand_accelerators_loses_a_sixth_to_failures() -> None:
    by_hand = 0.95 - 16384 * 0.0005 * 0.5 / 24
    assert float(goodput_share(16384, default_assumptions())) == pytest.approx(by_hand)
