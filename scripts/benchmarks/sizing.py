"""Sizing: one estimate, and the search for the best fleet of every sort of machine in 3,000 offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

from planner.assumptions import default_assumptions
from planner.demand.models import resolve_model
from planner.demand.workload import Workload
from planner.options.servers import own_machine
from planner.supply.candidates import find_candidates
from planner.supply.fleet import estimate, size
from planner.supply.serving.candidates import BATCHES, evaluate
from planner.supply.training.candidates import outcome_of
from pricing.catalog import Catalog
from pricing.facts.accelerators import resolve
from pricing.loading import load

OFFERS = 3_000
WORKLOADS = {
    "serving a 70B model, bf16, fp8, int4 or fp4": {
        "kind": "serve",
        "model": "llama-3.1-70b",
        "precision": ["bf16", "fp8", "int4", "fp4"],
        "serve": {"requests_per_s": 20, "input_tokens": 1000, "output_tokens": 300, "ttft_limit_ms": 1000, "tpot_limit_ms": 50},
    },
    "pretraining a 7B model in 30 days": {
        "kind": "pretrain",
        "model": "llama-2-7b",
        "pretrain": {"tokens_b": 1000, "seq_len": 4096, "deadline_days": 30},
    },
    "LoRA of an 8B model in a day": {
        "kind": "finetune",
        "model": "llama-3.1-8b",
        "finetune": {"method": "lora", "tokens_m": 50, "seq_len": 2048, "deadline_hours": 24},
    },
}  # fmt: skip


def measure() -> Iterator[tuple[str, str, str]]:
    """Time estimates and searches on this machine."""
    assumptions = default_assumptions()
    catalog = load()
    offers = tuple(catalog.offers)[:OFFERS]
    for name, stated in WORKLOADS.items():
        workload = Workload.model_validate(stated)
        architecture = resolve_model(workload.model)
        machines = find_candidates(Catalog(offers=offers, snapshot="bench"), workload.constraints).machines
        count = Counter()
        with count.watching():
            seconds = _best(partial(size, workload, architecture, machines, assumptions))
        points = count.points / 3
        yield (
            f"{name}: {len(offers):,} offers, {len(machines):,} sorts",
            f"{seconds:.3f} s",
            f"< 1 s; {points:,.0f} layouts and batches, {points / seconds:,.0f}/s",
        )
        box = own_machine(resolve("h100-sxm")[0], 8)
        one = _best(partial(estimate, workload, architecture, box, 8, assumptions), times=20)
        yield f"{name}: one whole answer on 8 H100", f"{one * 1e3:.1f} ms", "< 1 ms"


class Counter:
    """Counts the layouts (and batch sizes) that a search evaluates."""

    def __init__(self) -> None:
        self.points = 0

    def watching(self) -> Any:  # noqa: ANN401 - a context manager of the standard library
        """Return a context in which everything that is evaluated is counted."""
        from contextlib import ExitStack

        stack = ExitStack()
        for name, function, points in (
            ("serving.replica_rates.evaluate", evaluate, lambda given: len(given[5].row) * len(BATCHES)),
            ("training.fewest.outcome_of", outcome_of, lambda given: len(given[0].layouts.row)),
        ):
            stack.enter_context(patch(f"planner.supply.{name}", self._counted(function, points)))
        return stack

    def _counted(self, function: Callable[..., Any], points: Callable[[tuple[Any, ...]], int]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - hands through what it gets
            self.points += points(given)
            return function(*given, **named)

        return counted


def _best(do: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        before = time.perf_counter()
        do()
        best = min(best, time.perf_counter() - before)
    return best
