"""The question: one replica of a fleet in the other program's words, or a sentence why it cannot be put."""

from __future__ import annotations

import importlib.util

import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Diffusion, Serve, Workload
from planner.options.servers import own_machine
from planner.second_opinion.beside import our_figures, second_opinion
from planner.second_opinion.question import SYSTEMS, Question, question_of
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet
from pricing.accelerators import accelerators

BELIEFS = default_assumptions()


def sized(model: str, precision: str, gpu: str, count: int, **serve: float) -> tuple[Workload, Fleet]:
    work = Serve(requests_per_s=4, input_tokens=1000, output_tokens=300, **serve)
    workload = Workload(kind="serve", model=model, precision=precision, serve=work)
    found = estimate(workload, known_model(model), own_machine(accelerators()[gpu], count), count, BELIEFS)
    assert isinstance(found, Fleet), found
    return workload, found


def asked(model: str, precision: str, gpu: str, count: int, **serve: float) -> Question | str:
    workload, fleet = sized(model, precision, gpu, count, **serve)
    return question_of(workload, known_model(model), fleet)


def test_a_dense_model_is_described_by_its_own_numbers() -> None:
    found = asked("llama-3.1-70b", "fp8", "H100-SXM", 8)
    assert isinstance(found, Question)
    assert found.config["architectures"] == ["LlamaForCausalLM"]
    assert (found.config["num_hidden_layers"], found.config["hidden_size"], found.config["head_dim"]) == (80, 8192, 128)
    assert (found.system, found.matrix_format, found.expert) == ("h100_sxm", "fp8", 0)


def test_a_mixture_says_its_experts_and_a_latent_one_goes_by_name() -> None:
    mixture = asked("qwen3-30b-a3b", "bf16", "H200-SXM", 1)
    assert isinstance(mixture, Question)
    assert (mixture.config["num_experts"], mixture.config["num_experts_per_tok"]) == (128, 8)
    latent = asked("deepseek-r1", "fp8", "H200-SXM", 8)
    assert isinstance(latent, Question)
    assert (latent.model, latent.config) == ("deepseek-ai/DeepSeek-R1", {})


def test_ranks_of_attention_share_the_requests_of_a_replica() -> None:
    workload, fleet = sized("deepseek-r1", "fp8", "H200-SXM", 8)
    found = question_of(workload, known_model("deepseek-r1"), fleet)
    assert isinstance(found, Question)
    assert found.tensor * found.attention_data == max(fleet.layout.expert, fleet.layout.tensor)
    assert found.batch * found.attention_data == pytest.approx(fleet.layout.micro_batch, rel=0.5)


def test_a_cached_prompt_is_told_in_tokens() -> None:
    found = asked("llama-3.1-8b", "bf16", "H100-SXM", 1, prefix_cache_hit_share=0.4)
    assert isinstance(found, Question)
    assert found.cached_tokens == 400


@pytest.mark.parametrize(
    ("model", "precision", "gpu", "count", "told"),
    [
        ("llama-3.1-8b", "bf16", "MI300X", 1, "no measurements of MI300X"),
        ("gemma-2-9b", "bf16", "H100-SXM", 1, "does not read models of the kind of gemma-2-9b"),
        ("mpt-7b", "bf16", "H100-SXM", 1, "mpt-7b"),
    ],
)
def test_what_it_does_not_cover_is_not_asked(model: str, precision: str, gpu: str, count: int, told: str) -> None:
    found = asked(model, precision, gpu, count)
    assert isinstance(found, str)
    assert told in found


def test_images_and_answers_without_machines_have_no_second_opinion() -> None:
    images = Workload(kind="diffusion", model="sdxl", diffusion=Diffusion(images_per_day=1000))
    fleet = estimate(images, known_model("sdxl"), own_machine(accelerators()["H100-SXM"], 1), 1, BELIEFS)
    assert isinstance(fleet, Fleet)
    assert "generating text" in second_opinion(images, known_model("sdxl"), fleet).reason
    assert "no second opinion" in second_opinion(images, known_model("sdxl"), None).sentence()


def test_systems_are_accelerators_that_we_know() -> None:
    assert set(SYSTEMS) <= set(accelerators())


def test_our_own_figures_are_of_one_replica_under_the_same_load() -> None:
    _, fleet = sized("llama-3.1-70b", "fp8", "H100-SXM", 8)
    ours = our_figures(fleet)
    assert fleet.performance.tpot_ms is not None
    each = fleet.accelerators_used / fleet.layout.data
    assert ours["tokens_per_s_per_gpu"] * each * fleet.performance.tpot_ms.typical / 1e3 == pytest.approx(
        fleet.layout.micro_batch
    )


@pytest.mark.skipif(importlib.util.find_spec("aiconfigurator") is None, reason="aiconfigurator is not installed")
def test_the_real_one_answers_within_a_factor_of_three_for_a_model_that_both_know() -> None:
    workload, fleet = sized("llama-3.1-70b", "fp8", "H100-SXM", 8)
    found = second_opinion(workload, known_model("llama-3.1-70b"), fleet, limit_s=300)
    assert not found.reason
    assert 1 / 3 < found.ratio["tokens_per_s_per_gpu"] < 3
    assert 1 / 3 < found.ratio["tpot_ms"] < 3
