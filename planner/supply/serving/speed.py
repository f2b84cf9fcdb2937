"""Serving: time of a prefill and of a decode step, and what continuous batching makes of them.

The step is additive, since kernels of a step run one after another and reading weights does not hide under arithmetic:
``t_step = (weights + cache read) / bandwidth + FLOP / peak + collectives + fixed``. Roofline: Williams et al. 2009; costs per
step: Pope et al. 2022 (arXiv:2211.05102); two all-reduces a layer: Shoeybi et al. 2019 (arXiv:1909.08053).
All functions take scalars and arrays alike, shapes broadcast; times in seconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import Figures, FloatArray
from planner.supply.calibration import Calibration
from planner.supply.communication import Links, all_reduce_s, all_to_all_s, group_bandwidth, point_to_point_s
from planner.supply.constants import columns_of
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.serving.model import BATCHED_TOKENS, ServedModel, causal_tokens, experts_read_share, seen_tokens

_BURST_POWER = 0.6
_EXPERT_LAUNCH_SHARE = 0.5
"""Kernels of one routed expert of a token over those of a dense layer, while no graph is replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConstants:
    """Achieved shares and fixed times, per machine; from the calibration.

    Attributes
    ----------
    bandwidth_share, cache_share : FloatArray
        Achieved over peak memory bandwidth, reading weights and reading the key-value cache.
    prefill_share, decode_share : FloatArray
        Achieved over peak FLOP/s in prefill and in decode.
    attention_share : FloatArray
        Achieved over 16-bit peak FLOP/s of attention in prefill.
    step_s, layer_s, request_s : FloatArray
        Fixed time of a step, of a layer in it, and of one request in it (sampling, scheduling).
    expert_imbalance_ratio : FloatArray
        Busiest over mean rank of expert-parallel layers.
    """

    bandwidth_share: FloatArray
    cache_share: FloatArray
    prefill_share: FloatArray
    decode_share: FloatArray
    attention_share: FloatArray
    step_s: FloatArray
    layer_s: FloatArray
    request_s: FloatArray
    expert_imbalance_ratio: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLayout:
    """How one replica lies over its accelerators; all arrays.

    Attributes
    ----------
    group : array
        Accelerators of one pipeline stage: the tensor-parallel degree, or the expert-parallel one.
    attention_split : array
        Accelerators that share one request's attention: equal to `group`, or 1 with attention data parallelism.
    stages : array
        Pipeline stages.
    flop_per_s, flop16_per_s, bandwidth_bytes_per_s : array
        Peaks of one accelerator for the weights' arithmetic, for 16-bit arithmetic, and of its memory.
    link_bytes_per_s, link_latency_s : array
        Achieved bandwidth each way and start-up time of the group's collectives.
    stage_bytes_per_s, stage_latency_s : array
        The same between stages.
    """

    group: Figures
    attention_split: Figures
    stages: Figures
    flop_per_s: Figures
    flop16_per_s: Figures
    bandwidth_bytes_per_s: Figures
    link_bytes_per_s: Figures
    link_latency_s: Figures
    stage_bytes_per_s: Figures
    stage_latency_s: Figures


