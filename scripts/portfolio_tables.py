"""Seeded tables of workloads as a company's teams would write them: few shapes of work, many sizes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

TEAMS = ("search", "assistant", "ads", "vision", "speech", "research", "support", "security", "maps", "finance")
KINDS = {"serve": 45, "batch": 12, "embed": 10, "finetune": 10, "pretrain": 2, "diffusion": 9, "gpu_hours": 12}
"""Kinds of work and how often each comes, in percent."""
DECODERS = ("llama-3.2-1b", "llama-3.1-8b", "qwen2.5-7b", "mistral-7b", "qwen2.5-32b", "llama-3.1-70b", "mixtral-8x7b")
ENCODERS = ("bge-m3", "bge-small", "modernbert-base")
PAINTERS = ("sdxl", "sd1.5", "flux.1-dev")
CARDS = ("h100-80gb-sxm", "a100-80gb-sxm", "l4", "l40s", "h200", "b200")
LISTS = frozenset({"precision", "constraints.providers", "constraints.countries"})
LENGTHS = ((300, 60), (1000, 300), (2000, 200), (4000, 500), (500, 800))

COLUMNS = (
    "id", "team", "cost_centre", "kind", "model", "precision",
    "serve.requests_per_s", "serve.peak_requests_per_s", "serve.input_tokens", "serve.output_tokens", "serve.ttft_limit_ms",
    "serve.tpot_limit_ms", "serve.profile",
    "batch.requests", "batch.input_tokens", "batch.output_tokens", "batch.deadline_hours",
    "embed.documents", "embed.tokens_per_document", "embed.deadline_hours",
    "finetune.method", "finetune.rank", "finetune.tokens_m", "finetune.epochs", "finetune.seq_len", "finetune.deadline_hours",
    "pretrain.tokens_b", "pretrain.seq_len", "pretrain.deadline_days",
    "diffusion.images_per_day", "diffusion.width", "diffusion.height", "diffusion.steps", "diffusion.profile",
    "gpu_hours.gpu", "gpu_hours.count", "gpu_hours.hours_per_month",
    "constraints.providers", "constraints.countries", "constraints.min_secure", "constraints.max_gpus", "constraints.max_usd_per_month",
    "own.place", "runs_per_month", "horizon_months",
)  # fmt: skip


def _between(rng: random.Random, low: float, high: float, digits: int = 4) -> float:
    """Return a number that is as likely small as large."""
    value = 10 ** rng.uniform(math.log10(low), math.log10(high))
    return round(value, digits - 1 - math.floor(math.log10(value)))


def _shape(rng: random.Random) -> dict[str, Any]:
    """Return one shape of work: everything but its size."""
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    shape: dict[str, Any] = {"kind": kind}
    entry, answer = rng.choice(LENGTHS)
    match kind:
        case "serve":
            limits = rng.choice([(None, None), (1000, 50), (2000, 80), (500, 40)])
            shape |= {
                "model": rng.choice(DECODERS), "precision": rng.choice([None, None, "fp8", "bf16"]),
                "serve.input_tokens": entry, "serve.output_tokens": answer, "serve.ttft_limit_ms": limits[0], "serve.tpot_limit_ms": limits[1],
                "serve.profile": rng.choice(["steady", "office_hours", "office_hours", "bursty", "batch_nights"]),
            }  # fmt: skip
        case "batch":
            shape |= {"model": rng.choice(DECODERS), "batch.input_tokens": entry, "batch.output_tokens": answer}
        case "embed":
            shape |= {"model": rng.choice(ENCODERS), "embed.tokens_per_document": rng.choice([120, 300, 500])}
        case "finetune":
            method = rng.choice(["lora", "qlora", "full"])
            model = rng.choice(DECODERS[:4] if method == "full" else DECODERS)
            shape |= {"model": model, "finetune.method": method, "finetune.seq_len": rng.choice([1024, 2048, 4096])}
            if method != "full":
                shape["finetune.rank"] = rng.choice([8, 16, 64])
        case "pretrain":
            shape |= {"model": rng.choice(DECODERS[:4]), "pretrain.seq_len": rng.choice([2048, 4096])}
        case "diffusion":
            pixels = rng.choice([512, 1024])
            shape |= {
                "model": rng.choice(PAINTERS), "diffusion.width": pixels, "diffusion.height": pixels,
                "diffusion.steps": rng.choice([20, 28, 50]), "diffusion.profile": rng.choice(["steady", "office_hours"]),
            }  # fmt: skip
        case _:
            shape["gpu_hours.gpu"] = rng.choice(CARDS)
    shape["_jobs_repeat"] = rng.random() < 0.4
    shape["_has_deadline"] = rng.random() < 0.6
    where = rng.random()
    if where < 0.15:
        shape["constraints.providers"] = rng.choice(["aws", "aws;gcp", "azure", "aws;gcp;azure"])
    elif where < 0.3:
        shape["constraints.countries"] = rng.choice(["US", "DE", "US;DE"])
    if rng.random() < 0.25:
        shape["constraints.min_secure"] = True
    if rng.random() < 0.1:
        shape["own.place"] = rng.choice(["DE", "US-Texas", "FR"])
    if rng.random() < 0.1:
        shape["horizon_months"] = rng.choice([12, 60])
    return shape


def _size(rng: random.Random, shape: dict[str, Any]) -> dict[str, Any]:
    """Return how much of the work there is."""
    hurry = shape["_has_deadline"]
    match shape["kind"]:
        case "serve":
            rate = _between(rng, 0.01, 500)
            peak = round(rate * rng.uniform(1.5, 6), 6) if rng.random() < 0.3 else None
            size: dict[str, Any] = {"serve.requests_per_s": rate, "serve.peak_requests_per_s": peak}
        case "batch":
            size = {
                "batch.requests": int(_between(rng, 1e3, 1e8)),
                "batch.deadline_hours": _between(rng, 4, 720, 2) if hurry else None,
            }
        case "embed":
            size = {
                "embed.documents": int(_between(rng, 1e4, 1e9)),
                "embed.deadline_hours": _between(rng, 4, 720, 2) if hurry else None,
            }
        case "finetune":
            size = {
                "finetune.tokens_m": _between(rng, 1, 2000), "finetune.epochs": float(rng.choice([1, 2, 3])),
                "finetune.deadline_hours": _between(rng, 8, 720, 2) if hurry else None,
            }  # fmt: skip
        case "pretrain":
            size = {
                "pretrain.tokens_b": _between(rng, 1, 2000),
                "pretrain.deadline_days": _between(rng, 7, 120, 2) if hurry else None,
            }
        case "diffusion":
            size = {"diffusion.images_per_day": _between(rng, 10, 1e6)}
        case _:
            size = {"gpu_hours.count": rng.randint(1, 64), "gpu_hours.hours_per_month": round(rng.uniform(10, 730), 1)}
    if shape["kind"] in {"batch", "embed", "finetune", "pretrain"} and shape["_jobs_repeat"]:
        size["runs_per_month"] = rng.choice([1, 4, 30])
    if rng.random() < 0.1:
        size["constraints.max_gpus"] = rng.choice([1, 4, 8, 64])
    if rng.random() < 0.05:
        size["constraints.max_usd_per_month"] = _between(rng, 100, 1e6, 2)
    return size


def portfolio_rows(count: int, *, shapes: int = 300, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield workloads as rows of a table; the same seed gives the same ones.

    Parameters
    ----------
    count : int
        Workloads.
    shapes : int
        Different shapes of work; sizes are continuous.
    seed : int
        Of the random numbers.
    """
    rng = random.Random(seed)  # noqa: S311  a made-up table is no secret
    known = [_shape(rng) for _ in range(shapes)]
    # Few shapes are common, most are rare.
    weights = [1.0 / (rank + 10) for rank in range(shapes)]
    for number in range(1, count + 1):
        shape = rng.choices(known, weights=weights)[0]
        row = {**shape, **_size(rng, shape)}
        yield {
            "id": f"w{number:07d}",
            "team": rng.choice(TEAMS),
            "cost_centre": f"cc{rng.randint(100, 120)}",
            **{name: row.get(name) for name in COLUMNS[3:]},
        }


def content(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the mapping that its own file would hold."""
    nested: dict[str, Any] = {}
    for name, value in row.items():
        section, dot, key = name.partition(".")
        if value is None or name in {"id", "team", "cost_centre"}:
            continue
        listed = value.split(";") if name in LISTS else value
        if dot:
            nested.setdefault(section, {})[key] = listed
        else:
            nested[name] = listed
    return nested
