"""Training configurations: axolotl, torchtune, accelerate, DeepSpeed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.intake.draft import Draft

OPTIMIZERS = {"adamw_8bit": "adamw_8bit", "adamw_bnb_8bit": "adamw_8bit", "paged_adamw_8bit": "adamw_8bit", "adamw8bit": "adamw_8bit", "pagedadamw8bit": "adamw_8bit", "adafactor": "adafactor", "sgd": "sgd"}  # fmt: skip


def _optimizer(name: object) -> dict[str, str]:
    optimizer = OPTIMIZERS.get(str(name or "").rpartition(".")[2].lower())
    return {"optimizer": optimizer} if optimizer else {}


def _positive(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def _volume(
    sequences_per_step: float, seq_len: float, steps: float, epochs: float, remarks: list[str]
) -> dict[str, float]:
    """Return the tokens of a run, known only where its steps are stated, else its passes over the data."""
    if steps and sequences_per_step and seq_len:
        remarks.append(
            "Tokens: max_steps x sequences of a step x their length, on one GPU; more GPUs see so many more."
        )
        return {"tokens_m": round(steps * sequences_per_step * seq_len / 1e6, 4)}
    return {"epochs": epochs} if epochs and epochs != 1 else {}


def draft_of_axolotl(content: Mapping[str, Any]) -> Draft:
    """Return what an axolotl configuration says.

    Parameters
    ----------
    content : mapping
        The file.
    """
    adapter = str(content.get("adapter") or "full")
    method = "qlora" if adapter == "qlora" or (adapter == "lora" and content.get("load_in_4bit")) else adapter
    remarks = [] if method in {"lora", "qlora", "full"} else [f"The adapter {adapter!r} is planned as lora."]
    work: dict[str, Any] = {"method": method if method in {"lora", "qlora", "full"} else "lora"}
    if work["method"] != "full" and _positive(content.get("lora_r")):
        work["rank"] = int(content["lora_r"])
    seq_len, steps = _positive(content.get("sequence_len")), _positive(content.get("max_steps"))
    batch = (_positive(content.get("micro_batch_size")) or 1) * (
        _positive(content.get("gradient_accumulation_steps")) or 1
    )
    work |= {"seq_len": int(seq_len)} if seq_len else {}
    work |= _volume(batch, seq_len, steps, _positive(content.get("num_epochs")), remarks)
    work |= _optimizer(content.get("optimizer"))
    if sharded := content.get("deepspeed") or content.get("fsdp") or content.get("fsdp_config"):
        remarks.append(f"Sharded today by {'DeepSpeed' if content.get('deepspeed') else 'FSDP'} ({_short(sharded)}).")
    work["offload"] = "offload" in str(content.get("deepspeed")) or _offloads(content, "fsdp_config")
    return Draft("finetune", {**_model(content.get("base_model")), "stack": "axolotl"}, work, tuple(remarks))


def draft_of_torchtune(content: Mapping[str, Any]) -> Draft:
    """Return what a torchtune configuration says.

    Parameters
    ----------
    content : mapping
        The file.
    """
    model = content.get("model") or {}
    component = str(model.get("_component_", ""))
    rank = _positive(model.get("lora_rank"))
    method = "qlora" if "qlora" in component or model.get("quantize_base") else "lora" if rank else "full"
    remarks: list[str] = []
    work: dict[str, Any] = {"method": method, **({"rank": int(rank)} if rank else {})}
    seq_len = _positive((content.get("tokenizer") or {}).get("max_seq_len"))
    work |= {"seq_len": int(seq_len)} if seq_len else {}
    batch = (_positive(content.get("batch_size")) or 1) * (_positive(content.get("gradient_accumulation_steps")) or 1)
    epochs = _positive(content.get("epochs")) or 1
    steps = _positive(content.get("max_steps_per_epoch")) * epochs
    work |= _volume(batch, seq_len, steps, epochs, remarks)
    work |= _optimizer((content.get("optimizer") or {}).get("_component_"))
    folder = str((content.get("checkpointer") or {}).get("checkpoint_dir", "")).rstrip("/").rpartition("/")[2]
    shared = {**_model(folder), "stack": "torchtune"}
    if "model" not in shared and component:
        remarks.append(f"The model is built by {component}.")
    return Draft("finetune", shared, work, tuple(remarks))


def draft_of_accelerate(content: Mapping[str, Any]) -> Draft:
    """Return what an accelerate configuration says: machines, but no model and no tokens.

    Parameters
    ----------
    content : mapping
        The file.
    """
    processes, machines = _positive(content.get("num_processes")) or 1, _positive(content.get("num_machines")) or 1
    remarks = [
        f"Runs today as {processes:g} processes (GPUs) on {machines:g} machines, {content.get('distributed_type', 'NO')}."
    ]
    mixed = str(content.get("mixed_precision", ""))
    shared = {"precision": mixed} if mixed in {"bf16", "fp16", "fp8"} else {}
    return Draft("finetune", shared, {"method": "full"}, tuple(remarks))


def draft_of_deepspeed(content: Mapping[str, Any]) -> Draft:
    """Return what a DeepSpeed configuration says: how it is sharded, but no model and no tokens.

    Parameters
    ----------
    content : mapping
        The file.
    """
    stage = (content.get("zero_optimization") or {}).get("stage", 0)
    formats = [name for name in ("bf16", "fp16") if (content.get(name) or {}).get("enabled") is True]
    remarks = [f"ZeRO stage {stage} today."]
    if batch := _positive(content.get("train_batch_size")):
        remarks.append(f"Sequences of one step: {batch:g}; global_batch_tokens_m is that times their length, in 1e6.")
    work: dict[str, Any] = {"method": "full", **_optimizer((content.get("optimizer") or {}).get("type"))}
    work["offload"] = _offloads(content, "zero_optimization")
    shared = {"stack": "deepspeed", **({"precision": formats[0]} if formats else {})}
    return Draft("finetune", shared, work, tuple(remarks))


def _offloads(content: Mapping[str, Any], part: str) -> bool:
    """Tell whether a section turns on any kind of offload: true, or a device other than none."""
    section = content.get(part)
    values = [value for key, value in section.items() if "offload" in key] if isinstance(section, Mapping) else []
    return any(value.get("device", "none") != "none" if isinstance(value, Mapping) else bool(value) for value in values)


def _model(name: object) -> dict[str, str]:
    return {"model": name} if isinstance(name, str) and re.fullmatch(r"[\w./:-]{2,200}", name) else {}


def _short(value: object) -> str:
    return str(value)[:60]
