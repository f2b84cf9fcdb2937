"""Words for people in place of the program's own terms."""

from __future__ import annotations

import re

KIND_WORDS = {
    "serve": "Serve",
    "batch": "Batch inference with",
    "embed": "Embed with",
    "finetune": "Fine-tune",
    "pretrain": "Pretrain",
    "diffusion": "Generate images with",
    "transcribe": "Transcribe with",
    "video": "Generate video with",
    "gpu_hours": "GPU hours",
}
"""How a sentence about a kind of work begins, before the model's name."""

PAYMENT_WORDS = {
    "have": "paid for already",
    "reserved_1m": "reserved 1 month",
    "reserved_3m": "reserved 3 months",
    "reserved_6m": "reserved 6 months",
    "reserved_1y": "reserved 1 year",
    "reserved_2y": "reserved 2 years",
    "reserved_3y": "reserved 3 years",
    "reserved_5y": "reserved 5 years",
    "reserved_unspecified": "reserved, term on request",
    "savings_plan_1y": "savings plan 1 year",
    "savings_plan_3y": "savings plan 3 years",
    "calendar": "calendar reservation",
    "purchase": "bought",
    "loan": "bought on a loan",
    "lease": "leased",
}
"""How an option is paid for, where its own name does not say it."""
BOUND_WORDS = {
    "compute": "compute-bound",
    "memory_bandwidth": "memory-bandwidth-bound",
    "memory_size": "bound by memory size",
    "interconnect": "bound by the interconnect",
    "queueing": "bound by queueing",
    "stated": "as stated",
}
BASIS_WORDS = {
    "measured_nearby": "measured nearby",
    "calibrated": "calibrated on measured rows",
    "extrapolated": "extrapolated, no measured row is near",
    "stated": "as stated",
}


def how_paid(purchase_option: str) -> str:
    """Say how an option is paid for.

    Examples
    --------
    >>> how_paid("reserved_3y")
    'reserved 3 years'
    """
    return PAYMENT_WORDS.get(purchase_option, purchase_option.replace("_", " "))


_ACRONYMS = {word.lower(): word for word in "API CPU DPO FTE GB GPU GPUs GRPO KV kW kWh LoRA PUE TPOT TTFT USD".split()}
_UNITS = {
    "_per_s": "/s",
    "_usd_per_month": "USD/month",
    "_per_month": "/month",
    "_per_day": "/day",
    "_ms": "ms",
    "_s": "s",
    "_hours": "h",
    "_days": "days",
    "_months": "months",
    "_usd": "USD",
    "_gib": "GiB",
    "_b": "billion",
    "_m": "million",
}
_LABELS = {
    "count": "GPUs at the same time",
    "kv_precision": "KV cache precision",
    "max_capex_usd": "Capex limit (USD)",
    "max_usd_per_month": "Budget (USD/month)",
    "min_secure": "No marketplaces or community hosts",
    "min_tier": "Lowest tier of seller",
    "place": "Place of owned servers",
    "purchase": "Purchase options",
    "seq_len": "Sequence length",
}


def unit_of(key: str) -> str:
    """Return the unit that a key ends with; empty where it has none.

    Examples
    --------
    >>> unit_of("ttft_limit_ms"), unit_of("requests_per_s"), unit_of("steps")
    ('ms', '/s', '')
    """
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), "")


def label(key: str) -> str:
    """Return a key as people say it, with its unit.

    Examples
    --------
    >>> label("requests_per_s"), label("ttft_limit_ms"), label("max_gpus"), label("tokens_b")
    ('Requests per second', 'TTFT limit (ms)', 'Max GPUs', 'Tokens (billion)')
    """
    if key in _LABELS:
        return _LABELS[key]
    unit = unit_of(key)
    if unit.startswith("/"):
        words, unit = re.sub("_per_s$", "_per_second", key), ""
    else:
        words = next((key.removesuffix(ending) for ending in _UNITS if key.endswith(ending)), key)
    text = " ".join(_ACRONYMS.get(word, word) for word in words.split("_"))
    return text[:1].upper() + text[1:] + (f" ({unit})" if unit else "")


def assumption_label(name: str) -> str:
    """Return an assumption's dotted name as people say it.

    Examples
    --------
    >>> assumption_label("own.resale_after_36_months_share"), assumption_label("site.colocation.usd_per_kw_month")
    ('Own: resale after 36 months', 'Colocation: USD per kW month')
    """
    *places, key = name.removeprefix("site.").split(".")
    bare = re.sub("_(share|ratio)(?=_|$)", "", key)
    words = label(key) if bare == key else " ".join(_ACRONYMS.get(word, word) for word in bare.split("_"))
    words = words if words[:2].isupper() else words[:1].lower() + words[1:]
    place = label(places[0]) if places else ""
    return f"{place}: {words}" if place else words[:1].upper() + words[1:]


def seller(provider: str) -> str:
    """Return who sells, for people; models are also sold through Hugging Face.

    Examples
    --------
    >>> seller("huggingface_ovhcloud"), seller("novita")
    ('ovhcloud via Hugging Face', 'novita')
    """
    name = provider.removeprefix("huggingface_")
    return name if name == provider else f"{name} via Hugging Face"
