"""Step times: how long each step of one replica takes, tabulated from the formulas of `planner.supply.serving`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import Figures, FloatArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.formats import kin_of
from planner.supply.calibration import Calibration
from planner.supply.constants import links
from planner.supply.hardware import hardware
from planner.supply.machines import Layout, Machine
from planner.supply.serving.model import (
    BATCHED_TOKENS,
    ServedModel,
    cache_budget_bytes,
    cached_bytes_per_request,
    served_model,
)
from planner.supply.serving.speed import (
    ServingConstants,
    ServingLayout,
    accepted_tokens,
    decode_step,
    entry_s,
    layout_on,
    pipelined_share,
    prefill,
    serving_constants,
)
from planner.supply.serving.stacks import practice_shares, stack_named

GRID_TOKENS = 256
"""Between these prompt lengths the time of a prefill is a straight line."""
MOST_REQUESTS = 2048
"""Requests that an engine decodes at once, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """What a step of one replica takes; a replica of several stages runs one batch in each of them.

    A decode step of `b` requests with `s` tokens in the cache takes ``batch_s[b] + cached_s * s``; a prompt that is read from
    token `i` to token `j` adds ``prompt_s[j] - prompt_s[i]``.

    Attributes
    ----------
    batch_s : Sequence of float
        By the number of requests that are decoded; entry 0 is a step that only reads prompts.
    cached_s : float
        For each token in the cache.
    window_share, window_tokens : float
        Share of the cache that keeps no more than so many tokens of a request.
    prompt_s : Sequence of float
        Time in which a prompt is read, every `GRID_TOKENS` tokens from 0 on.
    late_s : Sequence of float
        What a prompt's own first token waits beyond that, on the same grid: less in a pipeline, more where one rank reads it.
    mixed_s : float
        What a step that reads a prompt takes more than one that does not.
    entry_s : float
        From a request's arrival to the engine's first step for it.
    capacity_tokens : float
        Tokens that the cache of one batch holds.
    request_tokens : float
        What a request takes of them whatever its length.
    stage_count : int
        Batches of one replica that are under way at once.
    chunk_tokens : int
        Tokens that a step handles at most.
    most_requests : int
        Requests that a step decodes at most.
    """

    batch_s: Sequence[float]
    cached_s: float = 0.0
    window_share: float = 0.0
    window_tokens: float = 0.0
    prompt_s: Sequence[float]
    late_s: Sequence[float] = ()
    mixed_s: float = 0.0
    entry_s: float = 0.0
    capacity_tokens: float
    request_tokens: float = 0.0
    stage_count: int = 1
    chunk_tokens: int = int(BATCHED_TOKENS)
    most_requests: int = MOST_REQUESTS


