"""Recipes: how a measured training run was split over its accelerators; where the row does not say, as such runs usually are.

Each rule is one that a person would follow who sets up the run: parameters are sharded where they do not fit, stages are as many
as the states take, fine-tuning frameworks recompute unless told otherwise, a pipeline with few micro-batches is interleaved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.demand.architecture import Architecture
from planner.demand.formats import FORMATS
from planner.demand.memory import activation_bytes_per_token_and_layer
from planner.demand.parameters import parameter_count, routed_parameter_count
from planner.measured.rows import Row, number
from planner.supply.machines import Machine
from planner.supply.training.efficiency import offloaded_update_s

ADAPTERS = {"lora", "qlora", "dora", "ia3"}
_STACKS = (
    ("llm-foundry", "llm-foundry"), ("composer", "llm-foundry"), ("megatron-deepspeed", "megatron-deepspeed"), ("deepspeed zero", "zero3-2021"),
    ("megatron-lm", "megatron-lm"), ("megatron-bridge", "megatron"), ("megatron-core", "megatron"), ("nemo", "megatron"),
    ("transformer engine", "megatron"), ("megatron", "megatron"), ("torchtitan", "torchtitan"), ("torchtune", "torchtune"), ("peft", "peft"), ("maxtext", "maxtext"), ("deepspeed", "deepspeed"), ("llm.q", "llmq"),
)  # fmt: skip
_SHARDING_STACKS = ("maxtext", "torchtitan", "foundry", "torchtune", "fsdp", "zero3", "zero-3", "levanter")
"""Frameworks whose own way is to shard parameters."""
_STAGED_STACKS = ("nemo", "megatron")
"""Frameworks that recompute nothing by default; those for fine-tuning do."""
_USUAL_MICRO_BATCH_TOKENS = 8192.0
_USUAL_FINE_TUNING_TOKENS = 4096.0
_STATE_SHARE = 0.4
"""Of an accelerator's memory that weights and gradients usually take when stages are chosen."""
_REAL_TOKEN_SHARE = 0.4
"""Tokens that are no padding, where rows of unequal length are batched up to the longest allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A run's layout; the names are those of `planner.supply.training.speed.TrainingLayout`.

    Attributes
    ----------
    tensor, pipeline, chunks, data, context, expert : float
        Degrees.
    sharded, recompute, micro_batch_tokens, micro_batches, machines, gradient_bytes_per_parameter, update_bytes_per_parameter, \
offload_s : float
        As the layout takes them; `sharded` 1 or 0.
    """

    tensor: float
    pipeline: float
    chunks: float
    data: float
    context: float
    expert: float
    sharded: float
    recompute: float
    micro_batch_tokens: float
    micro_batches: float
    machines: float
    gradient_bytes_per_parameter: float
    update_bytes_per_parameter: float
    offload_s: float


def stack_of(framework: str) -> str:
    """Return the framework's family.

    Examples
    --------
    >>> stack_of("Megatron-Bridge 26.06"), stack_of("HF PEFT eager"), stack_of("a trainer of our own")
    ('megatron', 'peft', '')
    """
    low = framework.lower()
    return next((stack for word, stack in _STACKS if word in low), "")


def frozen_format(row: Row) -> str:
    """Return the format in which a row's frozen base is held: fp8 where the products are, 4 bit where it says so, else 16 bit."""
    text = row.get("precision", "bf16").lower().split("/")[0]
    if row.get("method", "").lower() == "qlora" or text in {"nf4", "int4"}:
        return "nf4"
    return "fp8" if "fp8" in text else "bf16"


def _up_to_power(value: float) -> float:
    return max(1.0, float(2.0 ** np.ceil(np.log2(max(value, 1.0)))))


def _expert_degree(row: Row, arch: Architecture, count: float) -> float:
    """Return over how many accelerators experts lie; unsaid, a node, or eight of them where experts are many."""
    stated = number(row, "ep", default=0.0)
    if stated or not arch.experts:
        return stated or 1.0
    return min(64.0 if arch.experts >= 64 and count >= 64 else 8.0, count, float(arch.experts))


def _degrees(
    row: Row, arch: Architecture, count: float, each: float, expert: float, memory_bytes: float
) -> tuple[float, float, bool]:
    """Return tensor and pipeline degree, and whether parameters are sharded; where nothing is said, what would fit."""
    t, p = number(row, "tp", default=0.0), number(row, "pp", default=0.0)
    text = row.get("sharding", "").lower()
    sharded = any(word in text for word in ("zero3", "fsdp", "zero-3")) and "distributed" not in text
    if t or p:
        # With stages, gathers happen once a step, not once a micro-batch (Llama 3 report, section 3.3.2).
        return max(t, 1.0), max(p, 1.0), sharded and p <= 1
    if any(word in row.get("framework", "").lower() for word in _SHARDING_STACKS):
        return 1.0, 1.0, True
    total = parameter_count(arch)
    if arch.experts and count >= 64:
        routed = routed_parameter_count(arch)
        local = total - routed + routed / expert
        return 1.0, _up_to_power(6.0 * local / (_STATE_SHARE * memory_bytes)), False
    if not sharded and count >= 64 and total > 2e10:
        return min(8.0, each), _up_to_power(total / 3e10), False
    frozen = row.get("method", "").lower() in ADAPTERS
    states = total * (FORMATS[frozen_format(row)].weight_bytes if frozen else 18.0)
    if sharded or states < 0.6 * memory_bytes or states / max(count, 1.0) < 0.3 * memory_bytes:
        return 1.0, 1.0, sharded or states > 0.6 * memory_bytes
    return min(8.0, each), _up_to_power(states / (8.0 * _STATE_SHARE * memory_bytes)), False


