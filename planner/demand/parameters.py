"""Parameter counts: exact, from the architecture's numbers.

Source of the formulas: the models' own configurations; Narayanan et al. 2021 (arXiv:2104.04473) eq. for the dense case,
DeepSeek-V2 (arXiv:2405.04434) for latent attention. All counts are numbers of elements.
"""

from __future__ import annotations

from planner.demand.architecture import Architecture


def attention_parameter_count(arch: Architecture) -> int:
    """Return the elements of the attention matrices, and of their biases, of one layer that sees the whole context.

    Ordinary attention: ``h a d + 2 h g d + a d h``; latent attention (DeepSeek): ``h r_q + r_q + r_q a (d_n + d_r) +
    h (r_kv + d_r) + r_kv + r_kv a (d_n + d_v) + a d_v h`` (without query compression, ``h a (d_n + d_r)`` instead).

    Examples
    --------
    >>> from planner.demand.architecture import Architecture
    >>> attention_parameter_count(Architecture(name="x", layers=1, hidden=4096, heads=32, kv_heads=8, head_dim=128,
    ...                                        ffn=14336, vocab=128256))
    41943040
    """
    h, a, g, d = arch.hidden, arch.heads, arch.kv_heads, arch.head_dim
    if arch.kv_rank:
        width = arch.nope_dim + arch.rope_dim
        query = h * arch.q_rank + arch.q_rank + arch.q_rank * a * width if arch.q_rank else h * a * width
        compressed = h * (arch.kv_rank + arch.rope_dim) + arch.kv_rank
        expanded = arch.kv_rank * a * (arch.nope_dim + arch.value_dim)
        return query + compressed + expanded + a * arch.value_dim * h
    v = arch.value_width
    count = h * a * d + h * g * (d + v) + a * v * h
    if arch.qkv_bias:
        count += a * d + g * (d + v)
    if arch.output_bias:
        count += h
    if arch.qk_norm:
        count += 2 * d
    return count


def mixer_parameter_count(arch: Architecture) -> int:
    """Return the elements of all layers' attention, or of what stands in its place."""
    return arch.mixer_parameter_count or arch.layers * attention_parameter_count(arch)


def _mlp(arch: Architecture, width: int, hidden: int = 0) -> int:
    """Return the elements of one MLP of that width, biases included."""
    matrices, hidden = 3 if arch.gated_mlp else 2, hidden or arch.hidden
    biases = (matrices - 1) * width + hidden if arch.mlp_bias else 0
    return matrices * hidden * width + biases


def expert_parameter_count(arch: Architecture) -> int:
    """Return the elements of one routed expert."""
    return _mlp(arch, arch.expert_ffn, arch.expert_hidden) if arch.experts else 0


def routed_parameter_count(arch: Architecture) -> int:
    """Return the elements of all routed experts of all layers."""
    return arch.moe_layers * arch.experts * expert_parameter_count(arch)


def embedding_parameter_count(arch: Architecture) -> int:
    """Return the elements of the token and position tables (looked up, not multiplied)."""
    return arch.vocab * arch.hidden + arch.learned_positions * arch.hidden


def head_parameter_count(arch: Architecture) -> int:
    """Return the elements that turn the last hidden state into logits; an encoder has none."""
    return 0 if arch.kind == "encoder" else arch.vocab * arch.hidden


def _shared_mlp(arch: Architecture) -> int:
    """Return the MLP elements of all layers that every token visits, routers included."""
    dense = (arch.layers - arch.moe_layers) * _mlp(arch, arch.ffn) if arch.ffn else 0
    if not arch.experts:
        return dense
    shared = _mlp(arch, arch.shared_ffn) if arch.shared_ffn else 0
    router = arch.hidden * arch.experts + 2 * arch.hidden * arch.expert_hidden
    return dense + arch.moe_layers * (shared + router)


def parameter_count(arch: Architecture) -> float:
    """Return all parameters, exactly where the architecture is known.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> int(parameter_count(known_model("llama-3.1-8b")))
    8030261248
    """
    if arch.diffusion is not None:
        parts = arch.diffusion
        return parts.denoiser_parameter_count + parts.text_encoder_parameter_count + parts.decoder_parameter_count
    if arch.stated_parameter_count:
        return arch.stated_parameter_count
    return _computed_text(arch) + arch.tower_parameter_count


def active_parameter_count(arch: Architecture) -> float:
    """Return the parameters that one token passes through: all of a dense text model, towers left out."""
    if arch.stated_active_parameter_count:
        return arch.stated_active_parameter_count
    return parameter_count(arch) - arch.tower_parameter_count - _idle(arch)


def _idle(arch: Architecture) -> int:
    """Return the elements of the experts that a token does not visit."""
    return arch.moe_layers * (arch.experts - arch.experts_per_token) * expert_parameter_count(arch)


def matmul_parameter_count(arch: Architecture, *, with_head: bool = True) -> float:
    """Return the parameters that one token is multiplied with: attention, active MLP and (with it) the output head.

    The embedding look-up and the norms are left out. This is the count of Megatron-LM (arXiv:2104.04473) and of MosaicML.
    """
    if arch.diffusion is not None:
        return arch.diffusion.denoiser_parameter_count
    body = (
        mixer_parameter_count(arch)
        + _shared_mlp(arch)
        + arch.moe_layers * arch.experts_per_token * expert_parameter_count(arch)
    )
    total = float(body + (head_parameter_count(arch) if with_head else 0))
    if arch.stated_active_parameter_count and arch.experts:
        scale = arch.stated_active_parameter_count / max(_computed_text(arch) - _idle(arch), 1.0)
        return total * scale
    if arch.stated_parameter_count and not arch.experts:
        scale = (arch.stated_parameter_count - arch.tower_parameter_count) / max(_computed_text(arch), 1.0)
        return total * scale
    return total


def _computed_text(arch: Architecture) -> float:
    untied_head = 0 if arch.tied_embeddings else head_parameter_count(arch)
    norm_width = 2 * arch.hidden if arch.norm == "layer" else arch.hidden
    return float(
        embedding_parameter_count(arch)
        + untied_head
        + mixer_parameter_count(arch)
        + _shared_mlp(arch)
        + routed_parameter_count(arch)
        + norm_width * (arch.layers * arch.norms_per_layer + arch.final_norm)
        + arch.extra_parameter_count
    )


def lora_parameter_count(arch: Architecture, rank: int, *, all_linear: bool = True) -> float:
    """Return the elements of low-rank adapters: ``sum over target matrices of r (d_in + d_out)`` (arXiv:2106.09685).

    Parameters
    ----------
    arch : Architecture
        The frozen model.
    rank : int
        Rank r of the adapters.
    all_linear : bool
        Adapters on every matrix of attention and MLP; False puts them on query and value alone.
    """
    h, a, g, d = arch.hidden, arch.heads, arch.kv_heads, arch.head_dim
    query, value = rank * (h + a * d), rank * (h + g * d)
    if not all_linear:
        return float(arch.layers * (query + value))
    attention = query + 2 * value + rank * (a * d + h)
    matrices = 3 if arch.gated_mlp else 2
    width = arch.ffn if not arch.experts else arch.shared_ffn
    mlp = matrices * rank * (h + width) if width else 0
    return float(arch.layers * (attention + mlp))
