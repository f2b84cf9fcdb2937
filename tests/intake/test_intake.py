"""What other tools' files say of a workload, and that what they do not say is asked for by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.cli import main
from planner.demand.models import load_workload
from planner.errors import InputError
from planner.intake.draft import draft_text
from planner.intake.reading import draft_of

VLLM = """#!/bin/bash
export HF_TOKEN=secret
vllm serve meta-llama/Llama-3.1-70B-Instruct \\
  --tensor-parallel-size 4 --quantization=fp8 --kv-cache-dtype fp8_e4m3 \\
  --max-model-len 8192 --enable-prefix-caching --port 8000 & wait
"""
SGLANG = "python3 -m sglang.launch_server --model-path Qwen/Qwen3-32B --tp 2 --dtype bfloat16 --host 0.0.0.0"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
                "containers": [{"image": "me/train:1", "command": ["python", "train.py"], "resources": {"limits": {"nvidia.com/gpu": "8"}}}],
            }
        },
    },
}  # fmt: skip
SKYPILOT = {"resources": {"accelerators": {"A100-80GB": 8}, "any_of": [{"infra": "aws", "use_spot": True}]}, "num_nodes": 2, "run": "torchrun train.py"}  # fmt: skip
TERRAFORM = {
    "planned_values": {
        "root_module": {
            "resources": [
                {"type": "aws_instance", "mode": "managed", "values": {"instance_type": "p5.48xlarge"}},
                {"type": "aws_instance", "mode": "data", "values": {"instance_type": "p5.48xlarge"}},
                {"type": "aws_s3_bucket", "mode": "managed", "values": {"bucket": "x"}},
            ],
            "child_modules": [
                {"resources": [
                    {"type": "google_compute_instance", "values": {"machine_type": "a3-highgpu-8g", "zone": "x"}},
                    {"type": "google_compute_instance", "values": {"machine_type": "n1-standard-8", "guest_accelerator": [{"type": "nvidia-tesla-t4", "count": 2}]}},
                ]},
            ],
        }
    }
}  # fmt: skip
SBATCH = "#!/bin/bash\n#SBATCH --nodes=2\n#SBATCH --gres=gpu:h200:8\n#SBATCH -t 1-00:00:00\n#SBATCH --array=0-4%2\nsrun python train.py\n"
AXOLOTL = {
    "base_model": "meta-llama/Llama-3.1-8B", "adapter": "lora", "load_in_4bit": True, "lora_r": 32, "sequence_len": 4096, "micro_batch_size": 2,
    "gradient_accumulation_steps": 4, "max_steps": 1000, "optimizer": "adamw_bnb_8bit", "deepspeed": "zero2.json",
}  # fmt: skip
TORCHTUNE = {
    "model": {"_component_": "torchtune.models.llama3_1.lora_llama3_1_8b", "lora_rank": 8}, "tokenizer": {"max_seq_len": 2048}, "batch_size": 2, "epochs": 3,
    "checkpointer": {"checkpoint_dir": "checkpoints/Meta-Llama-3.1-8B-Instruct"}, "optimizer": {"_component_": "torch.optim.AdamW"},
}  # fmt: skip


def _read(content: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    draft: dict[str, Any] = yaml.safe_load(draft_text(draft_of(text, "it"), "it"))
    return draft


def test_an_engine_line_names_model_and_formats_and_leaves_the_rate_open() -> None:
    assert _read(VLLM) == {
        "kind": "serve",
        "model": "meta-llama/Llama-3.1-70B-Instruct",
        "precision": "fp8",
        "kv_precision": "fp8",
        "serve": {"requests_per_s": None, "input_tokens": None, "output_tokens": None},
    }
    assert "HF_TOKEN" not in draft_text(draft_of(VLLM, "it"), "it")
    assert "tensor parallel 4" in draft_text(draft_of(VLLM, "it"), "it")
    assert _read(SGLANG) | {"serve": None} == {
        "kind": "serve",
        "model": "Qwen/Qwen3-32B",
        "precision": "bf16",
        "serve": None,
    }


@pytest.mark.parametrize(
    "line",
    [
        "vllm serve --enable-prefix-caching Qwen/Qwen3-32B -ep -dp 2 -q fp8_per_block",
        "vllm serve --no-enable-prefix-caching --trust-remote-code Qwen/Qwen3-32B --quantization fp8",
        "python -m sglang.launch_server --trust-remote-code --model-path Qwen/Qwen3-32B --quantization w8a8_fp8",
        "sglang serve --model_path=Qwen/Qwen3-32B --enable-metrics --quantization modelopt_fp8",
    ],
)
def test_an_option_without_a_value_takes_no_word_from_the_line(line: str) -> None:
    draft = _read(line)
    assert (draft["model"], draft["precision"]) == ("Qwen/Qwen3-32B", "fp8")


def test_a_manifest_counts_every_replica() -> None:
    assert _read(DEPLOYMENT) == {
        "kind": "gpu_hours",
        "gpu_hours": {"gpu": "H100-SXM", "count": 24, "hours_per_month": None},
    }
    pod = {
        "containers": [{"resources": {"limits": {"nvidia.com/gpu": 8}}, "args": ["vllm serve Qwen/Qwen3-32B -tp 16"]}]
    }
    lws = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "spec": {"replicas": 2, "leaderWorkerTemplate": {"size": 3, "workerTemplate": {"spec": pod}}},
    }
    assert _read(lws)["kind"] == "serve"
    told = draft_text(draft_of(json.dumps(lws), "it"), "it")
    assert "16 x a GPU that is not named, 32 x" in told  # leaders, and twice as many workers


def test_machines_of_tasks_plans_and_scripts_are_counted() -> None:
    assert _read(SKYPILOT) == {
        "kind": "gpu_hours",
        "constraints": {"purchase": ["spot"]},
        "gpu_hours": {"gpu": "A100-80GB", "count": 16, "hours_per_month": None},
    }
    assert _read(TERRAFORM)["gpu_hours"] == {"gpu": "H100-SXM", "count": 16, "hours_per_month": None}
    told = draft_text(draft_of(json.dumps(TERRAFORM), "it"), "it")
    assert "Not counted here: 2 x T4." in told
    assert "1 other resources hold no accelerator" in told
    assert _read(SBATCH)["gpu_hours"] == {"gpu": "H200", "count": 16, "hours_per_month": 120}


def test_offloading_is_taken_over_as_the_configuration_has_it() -> None:
    for content in (
        {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}},
        AXOLOTL | {"deepspeed": "deepspeed_configs/zero3_bf16_cpuoffload_params.json"},
        AXOLOTL | {"deepspeed": None, "fsdp_config": {"fsdp_offload_params": True}},
    ):
        assert _read(content)["finetune"]["offload"] is True
    assert _read({"zero_optimization": {"offload_param": {"device": "none"}}})["finetune"]["offload"] is False


def test_training_configurations_say_method_rank_and_tokens_where_they_can() -> None:
    assert _read(AXOLOTL) == {
        "kind": "finetune",
        "model": "meta-llama/Llama-3.1-8B",
        "stack": "axolotl",
        "finetune": {
            "method": "qlora",
            "rank": 32,
            "seq_len": 4096,
            "tokens_m": 32.768,
            "optimizer": "adamw_8bit",
            "offload": False,
        },
    }
    tuned = _read(TORCHTUNE)
    assert (tuned["model"], tuned["stack"]) == ("Meta-Llama-3.1-8B-Instruct", "torchtune")
    assert tuned["finetune"] == {"tokens_m": None, "method": "lora", "rank": 8, "seq_len": 2048, "epochs": 3}
    zero = _read({"zero_optimization": {"stage": 3}, "bf16": {"enabled": True}, "train_batch_size": 256})
    assert zero == {
        "kind": "finetune",
        "model": None,
        "stack": "deepspeed",
        "precision": "bf16",
        "finetune": {"tokens_m": None, "method": "full", "offload": False},
    }
    assert _read({"num_processes": 8, "num_machines": 1, "mixed_precision": "bf16"})["precision"] == "bf16"


def test_what_is_filled_in_is_planned_and_what_is_not_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    text = draft_text(draft_of(VLLM, "run.sh"), "run.sh")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_workload(str(path))
    for key in ("requests_per_s", "input_tokens", "output_tokens"):
        line = next(number for number, each in enumerate(text.splitlines(), 1) if each.strip().startswith(key))
        assert f"serve.yaml:{line}" in str(error.value)
        assert key in text.splitlines()[3] or key in text  # and in the list at the head
    for key, value in (("requests_per_s", 5), ("input_tokens", 1000), ("output_tokens", 300)):
        text = text.replace(f"{key}: ", f"{key}: {value} ")
    path.write_text(text, encoding="utf-8")
    assert load_workload(str(path)).model == "meta-llama/Llama-3.1-70B-Instruct"


def test_a_file_of_another_sort_is_refused_with_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (
        "hello",
        "",
        "a: 1",
        "[1, 2]",
        "kind: Deployment\napiVersion: v1\nspec: {replicas: [], template: 3}",
        "{" * 5000,
    ):
        with pytest.raises(InputError) as error:
            draft_of(text, "it")
        assert "vllm" in error.value.hint or "gpuplan init" in error.value.hint
    run = tmp_path / "run.sh"
    run.write_text(SGLANG, encoding="utf-8")
    assert main(["init", "batch", "--from", str(run)]) == 2
    assert "leave KIND out" in capsys.readouterr().err
    assert main(["init", "--from", str(run), "-o", str(tmp_path / "out.yaml")]) == 0
    assert "fill in serve.requests_per_s" in capsys.readouterr().err


def test_a_name_with_a_line_of_its_own_stays_in_a_comment() -> None:
    text = draft_text(draft_of("#SBATCH --gres=gpu:8\n", "x\nkind: evil"), "x\nkind: evil")
    assert yaml.safe_load(text)["kind"] == "gpu_hours"
