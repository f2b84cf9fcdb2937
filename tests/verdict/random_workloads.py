"""Random workloads of all kinds, the same for the same seed."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["market_of", "workloads"]

MODELS = ("llama-3.1-8b", "llama-3.1-70b", "mistral-7b", "mixtral-8x7b", "deepseek-v3", "qwen2.5-32b")
GPUS = ("h100-sxm", "a100-80gb-sxm", "h200", "l40s", "b200", "a10", "rtx-4090")
SELLERS = ((), (), (), ("aws", "azure", "gcp"), ("aws",), ("lambda", "runpod", "verda"), ("gcp", "lambda"))
PROFILES = ("steady", "office_hours", "bursty", "batch_nights")


def _log(draw: random.Random, low: float, high: float) -> float:
    return float(f"{low * (high / low) ** draw.random():.3g}")


def market_of(draw: random.Random) -> dict[str, Any]:
    """Return constraints and a horizon."""
    sellers = draw.choice(SELLERS)
    constraints: dict[str, Any] = {"providers": list(sellers)} if sellers else {}
    if draw.random() < 0.15:
        constraints["purchase"] = ["on_demand"]
    return {"constraints": constraints, "horizon_months": draw.choice((3, 12, 24, 36, 36, 48, 60))}


def _section(kind: str, draw: random.Random) -> dict[str, Any]:
    match kind:
        case "serve":
            limits = {"ttft_limit_ms": draw.choice((1000, 2000, 5000)), "tpot_limit_ms": draw.choice((50, 80, 150))}
            return {
                "requests_per_s": _log(draw, 0.05, 60),
                "input_tokens": round(_log(draw, 100, 6000)),
                "output_tokens": round(_log(draw, 20, 1000)),
                "profile": draw.choice(PROFILES),
                **(limits if draw.random() < 0.6 else {}),
            }
        case "pretrain":
            return {"tokens_b": _log(draw, 5, 400), "deadline_days": draw.choice((20, 40, 80))}
        case "finetune":
            work = {"method": draw.choice(("lora", "qlora", "full")), "tokens_m": _log(draw, 5, 2000)}
            return work | ({"deadline_hours": draw.choice((12, 48, 200))} if draw.random() < 0.7 else {})
        case "batch":
            work = {"requests": round(_log(draw, 1e4, 1e7)), "input_tokens": 800, "output_tokens": 200}
            return work | ({"deadline_hours": draw.choice((12, 48, 200))} if draw.random() < 0.7 else {})
        case "embed":
            work = {"documents": round(_log(draw, 1e5, 1e8)), "tokens_per_document": draw.choice((100, 300, 500))}
            return work | ({"deadline_hours": draw.choice((12, 48, 200))} if draw.random() < 0.7 else {})
        case "diffusion":
            return {
                "images_per_day": _log(draw, 100, 1e6),
                "steps": draw.choice((20, 28, 50)),
                "profile": draw.choice(PROFILES),
            }
        case _:
            return {"gpu": draw.choice(GPUS), "count": draw.choice((1, 2, 4, 8, 8, 16, 32)), "hours_per_month": draw.choice((60, 200, 365, 500, 730))}  # fmt: skip


def workloads(count: int, seed: int) -> list[dict[str, Any]]:
    """Return so many workloads as they would stand in files."""
    draw = random.Random(seed)
    kinds = ("serve", "pretrain", "finetune", "batch", "embed", "diffusion", "gpu_hours")
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        work: dict[str, Any] = {"kind": kind, kind: _section(kind, draw), **market_of(draw)}
        if kind == "embed":
            work["model"] = draw.choice(("bge-base-en-v1.5", "bge-large-en-v1.5"))
        elif kind == "diffusion":
            work["model"] = draw.choice(("sdxl", "flux.1-dev"))
        elif kind in {"pretrain", "finetune"}:
            work["model"] = draw.choice(MODELS[:3])
        elif kind != "gpu_hours":
            work["model"] = draw.choice(MODELS)
        if kind in {"batch", "embed", "finetune"} and draw.random() < 0.4:
            work["runs_per_month"] = draw.choice((1, 4, 20))
        found.append(work)
    return found
