"""Laws of training memory: what keeps less never takes more, and no peak lies below what lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.demand.memory import (
    activation_bytes_per_token_and_layer,
    gathered_bytes_per_token,
    logits_bytes_per_token,
    peak_bytes,
    score_bytes_per_token_and_layer,
    selective_activation_bytes_per_token_and_layer,
    unsplit_layer_bytes_per_token,
)
from planner.demand.models import known_model

BYTES = st.floats(0, 1e12)
MODELS = ["llama-3.1-8b", "phi-2", "falcon-7b", "gemma-2-9b", "mixtral-8x7b", "deepseek-v3", "qwen3-32b"]


@pytest.mark.parametrize("name", MODELS)
def test_full_recomputation_keeps_less_than_selective_and_selective_less_than_none(name: str) -> None:
    arch = known_model(name)
    none = float(activation_bytes_per_token_and_layer(arch))
    selective = selective_activation_bytes_per_token_and_layer(arch)
    full = float(activation_bytes_per_token_and_layer(arch, recompute=True))
    assert full < selective < none


@pytest.mark.parametrize("name", MODELS)
def test_a_loss_in_pieces_takes_less_than_a_third_of_a_whole_one(name: str) -> None:
    arch = known_model(name)
    assert 3 * logits_bytes_per_token(arch, chunked=True) < logits_bytes_per_token(arch)


@given(BYTES, BYTES, BYTES)
def test_sharing_room_never_takes_more_and_never_less_than_either(lasting: float, grads: float, kept: float) -> None:
    shared = float(peak_bytes(lasting, grads, kept))
    assert shared <= float(peak_bytes(lasting, grads, kept, overlap=False))
    assert shared >= lasting + max(grads, kept) - 1e-3


def test_one_rank_gathers_nothing_and_more_ranks_gather_more() -> None:
    arch = known_model("llama-3.1-70b")
    found = gathered_bytes_per_token(arch, [1, 2, 4, 8])
    assert found[0] == 0
    assert (found[1:] > found[:-1]).all()
    assert found[-1] < 12 * arch.hidden


def test_only_capped_scores_are_formed_whole_and_grow_with_the_sequence() -> None:
    gemma, llama = known_model("gemma-2-9b"), known_model("llama-3.1-8b")
    assert float(score_bytes_per_token_and_layer(llama, 8192)) == 0
    short, long = score_bytes_per_token_and_layer(gemma, [1024, 2048])
    assert long == 2 * short > 0


def test_without_sequence_parallelism_a_layer_shrinks_less_than_its_ranks_grow() -> None:
    arch = known_model("bloom-176b")
    one, eight = unsplit_layer_bytes_per_token(arch, [1, 8], 2048)
    assert one / 8 < eight < one


def test_an_rms_norm_keeps_more_than_a_layer_norm_whose_kernel_is_fused() -> None:
    arch = known_model("llama-3.1-8b")
    layer = replace(arch, norm="layer")
    rms, fused = activation_bytes_per_token_and_layer(arch), activation_bytes_per_token_and_layer(layer)
    assert float(rms) - float(fused) == 2 * 2 * arch.hidden
