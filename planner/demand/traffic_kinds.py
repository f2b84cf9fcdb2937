"""Kinds of traffic: lengths of requests as public traces have them (``planner/facts/traffic_profiles.csv``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from planner.demand.lengths import Lengths

__all__ = ["Traffic", "TrafficKind", "traffic_kind"]


class Traffic(StrEnum):
    """What sort of requests they are."""

    CHAT = "chat"
    CODE = "code"
    API = "api"
    REASONING = "reasoning"
    AGENT = "agent"


TRACES = {
    Traffic.CHAT: ("azure-llm-2023-conversation", "azure-llm-2023-conversation"),
    Traffic.CODE: ("azure-llm-2023-code", "azure-llm-2023-code"),
    Traffic.API: ("servegen-m-mid", "servegen-m-mid"),
    Traffic.REASONING: ("servegen-deepseek-r1", "servegen-deepseek-r1"),
    # Of the agents' trace only the means are published: they vary as those of its conversations do.
    Traffic.AGENT: ("mooncake-toolagent", "mooncake-conversation"),
}
"""The trace of the means, and that of the variations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficKind:
    """How requests of a kind are in public traces.

    Attributes
    ----------
    input_tokens, output_tokens : Lengths
        Mean and variation.
    source : str
        Of the trace.
    as_of : str
        Its date.
    """

    input_tokens: Lengths
    output_tokens: Lengths
    source: str
    as_of: str


@cache
def _traces() -> dict[str, dict[str, str]]:
    text = resources.files("planner").joinpath("facts", "traffic_profiles.csv").read_text(encoding="utf-8")
    return {row["trace"]: row for row in csv.DictReader(text.splitlines())}


@cache
def traffic_kind(traffic: Traffic) -> TrafficKind:
    """Return how requests of a kind are.

    Examples
    --------
    >>> traffic_kind(Traffic.CHAT).input_tokens
    Lengths(mean=1155.0, cv=0.96, p10=None, p25=None, p50=None, p75=None, p90=None, p95=None, p99=None)
    """
    means, variations = (_traces()[name] for name in TRACES[traffic])
    inputs, outputs = (
        Lengths(mean=float(means[f"{side}_tokens_mean"]), cv=float(variations[f"{side}_tokens_cv_ratio"]))
        for side in ("input", "output")
    )
    return TrafficKind(input_tokens=inputs, output_tokens=outputs, source=means["source"], as_of=means["date"])
