"""A service that answers in text: its requests, limits, and lengths as public traces have them (``planner/facts/traffic_profiles.csv``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from planner.demand.sections import (
    Lengths,
    Percentile,
    Positive,
    Profile,
    Rate,
    Section,
    TokenLengths,
    Tokens,
    longer,
    mean_tokens,
    no_truth_value,
)
from planner.fact_rows import fact_rows

PUBLIC_WEEKS = {
    Profile.PUBLIC_CHAT: "azure-llm-2024-conversation",
    Profile.PUBLIC_CODE: "azure-llm-2024-code",
    Profile.PUBLIC_API: "servegen-m-mid",
    Profile.PUBLIC_REASONING: "servegen-deepseek-r1",
}
"""The trace whose busiest and quietest hour a profile has."""
GAPS = frozenset({"azure-llm-2023-code"})
"""Traces with silent gaps, whose pauses say nothing of how requests come."""
_USUAL_TTFT_MS, _USUAL_TPOT_MS = 2000.0, 100.0
"""The defaults of ``serve.ttft_limit_ms`` and ``serve.tpot_limit_ms``, which replace them once the assumptions are known."""
TOKENS_PER_IMAGE = 1024


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


WEEKS = {
    Traffic.CHAT: Profile.PUBLIC_CHAT,
    Traffic.CODE: Profile.PUBLIC_CODE,
    Traffic.API: Profile.PUBLIC_API,
    Traffic.REASONING: Profile.PUBLIC_REASONING,
}
"""Of agents there is an hour only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficKind:
    """How requests of a kind are in public traces; None for what its traces do not show.

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


def _may_be_missing(schema: dict[str, Any]) -> None:
    """Let an editor accept a service whose kind of traffic tells the lengths, and whose concurrency tells the rate."""
    del schema["required"]
    schema["anyOf"] = [{"required": ["requests_per_s"]}, {"required": ["concurrency"]}]


class Serve(Section):
    """Answer requests as they come, within limits.

    Attributes
    ----------
    requests_per_s : float
        Mean arrival rate over the whole week, requests per second; `concurrency` can be stated instead.
    peak_requests_per_s : float, optional
        Rate at the busiest time; derived from the profile where it is not stated.
    input_tokens : int or Lengths
        Length of a prompt, in tokens: a mean, ``{mean, cv}``, or quantiles ``{p50, p90, p99}``; taken from `traffic` where it is not stated.
    output_tokens : int or Lengths
        Length of an answer, in tokens; as for prompts.
    traffic : str, optional
        ``chat``, ``code``, ``api``, ``reasoning`` or ``agent``: what is not stated is taken from a public trace: lengths, how they and
        the arrivals vary, the hours of its week, and how much of a prompt is in earlier prompts. Without it, lengths vary as in ``chat``.
    limit_percentile : float or str
        Percentage of the requests that have to meet the limits, checked by simulating the fleet; ``mean`` is allowed.
    ttft_limit_ms : float, optional
        Limit on the time to first token, for `limit_percentile` of the requests; there is a default where it is not stated.
    tpot_limit_ms : float, optional
        Limit on the time per output token after the first; as for `ttft_limit_ms`.
    total_limit_ms : float, optional
        Limit on the time to the last token; where it is the only limit, it bounds the others too.
    arrival_cv : float, optional
        Standard deviation over mean of the time between requests within the busiest hour: 1 for random (Poisson) arrivals, more in
        bursts; without it, the assumption `perf.arrival_variation_ratio`.
    spare_replicas : int, optional
        Replicas that may fail, each with its machine, without a limit being missed; 1 where a limit is stated, else 0.
    min_replicas, max_replicas : int, optional
        Bounds of autoscaling: the fewest replicas that are on in any hour (1; 0 scales to zero when idle), and the most at the busiest.
    target_requests_per_s : float, optional
        Most requests per second that autoscaling gives each replica; without it, the rate at which a replica meets the limits.
    start_minutes : float, optional
        From asking for a replica until it serves; without it, from the model's size and where it runs.
    concurrency : float, optional
        Closed loop: users who each ask again as soon as they are answered, instead of `requests_per_s`. The plan is for the
        rate at which this many requests are in flight when every answer takes as long as the limits allow.
    max_num_seqs : int, optional
        Most requests that a replica's engine runs at once; without it, as many as fit in memory.
    images_per_request : float, optional
        Images in a request to a vision-language model.
    tokens_per_image : int, optional
        Prompt tokens per image, 1,024 if not stated: a megapixel is 1,000 to 1,300 for Qwen-VL, any image 256 for Gemma 3.
    profile : Profile
        How the rate moves over the week; taken from `traffic` where it is not stated.
    prefix_cache_hit_share : float
        Share of the prompt's tokens found in the cache of earlier prompts.
    drafted_tokens : int
        Speculative decoding: tokens that a small draft model proposes each step; 0 is none.
    """

    model_config = ConfigDict(json_schema_extra=_may_be_missing)

    requests_per_s: Rate
    peak_requests_per_s: Rate | None = None
    input_tokens: TokenLengths
    output_tokens: TokenLengths
    traffic: Traffic | None = None
    limit_percentile: Percentile = 95.0
    ttft_limit_ms: Positive | None = None
    tpot_limit_ms: Positive | None = None
    total_limit_ms: Positive | None = None
    arrival_cv: Annotated[float, Field(ge=0, le=20), BeforeValidator(no_truth_value)] | None = None
    concurrency: Rate | None = None
    max_num_seqs: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(no_truth_value)] | None = None
    images_per_request: Annotated[float, Field(ge=0, le=10_000), BeforeValidator(no_truth_value)] | None = None
    tokens_per_image: Tokens | None = None
    spare_replicas: Annotated[int, Field(ge=0, le=1000), BeforeValidator(no_truth_value)] | None = None
    min_replicas: Annotated[int, Field(ge=0, le=100_000), BeforeValidator(no_truth_value)] | None = None
    max_replicas: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(no_truth_value)] | None = None
    target_requests_per_s: Rate | None = None
    start_minutes: Annotated[float, Field(ge=0, le=600), BeforeValidator(no_truth_value)] | None = None
    profile: Profile = Profile.STEADY
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drafted_tokens: Annotated[int, Field(ge=0, le=16), BeforeValidator(no_truth_value)] = 0

    @model_validator(mode="wrap")
    @classmethod
    def _what_follows(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill in what the stated kind of traffic says, or the lengths of chats, and the rate of a closed loop; all count as not stated."""
        missing: list[str] = []
        if isinstance(data, dict):
            names = ["input_tokens", "output_tokens"]
            if not data.keys() & {"traffic", *names}:
                data, missing = data | {"traffic": Traffic.CHAT}, ["traffic"]
            elif data.get("traffic") is not None:
                names += ["arrival_cv", "profile", "prefix_cache_hit_share"]
            if data.get("traffic") in set(Traffic):
                kind = traffic_kind(Traffic(data["traffic"]))
                said = kind.keys()
                filled = {name: said[name] for name in names if name not in data}
                filled = {name: value for name, value in filled.items() if value is not None}
                data = data | filled
                missing = [*missing, *filled]
            if data.get("concurrency") is not None and data.get("requests_per_s") is None:
                data, missing = data | {"requests_per_s": 1.0}, [*missing, "requests_per_s"]
        made = handler(data).with_loop_rate()
        made.model_fields_set.difference_update(missing)
        return made

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.max_replicas is not None and (self.min_replicas or 0) > self.max_replicas:
            raise ValueError(f"min_replicas: {self.min_replicas} is more than max_replicas: {self.max_replicas}")
        return self

    @property
    def prompt_tokens(self) -> int | Lengths:
        """Tokens that a request brings: those of its text, and those that its images become."""
        return longer(self.input_tokens, self.image_tokens) if self.image_tokens else self.input_tokens

    @property
    def image_tokens(self) -> float:
        """Tokens that the images of a request become."""
        return (self.images_per_request or 0.0) * (self.tokens_per_image or TOKENS_PER_IMAGE)

    def with_loop_rate(self) -> Self:
        """Return a closed loop with the rate of its users where every answer takes as long as the limits allow.

        Little's law: ``rate = concurrency / (TTFT + out x TPOT)``. A limit that is not stated (yet) counts as the default's.

        Examples
        --------
        >>> stated = {"concurrency": 64, "input_tokens": 1000, "output_tokens": 300, "ttft_limit_ms": 2000, "tpot_limit_ms": 100}
        >>> Serve.model_validate(stated).requests_per_s
        2.0
        """
        if self.concurrency is None:
            return self
        ttft_s, tpot_s = (self.ttft_limit_ms or _USUAL_TTFT_MS) / 1e3, (self.tpot_limit_ms or _USUAL_TPOT_MS) / 1e3
        answer_s = ttft_s + mean_tokens(self.output_tokens) * tpot_s
        rate = self.concurrency / min(answer_s, (self.total_limit_ms or math.inf) / 1e3)
        return self.model_copy(update={"requests_per_s": rate})