def layout_on(
    hardware: Hardware, links: Links, flop_per_s: FloatArray, group: ArrayLike, split: ArrayLike, stages: ArrayLike, *,
    spans: ArrayLike,
) -> ServingLayout:  # fmt: skip
    """Return how replicas lie over their machines, as columns: one row for each entry of `hardware`.

    Parameters
    ----------
    hardware, links, flop_per_s
        The machine of each replica, the achieved shares of its links, and its peak for the weights' arithmetic.
    group, split, stages : array_like
        As in `ServingLayout`.
    spans : array_like of bool
        Whether the replica reaches beyond one machine: stages then lie in machines of their own.
    """
    group, stages = np.asarray(group), np.asarray(stages)
    bandwidth, latency = group_bandwidth(hardware, links, group, inside=group)
    stage_bandwidth, stage_latency = group_bandwidth(
        hardware, links, np.where(stages > 1, np.maximum(group + 1, 2), 1), inside=np.where(spans, 1, group + 1)
    )
    columns = {
        "group": group, "attention_split": split, "stages": stages, "flop_per_s": flop_per_s,
        "flop16_per_s": hardware.flop16_per_s(), "bandwidth_bytes_per_s": hardware.bandwidth_bytes_per_s,
        "link_bytes_per_s": bandwidth, "link_latency_s": latency, "stage_bytes_per_s": stage_bandwidth,
        "stage_latency_s": stage_latency,
    }  # fmt: skip
    return ServingLayout(**{name: np.asarray(value)[:, None] for name, value in columns.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The parts of a step, in seconds."""

    memory_s: FloatArray
    compute_s: FloatArray
    communication_s: FloatArray
    fixed_s: FloatArray

    @property
    def total_s(self) -> FloatArray:
        """All parts, one after another."""
        return np.asarray(self.memory_s + self.compute_s + self.communication_s + self.fixed_s, dtype=float)


def _imbalance(layout: ServingLayout, constants: ServingConstants) -> FloatArray:
    """Return how much longer the busiest expert-parallel rank works than the mean one."""
    spread = layout.group > layout.attention_split
    return np.where(spread, constants.expert_imbalance_ratio, 1.0)


def decode_step(
    model: ServedModel,
    layout: ServingLayout,
    constants: ServingConstants,
    requests: Figures,
    context_tokens: Figures,
    *,
    drafted_tokens: Figures = 0,
) -> StepTime:
    """Return the time in which each of `requests` requests of one stage group gets one more token, or is checked for more.

    Parameters
    ----------
    model, layout, constants
        What is run, on what, and how well.
    requests : array_like
        Requests of the step (over all accelerators of the group).
    context_tokens : array_like
        Mean tokens in the cache of a request.
    drafted_tokens : int
        Further tokens of each request that are checked in the same pass (speculative decoding): weights and cache are
        read once for all of them, arithmetic and exchange grow with them.
    """
    group = layout.group
    split = layout.attention_split
    batch = np.asarray(requests, dtype=float)
    tokens = batch * (1.0 + np.asarray(drafted_tokens, dtype=float))
    seen = seen_tokens(model, context_tokens)
    # A request's cache is split over no more ranks than there are key-value heads; beyond that it is repeated.
    cache = (
        model.cache_bytes_per_token * seen / np.minimum(split, model.group_count)
        + 2.0 * model.state_bytes_per_request / split  # read and written back
    )
    weights = model.shared_bytes / split + model.expert_bytes * experts_read_share(model, tokens) / group
    bandwidth = layout.bandwidth_bytes_per_s
    memory_s = weights / (bandwidth * constants.bandwidth_share) + batch * split / group * cache / (
        bandwidth * constants.cache_share
    )
    linear = tokens / group * (model.body_flop_per_token + model.expert_flop_per_token * _imbalance(layout, constants))
    head = tokens / group * model.head_flop_per_token
    scores = tokens / group * model.score_flop_per_token * seen * model.decode_score_ratio
    flop_per_s, flop16 = layout.flop_per_s, layout.flop16_per_s
    compute_s = linear / (flop_per_s * constants.decode_share) + (head + scores) / (flop16 * constants.decode_share)
    communication_s = _collectives_s(model, layout, tokens)
    fixed_s = constants.step_s + model.layers * constants.layer_s + batch * constants.request_s
    return StepTime(
        memory_s=np.asarray(memory_s, dtype=float),
        compute_s=np.asarray(compute_s, dtype=float),
        communication_s=communication_s,
        fixed_s=np.asarray(fixed_s + np.zeros_like(communication_s), dtype=float),
    )


def accepted_tokens(drafted_tokens: int, acceptance_share: float) -> float:
    """Return the mean tokens that one checked step yields: ``(1 - a^(k+1)) / (1 - a)``.

    Each drafted token is accepted with chance a, up to the first refusal, which the step mends itself; tokens are taken as
    independent. Source: Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), equation 1.

    Examples
    --------
    >>> accepted_tokens(0, 0.7), round(accepted_tokens(4, 0.7), 3), accepted_tokens(4, 1.0)
    (1.0, 2.773, 5.0)
    """
    if acceptance_share >= 1.0:
        return drafted_tokens + 1.0
    return (1.0 - acceptance_share ** (drafted_tokens + 1)) / (1.0 - acceptance_share)


def _collectives_s(model: ServedModel, layout: ServingLayout, tokens: ArrayLike) -> FloatArray:
    """Return the time of all collectives of one pass over `tokens` tokens of a stage group."""
    group, split = layout.group, layout.attention_split
    count, width = np.asarray(tokens, dtype=float), 2.0 * model.hidden
    # Tensor parallel: two all-reduces a layer over all tokens of the group.
    volume = count * width * split / group
    reduce_s = 2.0 * model.layers * all_reduce_s(volume, split, layout.link_bytes_per_s, layout.link_latency_s)
    # Attention data parallel: tokens travel to their experts and back, once each way a mixture layer.
    sent = count / group * model.experts_per_token * width
    exchange_s = 2.0 * model.moe_layers * all_to_all_s(sent, group, layout.link_bytes_per_s, layout.link_latency_s)
    stages = layout.stages
    hop_s = np.where(
        stages > 1, point_to_point_s(count * width / group, layout.stage_bytes_per_s, layout.stage_latency_s), 0.0
    )
    return np.asarray(reduce_s + np.where(group > split, exchange_s, 0.0) + (stages - 1.0) * hop_s, dtype=float)


def prefill(
    model: ServedModel,
    layout: ServingLayout,
    constants: ServingConstants,
    prompt_tokens: Figures,
    cached_share: Figures = 0.0,
    *,
    is_alone: bool = False,
) -> StepTime:
    """Return the time that reading one prompt adds to a busy replica: arithmetic and collectives, weights read elsewhere.

    Parameters
    ----------
    prompt_tokens : array_like
        Tokens of the prompt.
    cached_share : array_like
        Part of it found in the prefix cache, which costs nothing.
    is_alone : bool
        How long the prompt itself takes, not what it adds to the replica's work: with attention data parallelism one
        accelerator reads it while the others wait for prompts of their own, and only its experts are spread. Its tokens
        visit nearly all experts, whose weights are read beyond those of the one token that a step reads anyway.
    """
    group = layout.group
    prompt, cached = np.asarray(prompt_tokens, dtype=float), np.asarray(cached_share, dtype=float)
    fresh = prompt * (1.0 - cached)
    ranks = layout.attention_split if is_alone else group
    linear = (
        fresh
        * (model.body_flop_per_token / ranks + model.expert_flop_per_token * _imbalance(layout, constants) / group)
        + model.tower_flop_per_request * (1.0 - cached) / ranks
    )
    attended = causal_tokens(model, prompt) * (1.0 + cached)
    scores = fresh / ranks * model.score_flop_per_token * attended
    compute_s = linear / (layout.flop_per_s * constants.prefill_share) + scores / (
        layout.flop16_per_s * constants.attention_share
    )
    communication_s = _collectives_s(model, layout, fresh)
    zeros = np.zeros_like(np.asarray(compute_s + communication_s, dtype=float))
    visited = experts_read_share(model, np.minimum(fresh, BATCHED_TOKENS)) - experts_read_share(model, 1.0)
    memory_s = (
        model.expert_bytes
        * np.maximum(visited, 0.0)
        / (group * layout.bandwidth_bytes_per_s * constants.bandwidth_share)
        if is_alone
        else 0.0
    )
    return StepTime(
        memory_s=np.asarray(memory_s + zeros, dtype=float),
        compute_s=np.asarray(compute_s + zeros, dtype=float),
        communication_s=np.asarray(communication_s + zeros, dtype=float),
        fixed_s=model.prepare_s_per_request * (1.0 - cached) + zeros,
    )


def pipelined_share(chunks: ArrayLike, stages: ArrayLike) -> FloatArray:
    """Return how long a prompt of `chunks` chunks takes through `stages` stages, over the stages one after another.

    While one chunk is in the second stage, the next is in the first: ``(c + p - 1) / (c p)``, the bubble of a pipeline with c
    micro-batches (Huang et al. 2019, arXiv:1811.06965); a prompt of one chunk or less gains nothing.

    Examples
    --------
    >>> [round(float(pipelined_share(c, 4)), 3) for c in (0.5, 1, 2, 16)], float(pipelined_share(7, 1))
    ([1.0, 1.0, 0.625, 0.297], 1.0)
    """
    count, p = np.maximum(np.asarray(chunks, dtype=float), 1.0), np.asarray(stages, dtype=float)
    return np.asarray((count + p - 1.0) / (count * p), dtype=float)


def burst_prompts(requests: ArrayLike, group: ArrayLike, split: ArrayLike) -> FloatArray:
    """Return how many prompts one waits for in a closed loop whose users began together, times a share that is fitted.

    Prompts that arrive together are read together: the wait grows more slowly than their number. With attention data
    parallelism each rank reads those that it was sent, and the slowest is waited for.

    Examples
    --------
    >>> [round(float(burst_prompts(users, 1, 1)), 1) for users in (1, 2, 64)], float(burst_prompts(2, 8, 1))
    ([0.0, 1.0, 12.0], 8.0)
    """
    others = np.maximum(np.asarray(requests, dtype=float) - 1.0, 0.0)
    return np.asarray(others**_BURST_POWER * np.asarray(group) / np.asarray(split), dtype=float)


def entry_s(model: ServedModel, entry_layer_s: ArrayLike) -> FloatArray:
    """Return the time in which the kernels of a new prompt are started: no graph is replayed, since prompts differ in shape.

    The layers follow one another, and each expert that a token visits adds half of a dense layer's kernels: fitted to five
    mixtures with 4 and 8 of 128 and 256 experts.
    """
    kernels = model.layers + _EXPERT_LAUNCH_SHARE * model.experts_per_token * np.asarray(model.moe_layers)
    return np.asarray(np.asarray(entry_layer_s) * kernels, dtype=float)


def started_s(
    model: ServedModel, mixed_layer_s: ArrayLike, requests: ArrayLike, output_tokens: ArrayLike
) -> FloatArray:
    """Return what starting kernels one by one adds to a mean step: a step that takes in a prompt is no replay of a graph.

    Engines replay steps of known shapes; prompts differ in shape, so that the layers of a step that reads one are started from
    the host. In steady state ``B / out`` requests come in each step: about that share of the steps is mixed, at most all.

    Parameters
    ----------
    model : ServedModel
        How many layers there are.
    mixed_layer_s : array_like
        Host time per layer of a mixed step beyond a replayed one.
    requests, output_tokens : array_like
        Requests of a step, and tokens of an answer.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> from planner.supply.serving.model import served_model
    >>> model = served_model(known_model("llama-3.1-8b"), "bf16", "bf16")
    >>> [round(1e3 * float(started_s(model, 1e-4, requests, 128)), 3) for requests in (1, 64, 2048)]
    [0.025, 1.6, 3.2]
    """
    share = np.minimum(np.asarray(requests, dtype=float) / np.asarray(output_tokens, dtype=float), 1.0)
    return np.asarray(np.asarray(mixed_layer_s) * model.layers * share, dtype=float)


def serving_constants(
    calibration: Calibration, machines: Sequence[Machine], tags: Sequence[str] = ()
) -> ServingConstants:
    """Return the serving constants of the machines for work with these tags."""
    return ServingConstants(
        **columns_of(calibration, "serve", tuple(ServingConstants.__dataclass_fields__), machines, tags)
    )
