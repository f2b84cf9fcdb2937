"""Prompts by hand: through stages, and alone with attention data parallelism; worked out on paper beside each number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.demand.models import known_model
from planner.supply.serving.model import served_model
from planner.supply.serving.speed import ServingConstants, ServingLayout, entry_s, pipelined_share, prefill, started_s

IDEAL = ServingConstants(
    bandwidth_share=np.array(1.0), cache_share=np.array(1.0), prefill_share=np.array(1.0), decode_share=np.array(1.0),
    attention_share=np.array(1.0), step_s=np.array(0.0), layer_s=np.array(0.0), request_s=np.array(0.0),
    expert_imbalance_ratio=np.array(1.0),
)  # fmt: skip


def layout(group: float, split: float) -> ServingLayout:
    return ServingLayout(
        group=group, attention_split=split, stages=1.0, flop_per_s=1e15, flop16_per_s=1e15, bandwidth_bytes_per_s=1e12,
        link_bytes_per_s=np.inf, link_latency_s=0.0, stage_bytes_per_s=np.inf, stage_latency_s=0.0,
    )  # fmt: skip


def test_four_chunks_take_seven_turns_through_four_stages() -> None:
    # Chunk 4 enters after three turns and leaves after four more: 7 turns of one chunk, against 16 one after another.
    assert float(pipelined_share(4, 4)) == 7 / 16


@given(chunks=st.floats(0.1, 500), more=st.floats(0, 500), stages=st.integers(1, 64))
def test_a_longer_prompt_through_stages_never_takes_less(chunks: float, more: float, stages: int) -> None:
    short, long = (one * float(pipelined_share(one, stages)) for one in (chunks, chunks + more))
    assert long >= short * (1 - 1e-12)
    assert (1 - 1e-12) / stages <= float(pipelined_share(chunks, stages)) <= 1 + 1e-12


def test_with_attention_data_parallelism_a_prompt_waits_for_one_accelerators_attention() -> None:
    model = served_model(known_model("mixtral-8x7b"), "bf16", "bf16")
    # 1,000 tokens: attention and router of 32 layers on one accelerator, the two experts of each token spread over eight.
    body = 2 * 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 8 * 4096)
    experts = 2 * 32 * 2 * 3 * 4096 * 14336
    scores = 4 * 32 * 4096 * 500
    by_hand = 1000 * (body + experts / 8 + scores) / 1e15
    alone = prefill(model, layout(8, 1), IDEAL, 1000, is_alone=True)
    assert float(alone.compute_s) == pytest.approx(by_hand, rel=1e-6)
    shared = prefill(model, layout(8, 1), IDEAL, 1000)
    assert float(shared.compute_s) == pytest.approx(1000 * (body + experts + scores) / 8 / 1e15, rel=1e-6)


@given(group=st.sampled_from([1, 2, 4, 8]), tokens=st.integers(1, 20_000))
def test_a_prompt_alone_is_never_quicker_than_its_share_of_the_replica(group: int, tokens: int) -> None:
    model = served_model(known_model("qwen3-30b-a3b"), "fp8", "fp8")
    for split in (1, group):
        alone, shared = (prefill(model, layout(group, split), IDEAL, tokens, is_alone=flag) for flag in (True, False))
        assert float(alone.total_s) >= float(shared.total_s) * (1 - 1e-12)
        if split == group:
            assert float(alone.compute_s) == pytest.approx(float(shared.compute_s))


def test_a_prompt_reads_the_experts_that_its_tokens_visit_and_a_model_without_any_reads_no_more() -> None:
    model = served_model(known_model("mixtral-8x7b"), "fp8", "fp8")
    # 32 layers of 8 experts, 3 x 4096 x 14336 bytes each, over two accelerators of 1 TB/s. One token reads 2 of 8, a thousand all.
    beyond_one = 0.75 * 32 * 8 * 3 * 4096 * 14336 / 2 / 1e12
    assert float(prefill(model, layout(2, 2), IDEAL, 1000, is_alone=True).memory_s) == pytest.approx(beyond_one)
    assert float(prefill(model, layout(2, 2), IDEAL, 1, is_alone=True).memory_s) == 0.0
    dense = served_model(known_model("llama-3.1-8b"), "fp8", "fp8")
    assert float(prefill(dense, layout(1, 1), IDEAL, 1000, is_alone=True).memory_s) == 0.0


def test_each_expert_of_a_token_starts_half_the_kernels_of_a_dense_layer() -> None:
    dense, mixture = (served_model(known_model(name), "fp8", "fp8") for name in ("llama-3.1-8b", "mixtral-8x7b"))
    # 32 layers each; Mixtral's tokens visit 2 experts in every one: 32 + 0.5 x 2 x 32.
    assert float(entry_s(dense, 1e-4)) == pytest.approx(3.2e-3)
    assert float(entry_s(mixture, 1e-4)) == pytest.approx(6.4e-3)


def test_a_quarter_of_the_steps_takes_in_a_prompt_where_64_requests_write_256_tokens() -> None:
    model = served_model(known_model("llama-3.1-70b"), "fp8", "fp8")
    # 80 layers at 0.1 ms each are 8 ms a mixed step, and 64 / 256 of the steps are mixed; beyond one a step, all are.
    assert float(started_s(model, 1e-4, 64, 256)) == pytest.approx(0.25 * 8e-3)
    assert float(started_s(model, 1e-4, 1024, 256)) == pytest.approx(8e-3)