def tabulated(  # noqa: PLR0913 - a formula takes the inputs that it has
    model: ServedModel, layout: ServingLayout, constants: ServingConstants, *, pace_ratio: float, mixed_layer_s: float,
    entry_layer_s: float, memory_bytes: float, usable_share: float, longest_tokens: int, typical_tokens: float,
    drafted_tokens: int = 0, draft_step_share: float = 0.0, acceptance_share: float = 0.0, chunk_tokens: int = int(BATCHED_TOKENS),
) -> StepTimes:  # fmt: skip
    """Return the step times of one replica.

    Parameters
    ----------
    model, layout, constants
        Of one replica; every number a scalar or an array of one entry.
    pace_ratio, mixed_layer_s, entry_layer_s : float
        As in `planner.supply.serving.candidates.evaluate`.
    memory_bytes, usable_share : float
        Memory of one accelerator, and the part of it that the engine takes.
    longest_tokens : int
        Longest prompt.
    typical_tokens : float
        Tokens of a request half way, at which a request's part of the cache is taken.
    """
    requests = np.arange(MOST_REQUESTS + 1, dtype=float)[None, :]

    def step_s(batch: Figures, context: float, drafted: int) -> FloatArray:
        return np.ravel(decode_step(model, layout, constants, batch, context, drafted_tokens=drafted).total_s)

    def paced_s(batch: Figures, context: float) -> FloatArray:
        if not drafted_tokens:
            return step_s(batch, context, 0) * pace_ratio
        checked = step_s(batch, context, drafted_tokens)
        drafting = drafted_tokens * draft_step_share * step_s(batch, context, 0)
        return (checked + drafting) * pace_ratio / accepted_tokens(drafted_tokens, acceptance_share)

    batch_s = paced_s(requests, 0.0)
    cached_s = float((paced_s(1.0, 1.0) - paced_s(1.0, 0.0))[0])
    batch_s[0] = pace_ratio * float(np.ravel(decode_step(model, layout, constants, 1.0, 0.0).memory_s)[0])
    lengths = np.arange(0, longest_tokens + 2 * GRID_TOKENS, GRID_TOKENS, dtype=float)[None, :]
    prompt_s = np.ravel(prefill(model, layout, constants, lengths).total_s) * pace_ratio
    alone_s = np.ravel(prefill(model, layout, constants, lengths, is_alone=True).total_s) * pace_ratio
    through = np.ravel(pipelined_share(lengths / chunk_tokens, layout.stages))
    group, split, stages = (_number(value) for value in (layout.group, layout.attention_split, layout.stages))
    budget = float(cache_budget_bytes(model, memory_bytes, group, split, stages, usable_share=usable_share).flat[0])
    if drafted_tokens:
        # A draft's step is reading its weights too: it takes the same share of memory as of time.
        budget -= draft_step_share * _number(model.stored_bytes) / (group * stages)
    state = float(cached_bytes_per_request(model, split, stages, 0.0).flat[0])
    whole = float(cached_bytes_per_request(model, split, stages, typical_tokens).flat[0])
    token_bytes = (whole - state) / typical_tokens or 1.0
    return StepTimes(
        batch_s=tuple(batch_s.tolist()), cached_s=cached_s, window_share=_number(model.window_cache_share),
        window_tokens=_number(model.window_tokens), prompt_s=tuple(prompt_s.tolist()), late_s=tuple((alone_s * through - prompt_s).tolist()),
        mixed_s=pace_ratio * mixed_layer_s * _number(model.layers), entry_s=_number(entry_s(model, entry_layer_s)),
        capacity_tokens=max(budget, 0.0) / token_bytes * group / split / stages, request_tokens=state / token_bytes,
        stage_count=int(stages), chunk_tokens=chunk_tokens,
    )  # fmt: skip


def _number(value: ArrayLike) -> float:
    """Return the only entry."""
    return float(np.asarray(value, dtype=float).flat[0])


def times_of_layout(  # noqa: PLR0913 - a formula takes the inputs that it has
    machine: Machine, layout: Layout, arch: Architecture, assumptions: Assumptions, calibration: Calibration, *,
    longest_tokens: int, typical_tokens: float, drafted_tokens: int = 0, image_tokens: float = 0.0,
) -> StepTimes:  # fmt: skip
    """Return the step times of a replica as the plan lays it over a machine.

    Parameters
    ----------
    machine, layout
        As in `planner.supply.machines.Fleet`.
    longest_tokens, typical_tokens, drafted_tokens
        As in `tabulated`.
    image_tokens : float
        Tokens that a request's images become.
    """
    machines = [machine]
    hw, here_links = hardware(machines), links(calibration, machines, serving=True)
    group = max(layout.tensor, layout.expert)
    accelerators = int(hw.count[0])
    shape = layout_on(
        hw, here_links, hw.widened_flop_per_s(layout.precision), np.array([group]), np.array([layout.tensor]),
        np.array([layout.pipeline]), spans=np.array([group * layout.pipeline > accelerators]),
    )  # fmt: skip
    model = served_model(arch, layout.precision, layout.kv_precision or "bf16", image_tokens=image_tokens)
    stack = stack_named(layout.stack)
    experts = stack.tags_of(is_moe=_number(model.moe_layers) > 0)

    def constant(name: str, tags: Sequence[str] = ()) -> float:
        return float(calibration.column(f"serve.{name}", machines, tags)[0])

    return tabulated(
        model, shape, serving_constants(calibration, machines, [f"@{kin_of(layout.precision)}", *experts]),
        pace_ratio=constant("pace_ratio") / float(practice_shares(stack, calibration, machines, assumptions)[0]),
        mixed_layer_s=constant("mixed_layer_s", experts), entry_layer_s=constant("entry_layer_s", experts),
        memory_bytes=float(hw.memory_bytes[0]), usable_share=assumptions["perf.engine_memory_share"],
        longest_tokens=longest_tokens, typical_tokens=typical_tokens, drafted_tokens=drafted_tokens,
        draft_step_share=assumptions["perf.draft_step_share"], acceptance_share=assumptions["perf.draft_acceptance_share"],
    )  # fmt: skip
