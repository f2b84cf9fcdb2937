"""What a training row leaves unsaid is what such runs usually do; and how wide the band of a stranger's row is."""

from __future__ import annotations

import pytest

from planner.measured.classes import UNMEASURED, band_name, family_of, row_class
from planner.measured.rows import Row, accelerator_of, architecture_of, machine_of
from planner.measured.training.recipe import Recipe, recipe_of
from planner.measured.verify import verify_rows
from planner.supply.calibration import default_calibration

ROW = {
    "id": "mine", "block": "a paper of ours", "kind": "benchmark", "model": "llama-3.1-8b", "method": "pretrain", "seq_len": "8192",
    "gpu": "H100-SXM", "n_gpus": "64", "precision": "bf16", "framework": "a trainer of ours", "tokens_per_s_per_gpu": "9000",
}  # fmt: skip


def recipe(**said: str) -> Recipe:
    row: Row = {**ROW, **said}
    chip = accelerator_of(row["gpu"])
    assert chip is not None
    return recipe_of(row, architecture_of(row), machine_of(row, chip), float(row["n_gpus"]))


def test_what_is_said_is_taken() -> None:
    found = recipe(tp="4", pp="2", vpp="2", micro_batch="1", global_batch="128", recompute="full", sharding="zero1")
    assert (found.tensor, found.pipeline, found.chunks, found.data) == (4, 2, 2, 8)
    assert (found.micro_batch_tokens, found.micro_batches, found.recompute, found.sharded) == (8192, 16, 1, 0)


def test_fine_tuning_frameworks_recompute_unless_told_otherwise_and_megatron_does_not() -> None:
    assert recipe(method="lora", n_gpus="1").recompute == 1
    assert recipe(method="lora", n_gpus="8", seq_len="2048", framework="NeMo 24.04").recompute == 0
    assert recipe(method="lora", n_gpus="1", recompute="none").recompute == 0


def test_a_pipeline_with_few_micro_batches_is_interleaved() -> None:
    few = recipe(model="llama-3.1-405b", n_gpus="512", tp="8", pp="16", micro_batch="1", global_batch="128")
    many = recipe(model="llama-3.1-405b", n_gpus="512", tp="8", pp="16", micro_batch="1", global_batch="4096")
    assert few.chunks > 1
    assert many.chunks == 1


def test_fewer_sequences_than_ranks_share_them() -> None:
    found = recipe(seq_len="131072", global_batch="8")
    assert (found.data, found.context) == (8, 8)


def test_parameters_that_do_not_fit_are_sharded_or_staged() -> None:
    assert recipe(n_gpus="8").sharded == 1
    assert recipe(model="llama-3.2-1b", n_gpus="8").sharded == 0
    assert recipe(model="deepseek-v3", n_gpus="256").pipeline > 1


def test_optimizer_states_in_host_memory_take_time_and_parked_activations_do_not() -> None:
    assert recipe(notes="CPU offload", n_gpus="8").offload_s > 0
    assert recipe(notes="act. offload", n_gpus="8").offload_s == 0


def test_rows_of_unequal_length_hold_fewer_tokens_than_they_have_room_for() -> None:
    assert recipe(notes="variable-length").micro_batch_tokens < recipe().micro_batch_tokens


def test_software_that_nobody_measured_on_such_a_chip_is_a_stranger() -> None:
    assert family_of({**ROW, "framework": "NeMo 25.02"}) == ("megatron", "H100-SXM", "")
    assert band_name("training", {**ROW, "framework": "NeMo 25.02"}) == "train.dense"
    for unknown in ("a trainer of ours", ""):
        assert band_name("training", {**ROW, "framework": unknown}) == "train.dense" + UNMEASURED


@pytest.mark.parametrize("name", ["dense", "fp8", "moe", "adapters", "consumer", "campaign"])
def test_a_strangers_band_is_never_narrower(name: str) -> None:
    constants = default_calibration()
    assert constants.value(f"band.train.{name}{UNMEASURED}") >= constants.value(f"band.train.{name}")


def test_the_band_widens_from_known_software_to_strangers_and_on_to_chips_that_nobody_measured() -> None:
    widths = []
    for said in ({"framework": "NeMo 25.02"}, {}, {"gpu": "MI300X"}):
        detail = verify_rows("training", [{**ROW, **said}], default_calibration()).detail[0]
        assert detail.low is not None
        assert detail.high is not None
        widths.append(detail.high / detail.low)
    assert widths == sorted(widths)
    assert len(set(widths)) == 3


def test_a_row_that_names_little_is_predicted_all_the_same() -> None:
    bare = {key: ROW[key] for key in ("id", "model", "method", "seq_len", "gpu", "n_gpus", "tokens_per_s_per_gpu")}
    for model in ("mixtral-8x7b", "deepseek-v3", "llama-3.1-405b", "qwen3-235b-a22b", "dbrx"):
        report = verify_rows("training", [{**bare, "model": model, "n_gpus": "256"}], default_calibration())
        assert report.refused == 0
        assert report.detail[0].predicted


def test_a_row_is_classed_by_its_model_and_its_format_even_where_columns_are_empty() -> None:
    bare = {"model": "llama-3.1-8b", "gpu": "H100-SXM", "method": "pretrain"}
    assert row_class("training", bare) == "train.dense"
    assert row_class("training", {**bare, "precision": "MXFP8"}) == "train.fp8"
    assert row_class("training", {**bare, "model": "mixtral-8x7b"}) == "train.moe"
    assert row_class("training", {**bare, "model": "nobody-knows-it"}) == "train.dense"


def test_a_model_told_by_its_parameters_alone_and_a_sequence_untold_are_no_refusal() -> None:
    told = {key: ROW[key] for key in ("id", "method", "gpu", "n_gpus", "tokens_per_s_per_gpu")}
    report = verify_rows("training", [{**told, "model": "ours", "params_b": "13"}], default_calibration())
    assert report.refused == 0
    sparse = verify_rows(
        "training", [{**told, "model": "ours", "params_b": "47", "active_params_b": "13"}], default_calibration()
    )
    assert sparse.refused == 1
