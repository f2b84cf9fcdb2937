"""Question: a sized fleet of replicas in the words of aiconfigurator, or why it cannot be put to it.

One replica is asked for: its model as a Hugging Face config.json written from our own numbers (a few families by the name
under which the package ships theirs), the system, how it is split, and the requests in flight.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from planner.demand.architecture import Architecture
from planner.demand.workload import Batch, Serve, Workload
from planner.supply.machines import Fleet

__all__ = ["Question", "question_of"]

SYSTEMS = {
    "A100-80GB-PCIe": "a100_pcie",
    "A100-80GB-SXM": "a100_sxm",
    "A30": "a30",
    "B200": "b200_sxm",
    "B300": "b300_sxm",
    "GB200": "gb200",
    "GB300": "gb300",
    "H100-PCIe": "h100_pcie",
    "H100-SXM": "h100_sxm",
    "H200-SXM": "h200_sxm",
    "L4": "l4",
    "L40S": "l40s",
    "RTX PRO 6000 Blackwell": "rtx_pro_6000_server",
}
"""Our accelerators by the name of its system files."""
FAMILIES = {
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "deepseek-v3": "deepseek-ai/DeepSeek-V3",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "llama-4-maverick": "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
    "llama-4-scout": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
}
"""Models that a plain config.json of ours does not describe, by the name under which it ships theirs."""
MATRIX_FORMATS = {
    "bf16": "bfloat16",
    "fp16": "bfloat16",
    "fp8": "fp8",
    "int8": "int8_wo",
    "int4": "int4_wo",
    "fp4": "nvfp4",
}
EXPERT_FORMATS = {"bf16": "bfloat16", "fp16": "bfloat16", "fp8": "fp8", "int4": "int4_wo", "fp4": "nvfp4"}
CACHE_FORMATS = {"": "bfloat16", "bf16": "bfloat16", "fp16": "bfloat16", "fp8": "fp8", "int8": "int8"}
_LONGEST_CONTEXT = 131_072
_MICROSCALED = "w4a16_mxfp4"
"""The format of the experts as the gpt-oss models are published; their attention stays 16 bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one replica is asked for.

    Attributes
    ----------
    system : str
        Its name of the accelerator.
    model : str
        Its name of the model, empty where `config` describes it.
    config : dict
        A Hugging Face config.json.
    input_tokens, output_tokens, cached_tokens : int
        Lengths of a request; of the prompt, tokens that are cached already.
    batch : int
        Requests in flight on each rank of attention.
    tensor, pipeline, attention_data, expert : int
        How the replica is split; `expert` 0 for a dense model.
    matrix_format, expert_format, cache_format : str
        Its names of number formats.
    """

    system: str
    model: str
    config: dict[str, Any]
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    batch: int
    tensor: int
    pipeline: int
    attention_data: int
    expert: int
    matrix_format: str
    expert_format: str
    cache_format: str

    def record(self) -> dict[str, Any]:
        """Return the question as plain values, as the child process reads it."""
        return asdict(self)


def question_of(workload: Workload, architecture: Architecture | None, fleet: Fleet) -> Question | str:
    """Return the question about one replica of a fleet, or a sentence why there is none.

    Parameters
    ----------
    workload : Workload
        The work; only generating text is covered.
    architecture : Architecture or None
        Its model.
    fleet : Fleet
        The machines as they were sized.
    """
    work, layout, chip = workload.work, fleet.layout, fleet.machine.accelerator
    if not isinstance(work, Serve | Batch) or architecture is None:
        return f"aiconfigurator speaks of generating text, not of {workload.kind}"
    if chip is None or chip.name not in SYSTEMS or fleet.machine.accelerator_count < 1:
        return f"aiconfigurator has no measurements of {chip.name if chip else 'CPU machines'}"
    if "speculative_decoding" in layout.techniques:
        return "aiconfigurator is not asked about speculative decoding"
    config = {} if architecture.name in FAMILIES else _config(architecture)
    if config is None:
        return f"aiconfigurator does not read models of the kind of {architecture.name}"
    formats = [(MATRIX_FORMATS, layout.precision), (CACHE_FORMATS, layout.kv_precision)]
    formats += [(EXPERT_FORMATS, layout.precision)] if architecture.experts else []
    missing = next((name for known, name in formats if name not in known), None)
    if missing is not None:
        return f"aiconfigurator does not know {missing} as we mean it"
    matrix_format, expert_format = MATRIX_FORMATS[layout.precision], EXPERT_FORMATS.get(layout.precision, "")
    if architecture.name.startswith("gpt-oss") and layout.precision == "fp4":
        matrix_format, expert_format = MATRIX_FORMATS["bf16"], _MICROSCALED
    group = max(layout.expert, layout.tensor)
    ranks = group // layout.tensor
    return Question(
        system=SYSTEMS[chip.name],
        model=FAMILIES.get(architecture.name, ""),
        config=config,
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        cached_tokens=int(work.prefix_cache_hit_share * work.input_tokens),
        batch=max(1, round(layout.micro_batch / ranks)),
        tensor=layout.tensor,
        pipeline=layout.pipeline,
        attention_data=ranks,
        expert=0 if not architecture.experts else layout.expert,
        matrix_format=matrix_format,
        expert_format=expert_format,
        cache_format=CACHE_FORMATS[layout.kv_precision],
    )


def _config(arch: Architecture) -> dict[str, Any] | None:
    """Return a Llama, Qwen or mixture-of-experts config.json, or None where the model is of another kind."""
    unusual = arch.kind != "decoder" or not arch.gated_mlp or arch.norm != "rms" or arch.kv_rank or arch.window_tokens
    uneven = arch.experts and (arch.shared_ffn or arch.dense_layers or arch.moe_layer_step != 1)
    if unusual or uneven:
        return None
    family = "Qwen3MoeForCausalLM" if arch.experts else "Qwen3ForCausalLM" if arch.qk_norm else "LlamaForCausalLM"
    config: dict[str, Any] = {
        "architectures": [family],
        "model_type": {"Q": "qwen3_moe" if arch.experts else "qwen3", "L": "llama"}[family[0]],
        "num_hidden_layers": arch.layers,
        "hidden_size": arch.hidden,
        "num_attention_heads": arch.heads,
        "num_key_value_heads": arch.kv_heads,
        "head_dim": arch.head_dim,
        "intermediate_size": arch.ffn or arch.expert_ffn,
        "vocab_size": arch.vocab,
        "max_position_embeddings": arch.max_context_tokens or _LONGEST_CONTEXT,
        "tie_word_embeddings": arch.tied_embeddings,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
    }
    if arch.experts:
        config |= {
            "num_experts": arch.experts,
            "num_experts_per_tok": arch.experts_per_token,
            "moe_intermediate_size": arch.expert_ffn,
        }
    return config
