"""Memory by hand: published peaks worked out on paper from the model's shape and what its framework is known to keep."""

from __future__ import annotations

import pytest

from planner.demand.memory import (
    activation_bytes_per_token_and_layer,
    gathered_bytes_per_token,
    logits_bytes_per_token,
    selective_activation_bytes_per_token_and_layer,
    unsplit_layer_bytes_per_token,
)
from planner.demand.models import known_model
from planner.measured.memory.predict import memory_table
from planner.measured.rows import Row, shipped_rows


def _shipped(name: str) -> Row:
    return next(row for row in shipped_rows("memory") if row["id"] == name)


def _parts(name: str) -> tuple[float, float, float, float]:
    table, _ = memory_table([_shipped(name)])
    columns = (table.lasting_bytes, table.gradient_bytes, table.activation_bytes, table.logits_bytes)
    return tuple(float(column[0]) / 1e9 for column in columns)  # type: ignore[return-value]


def test_a_layer_of_llama_3_1_8b_keeps_192_512_bytes_a_token() -> None:
    # two norms 2 x 6 x 4096 = 49,152; query and output 4 x 4096 = 16,384; key and value 4 x 1024 = 4,096;
    # residual 2 x 4096 = 8,192; MLP 8 x 14,336 = 114,688
    by_hand = 49_152 + 16_384 + 4_096 + 8_192 + 114_688
    assert by_hand == 192_512
    assert float(activation_bytes_per_token_and_layer(known_model("llama-3.1-8b"))) == by_hand


def test_every_second_product_of_llama_3_1_8b_is_59_392_bytes_a_token_and_layer() -> None:
    # input 8,192; attention's output 8,192; half of query 8,192 + key, value 4,096 + projection, down 16,384 + gate, up 57,344
    by_hand = 8_192 + 8_192 + (8_192 + 4_096 + 16_384 + 57_344) / 2
    assert by_hand == 59_392
    assert selective_activation_bytes_per_token_and_layer(known_model("llama-3.1-8b")) == by_hand


def test_logits_of_llama_3_are_1_8_mb_a_token_and_half_a_mb_in_pieces() -> None:
    arch = known_model("llama-3.1-8b")
    assert logits_bytes_per_token(arch) == (2 + 4 + 4 + 4) * 128_256 == 1_795_584
    assert logits_bytes_per_token(arch, chunked=True) == (2 + 2) * 128_256 == 513_024


def test_tensor_parallelism_over_8_holds_86_kb_of_whole_inputs_a_token_of_70b() -> None:
    assert float(gathered_bytes_per_token(known_model("llama-3.1-70b"), 8)) == 12 * 8192 * 7 / 8 == 86_016


def test_a_layer_of_bloom_without_sequence_parallelism_over_8_ranks() -> None:
    # 14,336 x (10 + 24 / 8) + 5 x 112 x 2048 / 8 = 186,368 + 143,360
    assert float(unsplit_layer_bytes_per_token(known_model("bloom-176b"), 8, 2048)) == 329_728


def test_torchtitan_8b_on_128_gpus_needs_68_gb_where_66_6_were_measured() -> None:
    # 8.03e9 x 12 / 128 = 0.753 GB of weights and moments; two gathered units of the table (525.3 million x 2 x 2 B) and the
    # 32-bit gradient of one = 4.203 GB; gradients 8.03e9 x 4 / 128 = 0.251 GB
    # 16,384 tokens x (59,392 x 32 + 192,512) = 34.29 GB of activations; x 1,795,584 = 29.42 GB of logits
    lasting, gradients, activations, logits = _parts("me0038")
    assert lasting == pytest.approx(0.753 + 4.203, abs=0.01)
    assert gradients == pytest.approx(0.251, abs=0.001)
    assert activations == pytest.approx(34.29, abs=0.01)
    assert logits == pytest.approx(29.42, abs=0.01)
    assert lasting + gradients + activations + logits == pytest.approx(62.0 * 2**30 / 1e9, rel=0.05)


def test_a_4_bit_llama_2_7b_of_litgpt_holds_its_head_three_times() -> None:
    # (6.738 - 0.131) x 0.5625 = 3.717 GB; table 0.131 x 2 = 0.262; head expanded and cast, 2 x 0.262 = 0.524; measured 4.57
    lasting, _, activations, _ = _parts("me0126")
    assert lasting == pytest.approx(3.717 + 0.262 + 0.524, abs=0.005)
    assert lasting + activations == pytest.approx(4.57, rel=0.01)


def test_litgpt_has_a_head_of_its_own_where_falcon_40b_shares_it() -> None:
    # (41.84 - 0.533) x 0.516 + 0.533 x 2 + 2 x 1.065 = 24.51 GB; measured 24.63
    lasting, _, activations, _ = _parts("me0136")
    assert lasting == pytest.approx(24.51, abs=0.02)
    assert lasting + activations == pytest.approx(24.63, rel=0.01)


def test_a_3b_in_torchtune_with_checkpoints_peaks_when_its_gradients_are_whole() -> None:
    # 3.2127e9 x (2 + 4) = 19.28 GB lasting; gradients 6.43 GB; activations 8,192 tokens x (6,144 x 28 + 124,928) = 2.43 GB and
    # logits in pieces 8,192 x 4 x 128,256 = 4.20 GB stay just above them: 25.9 GB, measured 24.9 GiB = 26.7 GB
    lasting, gradients, activations, logits = _parts("me0066")
    assert lasting == pytest.approx(19.28, abs=0.01)
    assert gradients == pytest.approx(6.43, abs=0.01)
    assert activations == pytest.approx(2.43, abs=0.01)
    assert logits == pytest.approx(4.20, abs=0.01)
    assert lasting + max(gradients, activations + logits) == pytest.approx(24.9 * 2**30 / 1e9, rel=0.04)


def test_a_model_without_gated_mlp_is_known_by_its_count() -> None:
    # 80 layers x 12 x 13,824^2 = 183.5e9 and a table of 3.5e9: with three matrices it would be 248e9, the row says 187e9
    lasting, gradients, _, _ = _parts("me0210")
    # 187e9 / 80 x (2 + 12 / 4) = 11.7 GB, and on the first stage nine tenths of a table over 8 ranks x 6 B = 2.3 GB
    assert lasting == pytest.approx(11.7 + 2.34, rel=0.02)
    assert gradients == pytest.approx(187 / 80 * 4, rel=0.02)
