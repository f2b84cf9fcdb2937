"""A workload among many gets the verdict that it gets on its own: choice, option and money to the cent."""

from __future__ import annotations

import random
from typing import Any

import pytest

from planner.portfolio.answers import answers_of
from tests.portfolio.equal import asked_rows, differences, market, tables, usual_market

OTHER_MONEY = {
    "money.discount_rate_share_per_year": 0.03,
    "rent.price_change_share_per_year": -0.2,
    "rent.support_share": 0.1,
    "rent.storage_gb": 5000,
    "rent.egress_gb_per_month": 1000,
    "own.lead_time_months": 5,
    "own.life_months": 24,
    "verdict.buy_margin_share": 0.0,
}

TAXED_LOAN = {"money.tax_share": 0.25, "money.financing": 1, "money.loan_months": 30, "own.life_months": 24}


def _rows(count: int, seed: int, shapes: int) -> list[dict[str, Any]]:
    return list(tables().portfolio_rows(count, shapes=shapes, seed=seed))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "settings"), [(21, TAXED_LOAN), (22, OTHER_MONEY), (23, None)])
def test_hundreds_of_workloads_of_all_kinds_have_the_verdicts_of_single_plans(
    seed: int, settings: dict[str, float] | None
) -> None:
    against = market(settings) if settings else usual_market()
    asked = asked_rows(_rows(400, seed, 30))
    answers = answers_of(asked, against)
    sample = random.Random(seed).sample(range(len(asked)), 40)
    assert differences(asked, answers, against, sample) == []
    assert {"rent", "api"} <= {row.get("choice") for row in answers.rows}


SERVE = {"kind": "serve", "model": "llama-3.1-8b", "serve.input_tokens": 500, "serve.output_tokens": 100}
LORA = {"kind": "finetune", "model": "llama-3.1-8b", "finetune.method": "lora"}
HEAP = {"kind": "batch", "model": "qwen2.5-7b", "batch.input_tokens": 400, "batch.output_tokens": 100}


