"""Parts: what one measured row's run holds, in bytes and before the fitted ratios, out of its columns and its preset.

Sources: ZeRO (arXiv:1910.02054) for the split of states; Korthikanti et al. 2022 (arXiv:2205.05198) for activations under
tensor parallelism and stages; QLoRA (arXiv:2305.14314) for 4-bit bases; the frameworks' own defaults for the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from planner.demand.architecture import Architecture
from planner.demand.memory import (
    activation_bytes_per_token_and_layer,
    gathered_bytes_per_token,
    kv_bytes_per_token,
    logits_bytes_per_token,
    score_bytes_per_token_and_layer,
    selective_activation_bytes_per_token_and_layer,
    unsplit_layer_bytes_per_token,
)
from planner.demand.parameters import (
    embedding_parameter_count,
    head_parameter_count,
    lora_parameter_count,
    parameter_count,
    routed_parameter_count,
)
from planner.measured.memory.presets import (
    Preset,
    degree_of,
    preset_of,
    quantised_bytes,
    stated_trained_count,
    states_per_parameter,
)
from planner.measured.rows import Row, number

_METRICS = {
    "smi": "@device",
    "reserved": "@reserved",
    "alloc": "@allocated",
    "active": "@allocated",
    "did not fit": "@device",
}
"""Which counter a row names: the device's (with context and communication), the allocator's pool, or the memory in use."""
_IMAGE_PIXELS = 512.0 * 512.0
_IMAGE_BYTES_PER_PIXEL = {2.0: 4100.0, 4.0: 6900.0}
"""What a guided pass holds per pixel by bytes of the format: the attention scores at 64 x 64 latents, ``2 x 8 x 4096^2`` twice,
are 4,096 bytes a pixel in 16 bit; in 32 bit the decoder's tensors and a part of them (Lambda's Stable Diffusion 1.4 table)."""
_TRAINING_OVER_DENOISING, _CHECKPOINTED_OVER_DENOISING = 7.0, 2.2
_OFFLOAD_LIVE_PARAMETERS = 1.5e9
"""DeepSpeed ZeRO-3's defaults: stage3_max_live_parameters 1e9 and reduce_bucket_size 5e8."""
_SCALED_OUTPUTS = 1.5
"""LLaMA-Adapter's second version (arXiv:2304.15010) scales and shifts the output of every matrix, and so keeps the outputs:
``10 h + 4 f`` beside ``22 h + 8 f``. Rows that say "adapter" do not tell which version: the heavier is taken."""
_PROMPT_TOKENS = 128.0
"""Tokens of prompt and answer of an inference trial that does not state them."""
_WHOLE_MODEL = re.compile(r"^$|^(full|pre-?train|sft|train|cpt|continued|dpo|fine-?tun)")
"""Methods under which every parameter learns; all others (LoRA and the many after it) leave a frozen base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryParts:
    """One row's bytes before the fitted ratios.

    Attributes
    ----------
    tags : tuple of str
        What the row's ratios hang on.
    lasting_bytes, gradient_bytes : float
        Weights, optimizer states and gathered pieces; gradients.
    activation_bytes, logits_bytes : float
        What the forward pass leaves.
    overlap : bool
        Whether gradients and activations share their room (see `planner.demand.memory.peak_bytes`).
    """

    tags: tuple[str, ...]
    lasting_bytes: float
    gradient_bytes: float = 0.0
    activation_bytes: float = 0.0
    logits_bytes: float = 0.0
    overlap: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A training row read: its model and preset, its degrees of parallelism, and what a micro-batch is."""

    row: Row
    arch: Architecture
    framework: str
    preset: Preset
    kind: str
    quantization: str
    tensor: float
    pipeline: float
    context: float
    expert: float
    data: float
    count: float
    seq_len: float
    tokens: float

    def says(self, column: str, *words: str) -> bool:
        """Return whether a column holds one of the words."""
        text = self.row.get(column, "").lower()
        return any(word in text for word in words)

    @property
    def frozen(self) -> bool:
        """Whether adapters are trained over a frozen base."""
        return not _WHOLE_MODEL.match(self.kind)

    @property
    def shards(self) -> float:
        """Ranks over which the states are split: those of one ring of context are shards as well."""
        return self.data * self.context

    @property
    def fully_sharded(self) -> bool:
        return self.says("sharding", "zero3", "zero-3", "fsdp") and self.shards > 1

    @property
    def local_share(self) -> float:
        """Share of the parameters that one accelerator has, before data-parallel ranks share them."""
        routed = routed_parameter_count(self.arch) / parameter_count(self.arch)
        each = self.tensor * self.pipeline
        return (1.0 - routed) / each + routed / max(each, self.expert * self.pipeline)

    @property
    def unit_count(self) -> float:
        """Parameters of the largest piece that sharded training gathers at once: a layer or the table."""
        table = float(embedding_parameter_count(self.arch))
        return max(_body_count(self.arch) / self.arch.layers, table) / self.tensor


