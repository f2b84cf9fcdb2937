"""Kinds of traffic: lengths of requests as public traces have them (``planner/facts/traffic_profiles.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from planner.demand.lengths import Lengths
from planner.demand.sections import Profile
from planner.fact_rows import fact_rows


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


PUBLIC_WEEKS = {
    Profile.PUBLIC_CHAT: "azure-llm-2024-conversation",
    Profile.PUBLIC_CODE: "azure-llm-2024-code",
    Profile.PUBLIC_API: "servegen-m-mid",
    Profile.PUBLIC_REASONING: "servegen-deepseek-r1",
}
"""The trace whose busiest and quietest hour a profile has."""
WEEKS = {
    Traffic.CHAT: Profile.PUBLIC_CHAT,
    Traffic.CODE: Profile.PUBLIC_CODE,
    Traffic.API: Profile.PUBLIC_API,
    Traffic.REASONING: Profile.PUBLIC_REASONING,
}
"""Of agents there is an hour only."""
GAPS = frozenset({"azure-llm-2023-code"})
"""Traces with silent gaps, whose pauses say nothing of how requests come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficKind:
    """How requests of a kind are in public traces; None for what its traces do not tell.

    Attributes
    ----------
    input_tokens, output_tokens : Lengths
        Mean and variation.
    arrival_cv_ratio : float or None
        Standard deviation over mean of the time between requests.
    profile : Profile or None
        The hours of its week.
    prefix_cache_hit_share : float or None
        Tokens of the prompts that were read before.
    source : str
        Of the trace.
    as_of : str
        Its date.
    """

    input_tokens: Lengths
    output_tokens: Lengths
    arrival_cv_ratio: float | None
    profile: Profile | None
    prefix_cache_hit_share: float | None
    source: str
    as_of: str

    def keys(self) -> dict[str, object]:
        """Return what it says, by the keys of a service."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "arrival_cv": self.arrival_cv_ratio,
            "profile": self.profile,
            "prefix_cache_hit_share": self.prefix_cache_hit_share,
        }


@cache
def _traces() -> dict[str, dict[str, str]]:
    return {row["trace"]: row for row in fact_rows("traffic_profiles")}


@cache
def traffic_kind(traffic: Traffic) -> TrafficKind:
    """Return how requests of a kind are.

    Examples
    --------
    >>> traffic_kind(Traffic.CHAT).input_tokens
    Lengths(mean=1155.0, cv=0.96, p10=None, p25=None, p50=None, p75=None, p90=None, p95=None, p99=None)
    >>> traffic_kind(Traffic.CHAT).arrival_cv_ratio, traffic_kind(Traffic.CODE).arrival_cv_ratio, traffic_kind(Traffic.AGENT).prefix_cache_hit_share
    (1.09, None, 0.59)
    """
    name = TRACES[traffic][0]
    means, variations = (_traces()[trace] for trace in TRACES[traffic])
    inputs, outputs = (
        Lengths(mean=float(means[f"{side}_tokens_mean"]), cv=float(variations[f"{side}_tokens_cv_ratio"]))
        for side in ("input", "output")
    )
    return TrafficKind(
        input_tokens=inputs, output_tokens=outputs,
        arrival_cv_ratio=None if name in GAPS else _number(means["interarrival_cv_ratio"]), profile=WEEKS.get(traffic),
        prefix_cache_hit_share=_number(means["prefix_cache_reuse_share"]), source=means["source"], as_of=means["date"],
    )  # fmt: skip


def extremes_of_week(profile: Profile) -> tuple[float, float]:
    """Return the busiest and the quietest hour of a public week, over its mean.

    Examples
    --------
    >>> extremes_of_week(Profile.PUBLIC_CODE)
    (3.06, 0.1)
    """
    row = _traces()[PUBLIC_WEEKS[profile]]
    return float(row["peak_hour_over_mean_ratio"]), float(row["trough_hour_over_mean_ratio"])


def _number(text: str) -> float | None:
    return float(text) if text else None