ODD_ROWS = [
        {**SERVE, "serve.requests_per_s": 3.0, "constraints.purchase": "spot"},
        {**SERVE, "serve.requests_per_s": 30.0, "constraints.providers": "vastai"},
        {**SERVE, "serve.requests_per_s": 30.0, "constraints.gpus": "h100;a100", "serve.prefix_cache_hit_share": 0.5},
        {**SERVE, "serve.requests_per_s": 2.0, "precision": "fp4", "horizon_months": 1},
        {**SERVE, "serve.requests_per_s": 1e-6, "precision": "fp8;bf16", "kv_precision": "fp8"},
        {**SERVE, "serve.requests_per_s": 50_000.0, "horizon_months": 120},
        {**SERVE, "serve.requests_per_s": 5.0, "serve.drafted_tokens": 4, "constraints.max_usd_per_month": 1.0},
        {**SERVE, "serve.requests_per_s": 5.0, "serve.ttft_limit_ms": 0.01},
        {**SERVE, "serve.requests_per_s": 5.0, "serve.peak_requests_per_s": 60.0, "own.place": "DE", "horizon_months": 72},
        {"kind": "serve", "model.parameters_b": 13, "serve.requests_per_s": 8, "serve.input_tokens": 800, "serve.output_tokens": 200},
        {**SERVE, "serve.requests_per_s": 6.0, "serve.tpot_limit_ms": 40, "serve.profile": "office_hours"},
        {**SERVE, "serve.requests_per_s": 90.0, "serve.ttft_limit_ms": 900, "serve.spare_replicas": 3, "horizon_months": 60},
        {**SERVE, "serve.requests_per_s": 9.0, "serve.spare_replicas": 1, "constraints.max_gpus": 2},
        {**LORA, "finetune.tokens_m": 5.0},
        {**LORA, "finetune.tokens_m": 900.0, "finetune.deadline_hours": 20, "constraints.interconnect": "infiniband"},
        {**LORA, "finetune.tokens_m": 4000.0, "runs_per_month": 30, "finetune.method": "qlora"},
        {**LORA, "finetune.tokens_m": 9.0, "finetune.method": "grpo"},
        {**LORA, "finetune.tokens_m": 40.0, "finetune.deadline_hours": 6, "constraints.max_gpus": 2, "runs_per_month": 4},
        {"kind": "pretrain", "model": "llama-3.2-1b", "pretrain.tokens_b": 100, "pretrain.deadline_days": 20},
        {"kind": "pretrain", "model": "llama-3.1-8b", "pretrain.tokens_b": 3000, "constraints.purchase": "capacity_block"},
        {"kind": "pretrain", "model": "llama-3.1-8b", "pretrain.tokens_b": 900, "constraints.purchase": "reserved", "horizon_months": 30},
        {"kind": "pretrain", "model": "llama-3.2-1b", "pretrain.tokens_b": 100, "pretrain.deadline_days": 20, "pretrain.gpu_count": 64},
        {**HEAP, "batch.requests": 50_000_000, "batch.deadline_hours": 20.0},
        {**HEAP, "batch.requests": 900_000, "constraints.purchase": "spot", "batch.deadline_hours": 8},
        {**HEAP, "batch.requests": 900_000, "runs_per_month": 60, "constraints.purchase": "reserved_1y;spot;on_demand"},
        {"kind": "embed", "model": "bge-m3", "embed.documents": 10**9, "runs_per_month": 2},
        {"kind": "embed", "model": "bge-m3", "embed.documents": 1000, "constraints.countries": "DE"},
        {"kind": "embed", "model": "bge-m3", "embed.requests_per_s": 900, "embed.latency_limit_ms": 50, "embed.profile": "office_hours"},
        {"kind": "diffusion", "model": "sdxl", "diffusion.images_per_day": 2e6, "diffusion.seconds_per_image_limit": 4},
        {"kind": "gpu_hours", "gpu_hours.gpu": "b200", "gpu_hours.count": 20, "gpu_hours.hours_per_month": 730, "horizon_months": 48},
        {"kind": "gpu_hours", "gpu_hours.gpu": "rtx-4090", "gpu_hours.count": 3, "gpu_hours.hours_per_month": 100},
        {**SERVE, "serve.requests_per_s": 60.0, "serve.traffic": "code", "serve.min_replicas": 5, "serve.target_requests_per_s": 9},
        {**SERVE, "serve.requests_per_s": 60.0, "serve.max_replicas": 2},
]  # fmt: skip


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=[pytest.mark.slow] if number % 6 else []) for number, row in enumerate(ODD_ROWS)]
)
def test_odd_workloads_have_the_verdict_of_their_own_plan(row: dict[str, Any]) -> None:
    against = usual_market()
    asked = asked_rows([row])
    assert differences(asked, answers_of(asked, against), against, [0]) == []


def test_constraints_of_the_command_line_stand_instead_of_the_workload_s() -> None:
    against = market(overrides={"providers": ("aws",), "purchase": ("on_demand",)}, horizon_months=12)
    asked = asked_rows([{**SERVE, "serve.requests_per_s": 4.0, "constraints.providers": "gcp"}])
    answers = answers_of(asked, against)
    assert differences(asked, answers, against, [0]) == []
    assert answers.rows[0]["provider"] == "aws"


def test_a_workload_that_cannot_be_planned_says_why_and_leaves_the_others_alone() -> None:
    against = usual_market()
    asked = asked_rows(
        [
            {**SERVE, "serve.requests_per_s": 4.0},
            {**SERVE, "model": "llama-9-8b", "serve.requests_per_s": 4.0},
            {**SERVE, "serve.requests_per_s": 4.0, "constraints.providers": "awz"},
            {**SERVE, "serve.requests_per_s": 4.0, "own.place": "Atlantis"},
            {"kind": "diffusion", "model": "llama-3.1-8b", "diffusion.images_per_day": 5},
        ]
    )
    answers = answers_of(asked, against)
    by_row = {row["row"]: row for row in answers.rows}
    assert [by_row[number]["status"] for number in range(5)] == ["planned", *["refused"] * 4]
    assert "llama-9-8b" in by_row[1]["reason"]
    assert "did you mean aws" in by_row[2]["reason"]
    assert differences(asked, answers, against, range(5)) == []


@pytest.mark.slow
def test_the_answer_to_a_workload_does_not_depend_on_its_neighbours() -> None:
    against = usual_market()
    asked = asked_rows(_rows(120, 5, 12))
    together = {row["row"]: row for row in answers_of(asked, against).rows}
    for number in (3, 40, 77, 119):
        alone = answers_of([asked[number]], against).rows[0]
        for name, value in alone.items():
            assert together[number][name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)