def parts_of(row: Row, arch: Architecture) -> MemoryParts:
    """Return what the run of a row holds.

    Parameters
    ----------
    row : Row
        A row of measured memory.
    arch : Architecture
        Its model.
    """
    framework, preset = preset_of(row)
    method = row.get("method", "").lower()
    kind = re.split(r"[+ ]", method)[0]
    metric = row.get("memory_metric", "").lower()
    sort = next((tag for word, tag in _METRICS.items() if word in metric), "@peak")
    if arch.diffusion is not None:
        return _image(row, arch, preset, method, sort)
    block = row.get("block", "")
    tags = [f"@{block}", sort] if block else [sort]
    if preset.unties and arch.tied_embeddings:
        arch = replace(arch, tied_embeddings=False, stated_parameter_count=0.0)
    quantization = row.get("quantization", "").lower() or ("nf4" if kind == "qlora" else "")
    if kind == "inference":
        return _inference(row, arch, preset, quantization, tags)
    t, p, c, e = (max(1.0, degree_of(row, name)) for name in ("tp", "pp", "cp", "ep"))
    count = max(1.0, number(row, "n_gpus", default=t * p * c))
    seq = degree_of(row, "seq_len", degree_of(row, "seq", 0.0))
    run = _Run(
        row=row, arch=arch, framework=framework, preset=preset, kind=kind, quantization=quantization, tensor=t, pipeline=p,
        context=c, expert=e, data=number(row, "dp", default=0.0) or max(1.0, count / (t * p * c)), count=count,
        seq_len=seq or preset.usual_tokens, tokens=number(row, "micro_batch", default=1.0) * seq or preset.usual_tokens,
    )  # fmt: skip
    return _training(run, tags)


def _training(run: _Run, tags: list[str]) -> MemoryParts:
    lasting, gradients = (_adapter_states(run), 0.0) if run.frozen else _full_states(run)
    full = run.says("recompute", "full") and not (run.frozen and run.says("recompute", "/ none"))
    if run.preset.recomputes_if_sharded_alone:
        full = run.fully_sharded
    products = run.preset.selects_products or run.fully_sharded
    selective = run.says("recompute", "selective") and products and not full
    chunked = run.says("notes", "chunked") or (
        run.preset.chunked_loss and (run.framework != "torchtune" or run.row.get("recompute", "") != "none")
    )
    split = run.tensor * run.context
    logits = logits_bytes_per_token(run.arch, chunked=chunked) * run.tokens / split if run.pipeline <= 1 else 0.0
    whole = not full and not selective
    tags += ["@compiled"] * (whole and run.says("notes", "compile")) + ["@recompute"] * full
    tags += ["@selective"] * selective + ["@adapters"] * (run.frozen and not full)
    tags += ["@quantised_base"] * (run.frozen and quantised_bytes(run.quantization) is not None)
    tags += ["@fused"] * (run.preset.fused and whole and not run.frozen) + ["@unpacked"] * run.says("notes", "unpacked")
    return MemoryParts(
        tags=tuple(tags), lasting_bytes=lasting, gradient_bytes=gradients, activation_bytes=_kept(run, full=full, selective=selective),
        logits_bytes=logits, overlap=not run.preset.accumulates and not run.fully_sharded,
    )  # fmt: skip