def _batches(row: Row, *, seq: float, data: float, pipeline: float) -> tuple[float, float]:
    """Return sequences of a micro-batch, and how many micro-batches a pipeline works through in a step."""
    batch, micro = number(row, "global_batch", default=0.0), number(row, "micro_batch", default=0.0)
    if stack_of(row.get("framework", "")) == "torchtitan" and pipeline > 1 and micro:
        micro = max(1.0, micro / (2.0 * pipeline)) if micro > pipeline else 1.0  # its tables state the batch of a rank
    if not micro:
        pretraining = row.get("method", "").lower().startswith("pretrain")
        micro = max(1.0, (_USUAL_MICRO_BATCH_TOKENS if pretraining else _USUAL_FINE_TUNING_TOKENS) / seq)
        if batch:
            micro = min(micro, max(1.0, batch / data))
            micro = micro if pipeline == 1 else max(1.0, min(micro, batch / data / (4.0 * pipeline)))
    if not batch:
        return micro, 8.0 * pipeline if pipeline > 1 else 1.0
    return micro, max(1.0, float(np.ceil(batch / (data * micro) - 1e-9)))


def _recompute(row: Row, arch: Architecture, tokens: float, memory_bytes: float) -> float:
    """Return the extra forward passes; unsaid, those of the framework, or what it takes that activations fit."""
    low = row.get("recompute", "").lower()
    if "full" in low and "none" not in low:
        return 1.0
    if "selective" in low:
        # Of operators every second product is kept (torchtitan); elsewhere attention's scores alone are formed again.
        return 0.5 if stack_of(row.get("framework", "")) == "torchtitan" else 0.1
    if low == "none":
        return 0.0
    fine_tuning = not row.get("method", "pretrain").lower().startswith("pretrain")
    if fine_tuning and not any(word in row.get("framework", "").lower() for word in _STAGED_STACKS):
        return 1.0
    if row.get("method", "").lower() in ADAPTERS:
        return 0.0  # a frozen matrix needs no input kept: NeMo and Megatron recompute nothing
    kept = float(activation_bytes_per_token_and_layer(arch)) * arch.layers * tokens
    if kept > 1.2 * memory_bytes:
        return 1.0
    return 0.15 if kept > 0.5 * memory_bytes else 0.0


def _chunks(row: Row, arch: Architecture, pipeline: float, micro_batches: float) -> float:
    """Return the interleaved pieces of a stage; unsaid, so many that the bubble stays small where micro-batches are few."""
    stated = number(row, "vpp", default=0.0)
    if stated or pipeline <= 1:
        return max(stated, 1.0)
    most = max(1.0, arch.layers // pipeline)
    return min(most, max(1.0, float(np.ceil(4.0 * pipeline / micro_batches))))


def recipe_of(row: Row, arch: Architecture, machine: Machine, count: float) -> Recipe:
    """Return how a row's run lay over its `count` accelerators.

    Parameters
    ----------
    row : Row
        The measured row; empty cells are filled in with the usual.
    arch : Architecture
        Its model.
    machine : Machine
        The machines that it ran on; with an accelerator.
    count : float
        Accelerators in all.
    """
    chip = machine.accelerator
    assert chip is not None
    seq, each = number(row, "seq_len"), min(machine.accelerator_count, count)
    memory_bytes = chip.memory_gib * 2**30
    expert = _expert_degree(row, arch, count)
    t, p, sharded = _degrees(row, arch, count, each, expert, memory_bytes)
    if chip.architecture.startswith("NeuronCore"):
        t = max(1.0, t / 2.0)  # such tables count cores, two in a chip
    c = number(row, "cp", default=1.0) or 1.0
    d = number(row, "dp", default=0.0) or max(1.0, float(np.floor(count / (t * p * c))))
    batch = number(row, "global_batch", default=0.0)
    if batch and batch < d and not row.get("cp"):
        c, d = c * max(1.0, float(np.floor(d / batch))), batch  # fewer sequences than ranks: they share them
    micro, micro_batches = _batches(row, seq=seq, data=d, pipeline=p)
    notes, framework = row.get("notes", "").lower(), row.get("framework", "").lower()
    pure = "torchtune" in framework or "pure bf16" in framework
    update_bytes = 14.0 if pure else 28.0
    # Activations that are parked in host memory are another technique, and cost little.
    parked = "offload" in notes.replace("act. offload", "") and row.get("method", "").lower() not in ADAPTERS
    machines = max(1.0, count / each)
    offload_s = offloaded_update_s(
        parameter_count(arch), count, machines, pcie_bytes_per_s=31e9, bytes_per_parameter=update_bytes
    )
    return Recipe(
        tensor=t, pipeline=p, chunks=_chunks(row, arch, p, micro_batches), data=d, context=c, expert=expert, sharded=float(sharded),
        recompute=_recompute(row, arch, micro * seq / t / c, memory_bytes),
        micro_batch_tokens=micro * seq * (_REAL_TOKEN_SHARE if "variable-length" in notes else 1.0),
        micro_batches=micro_batches, machines=machines,
        gradient_bytes_per_parameter=4.0 if stack_of(framework) == "torchtitan" else 2.0, update_bytes_per_parameter=update_bytes,
        offload_s=float(offload_s) if parked else 0.0,
    )  # fmt: skip
