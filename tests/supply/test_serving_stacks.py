"""Serving stacks: a default engine, a tuned one and a submission are different machines to pay for."""

from __future__ import annotations

from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Workload
from planner.measured.serving.rows import deployment_of
from planner.options.servers import own_machine
from planner.report.remarks import remark_text
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet
from planner.verdict.remarks import Remark, RemarkCode
from pricing.facts.accelerators import resolve

SERVE = {"requests_per_s": 1, "input_tokens": 1000, "output_tokens": 300}


def _fleet(model: str = "llama-3.1-8b", **more: Any) -> Fleet:
    work = Workload.model_validate({"kind": "serve", "model": model, "precision": "bf16", "serve": SERVE} | more)
    fleet = estimate(work, known_model(model), own_machine(resolve("h100-sxm")[0], 1), 1, default_assumptions())
    assert isinstance(fleet, Fleet)
    return fleet


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt-oss-20b"])
def test_a_default_engine_is_slower_than_a_tuned_one_and_that_one_than_a_submission(model: str) -> None:
    default, vllm, tuned, submission = (
        _fleet(model, stack=stack, precision=[]) for stack in (None, "vllm", "tuned", "submission")
    )
    rates = [each.performance.rate_per_s.typical for each in (default, tuned, submission)]
    assert rates[0] < 0.8 * rates[1] < rates[2]
    assert vllm.performance.rate_per_s == default.performance.rate_per_s
    assert (default.layout.stack, vllm.layout.stack) == ("default", "vllm")


def test_the_band_of_a_default_engine_is_wider() -> None:
    default, tuned = (_fleet(stack=stack).performance.rate_per_s for stack in (None, "tuned"))
    assert default.high / default.low > tuned.high / tuned.low


@pytest.mark.parametrize(
    ("section", "stack", "told"),
    [
        ({"kind": "embed", "embed": {"documents": 10, "tokens_per_document": 5}}, "vllm", "belongs to serve and batch"),
        ({"kind": "serve", "serve": SERVE}, "fsdp", "belongs to pretrain and finetune"),
        ({"kind": "serve", "serve": SERVE}, "vlm", "'vllm'"),
    ],
)
def test_a_stack_of_other_work_is_refused(section: dict[str, Any], stack: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Workload.model_validate({"model": "llama-3.1-8b", "stack": stack} | section)


@pytest.mark.parametrize(
    ("row", "deployment"),
    [
        ({"framework": "vllm", "load": "closed loop at concurrency"}, "tuned"),
        ({"framework": "vllm", "framework_version": "0.18.0", "load": "closed loop at concurrency"}, "tuned"),
        ({"framework": "vLLM 0.6.4", "load": "closed loop"}, "default"),
        ({"framework": "vLLM", "framework_version": "v0.6.3"}, "default"),
        ({"framework": "TensorRT-LLM", "load": "offline max", "notes": "whole run incl. ramp and drain"}, "default"),
        ({"framework": "TensorRT-LLM", "load": "MLPerf Offline", "framework_version": "v4.1"}, "tuned"),
        ({"framework": "TensorRT-LLM", "load": "MLPerf Server", "framework_version": "v5.1"}, "submission"),
        ({"framework": "vLLM", "stack": "tuned", "notes": "default settings"}, "tuned"),
    ],
)
def test_a_row_says_how_it_was_served(row: dict[str, str], deployment: str) -> None:
    assert deployment_of(row) == deployment


def test_the_answer_says_which_stack_it_is_of_and_what_tuning_would_save() -> None:
    told = remark_text(Remark(code=RemarkCode.TUNING, figures=("vllm", 12.0, 7.0)))
    assert "vLLM's default settings" in told
    assert "7 of the 12 machines" in told
    assert "no machine" in remark_text(Remark(code=RemarkCode.TUNING, figures=("default", 1.0, 1.0)))