def _adapter_states(run: _Run) -> float:
    """Return a frozen base with its adapters' weights, gradients and moments."""
    states = states_per_parameter(run.row, run.preset)
    held = _base_bytes(run.arch, run.quantization, states[0], run.preset) * run.local_share
    rank = int(degree_of(run.row, "lora_rank", 16.0))
    trained = stated_trained_count(run.row) or lora_parameter_count(run.arch, rank, all_linear=run.preset.all_linear)
    if run.says("method", "offload"):
        # With weights in host memory, a set number of them, an exchange bucket and the tables in use stay on the device.
        live = _OFFLOAD_LIVE_PARAMETERS + 2.0 * embedding_parameter_count(run.arch)
        held = min(held, live * states[0])
    elif run.fully_sharded and run.preset.gathers_all:
        # Flat parameters: the whole gradient of a unit and two gathered units are held at once, although its weights are frozen.
        held = held / run.shards + held + 3.0 * 2.0 * run.unit_count
    elif run.fully_sharded:
        held = held / run.shards + 2.0 * 2.0 * run.unit_count
    return held + sum(states) * trained / (run.tensor * run.pipeline)


def _full_states(run: _Run) -> tuple[float, float]:
    """Return what lasts (weights, optimizer states, gathered pieces) and the gradients where every parameter learns."""
    weight, gradient, optimizer = states_per_parameter(run.row, run.preset)
    here = parameter_count(run.arch) * run.local_share
    # The first stage holds the embedding and its layers.
    table = embedding_parameter_count(run.arch) / run.tensor * (1.0 - 1.0 / run.pipeline) * (weight + gradient)
    if run.fully_sharded:
        # Stages, and accumulation without exchange, keep gathered 16-bit weights and their whole gradients until the step
        # ends; else two units are gathered, and the gradient of one is whole.
        if run.preset.gathers_all:
            gathered = (2.0 + 2.0) * here
        elif run.pipeline > 1:
            gathered = (2.0 + gradient) * here
        else:
            gathered = (2.0 * 2.0 + gradient) * run.unit_count
        return here * (weight + optimizer) / run.shards + gathered + table, here * gradient / run.shards
    if run.says("sharding", "zero2", "zero-2"):
        return here * (weight + optimizer / run.data) + table, here * gradient / run.data
    if run.says("sharding", "1", "distributed"):
        return here * (weight + optimizer / _optimizer_ranks(run)) + table, here * gradient
    return here * (weight + optimizer) + table, here * gradient


def _optimizer_ranks(run: _Run) -> float:
    """Return over how many ranks the optimizer of an average parameter here is split: experts have fewer twins than the rest."""
    if not run.arch.experts or run.expert <= 1:
        return run.data
    twins = max(1.0, run.count / (run.pipeline * run.expert))
    routed = routed_parameter_count(run.arch) / parameter_count(run.arch)
    share = routed / max(run.tensor * run.pipeline, run.expert * run.pipeline) / run.local_share
    return 1.0 / (share / twins + (1.0 - share) / run.data)


def _kept(run: _Run, *, full: bool, selective: bool) -> float:
    """Return the activations that one accelerator holds at the peak of a step; stages hold L layers' worth together."""
    arch, t, c, tokens = run.arch, run.tensor, run.context, run.tokens
    if run.fully_sharded and run.pipeline > 1:
        # Torch's own stages: the column is the local batch, which they take in as many pieces as there are stages.
        tokens = max(run.seq_len, tokens / run.pipeline)
    layer = float(activation_bytes_per_token_and_layer(arch)) + float(
        score_bytes_per_token_and_layer(arch, run.seq_len)
    )
    # Before sequence parallelism (2022) every tensor-parallel rank kept the checkpointed inputs of its layers whole.
    unsplit = not run.preset.splits_sequences
    gathered = float(gathered_bytes_per_token(arch, t)) / c
    at_work = float(unsplit_layer_bytes_per_token(arch, t, run.seq_len)) / c if unsplit else layer / (t * c) + gathered
    if full:
        stack = 0.0 if run.says("recompute", "offload") else 2.0 * arch.hidden / (c if unsplit else t * c)
        kept = stack * arch.layers + at_work
    elif selective:
        kept = selective_activation_bytes_per_token_and_layer(arch) / (t * c) * arch.layers + at_work
    else:
        kept = layer * arch.layers / (t * c) + gathered
    return kept * tokens * (_SCALED_OUTPUTS if run.kind == "adapter" else 1.0)


def _body_count(arch: Architecture) -> float:
    """Return the parameters between input and output embedding."""
    own_head = 0.0 if arch.tied_embeddings else float(head_parameter_count(arch))
    return parameter_count(arch) - float(embedding_parameter_count(arch)) - own_head


def _base_bytes(arch: Architecture, quantization: str, wide: float, preset: Preset) -> float:
    """Return the bytes of frozen (or served) weights, with the copies in 16 bit that quantised ones are expanded into.

    Embedding and norms stay 16 bit; the head too, unless the framework quantises every matrix.
    """
    per = quantised_bytes(quantization)
    if per is None:
        return parameter_count(arch) * wide
    table, head = float(embedding_parameter_count(arch)), float(head_parameter_count(arch))
    own_head, body = (0.0 if arch.tied_embeddings else head), _body_count(arch)
    if preset.quantises_head:
        return (body + own_head) * per + table * 2.0 + 2.0 * 2.0 * head
    return body * per + (table + own_head) * 2.0 + 2.0 * body / arch.layers / 3.0


def _inference(row: Row, arch: Architecture, preset: Preset, quantization: str, tags: list[str]) -> MemoryParts:
    """Return weights with the caches of the sequences, and the widest tensors of a prompt."""
    t = max(1.0, degree_of(row, "tp"))
    tokens = number(row, "micro_batch", default=1.0) * degree_of(row, "seq_len", _PROMPT_TOKENS)
    width = 2.0 * (4.0 * arch.hidden + 2.0 * max(arch.ffn, arch.expert_ffn)) / t
    wide = 4.0 if row.get("precision", "").startswith("fp32") else 2.0
    return MemoryParts(
        tags=(*tags, "@inference"), lasting_bytes=_base_bytes(arch, quantization, wide, preset) / t,
        activation_bytes=tokens * (float(kv_bytes_per_token(arch, "bf16")) / t + width), logits_bytes=2.0 * arch.vocab,
    )  # fmt: skip


def _image(row: Row, arch: Architecture, preset: Preset, method: str, sort: str) -> MemoryParts:
    """Return the parts of a U-Net with its decoder and text encoder, at 512 x 512 pixels."""
    wide = 4.0 if "32" in row.get("precision", "") or (preset.wide_unless_said and not row.get("precision")) else 2.0
    each = number(row, "micro_batch", default=1.0) * _IMAGE_PIXELS * _IMAGE_BYTES_PER_PIXEL[wide]
    held = wide * parameter_count(arch)
    if method.startswith("inference"):
        return MemoryParts(tags=(sort, "@image"), lasting_bytes=held, activation_bytes=each)
    learns = arch.diffusion.denoiser_parameter_count if arch.diffusion and method.startswith("full") else 0.0
    more = _CHECKPOINTED_OVER_DENOISING if "checkpoint" in method else _TRAINING_OVER_DENOISING
    return MemoryParts(
        tags=(sort, "@image", "@image_training"), lasting_bytes=held + 8.0 * learns, gradient_bytes=4.0 * learns,
        activation_bytes=each * more, overlap=False,
    )  # fmt: skip
