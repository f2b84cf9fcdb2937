"""What the sections of a workload file have in common: no unknown keys, sensible numbers, lengths of requests."""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import NormalDist
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from planner.arrays import FloatArray

QUANTILES = {"p10": 0.10, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95, "p99": 0.99}
_SCORES = np.linspace(-4.0, 4.0, 1601)
_DENSITY = np.exp(-0.5 * _SCORES**2)
Name = Annotated[str, Field(max_length=100)]


def no_truth_value(value: object) -> object:
    """Return the value; YAML's ``true`` would pass as the number 1."""
    if isinstance(value, bool):
        raise ValueError(f"a number was expected, got {str(value).lower()}")  # noqa: TRY004  pydantic collects ValueError
    return value


Quantity = Annotated[float, Field(gt=0, le=1e8), BeforeValidator(no_truth_value)]


class Lengths(BaseModel):
    """How many tokens requests have: ``{mean, cv}``, or at least two quantiles such as ``{p50, p90, p99}``.

    Attributes
    ----------
    mean, cv : float, optional
        Mean, and standard deviation over mean; the lengths are log-normal.
    p10, p25, p50, p75, p90, p95, p99 : float, optional
        Lengths that so many percent of the requests do not exceed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: Quantity | None = None
    cv: Annotated[float, Field(ge=0, le=20), BeforeValidator(no_truth_value)] | None = None
    p10: Quantity | None = None
    p25: Quantity | None = None
    p50: Quantity | None = None
    p75: Quantity | None = None
    p90: Quantity | None = None
    p95: Quantity | None = None
    p99: Quantity | None = None

    @property
    def quantiles(self) -> dict[str, float]:
        """The stated quantiles, from the lowest up."""
        return {name: value for name in QUANTILES if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        stated = list(self.quantiles.values())
        if self.mean is None and len(stated) < 2:
            raise ValueError("state mean and cv, or at least two of p10, p25, p50, p75, p90, p95, p99")
        if self.mean is not None and stated:
            raise ValueError("state either mean and cv, or quantiles, not both")
        if self.mean is None and self.cv is not None:
            raise ValueError("cv belongs to a mean, not to quantiles")
        if stated != sorted(stated):
            raise ValueError("quantiles must not fall: " + ", ".join(f"{k} {v:g}" for k, v in self.quantiles.items()))
        return self


def tokens_at(lengths: Lengths | float, scores: FloatArray, *, default_cv: float = 0.0) -> FloatArray:
    """Return the lengths of requests at these scores of the standard normal distribution, not rounded.

    A mean with its variation is a log-normal distribution. Between quantiles the logarithm of the length is a straight line
    over the score, beyond them it goes on as it went last; of a log-normal distribution this gives every length back.

    Parameters
    ----------
    lengths : Lengths or float
        A plain number is a mean.
    scores : FloatArray
        ``0`` is the median.
    default_cv : float
        Variation where none is stated.

    Examples
    --------
    >>> tokens_at(Lengths(p50=100, p90=1000), np.array([0.0, NormalDist().inv_cdf(0.9)])).round().tolist()
    [100.0, 1000.0]
    >>> tokens_at(300.0, np.array([-1.0, 1.0])).tolist()
    [300.0, 300.0]
    """
    if isinstance(lengths, Lengths) and lengths.mean is None:
        stated = lengths.quantiles
        at = np.array([NormalDist().inv_cdf(QUANTILES[name]) for name in stated])
        logs = np.log(np.array(list(stated.values())))
        inner = np.interp(scores, at, logs)
        low, high = ((logs[b] - logs[a]) / (at[b] - at[a]) for a, b in ((0, 1), (-2, -1)))
        outer = low * np.minimum(scores - at[0], 0.0) + high * np.maximum(scores - at[-1], 0.0)
        return np.asarray(np.exp(inner + outer), dtype=float)
    mean, cv = (lengths.mean, lengths.cv) if isinstance(lengths, Lengths) else (lengths, None)
    assert mean is not None
    width = math.log(1.0 + (default_cv if cv is None else cv) ** 2)
    return np.asarray(mean * np.exp(math.sqrt(width) * scores - width / 2.0), dtype=float)


def mean_tokens(lengths: Lengths | float) -> int:
    """Return the mean length, in whole tokens.

    Examples
    --------
    >>> mean_tokens(1000), mean_tokens(Lengths(mean=1000, cv=2)), mean_tokens(Lengths(p50=500, p90=1000))
    (1000, 1000, 579)
    """
    mean = lengths.mean if isinstance(lengths, Lengths) else lengths
    if mean is None:
        mean = float(np.average(tokens_at(lengths, _SCORES), weights=_DENSITY))
    return max(1, round(mean))


def variation(lengths: Lengths | float) -> float | None:
    """Return standard deviation over mean; None where it is not stated."""
    if not isinstance(lengths, Lengths):
        return None
    if lengths.mean is not None:
        return lengths.cv
    tokens = tokens_at(lengths, _SCORES)
    mean = float(np.average(tokens, weights=_DENSITY))
    return math.sqrt(float(np.average((tokens - mean) ** 2, weights=_DENSITY))) / mean


def longer(lengths: int | Lengths, tokens: float) -> int | Lengths:
    """Return lengths of requests that each have so many tokens more.

    Examples
    --------
    >>> longer(100, 20), longer(Lengths(mean=100, cv=1.0), 100) == Lengths(mean=200, cv=0.5)
    (120, True)
    """
    if isinstance(lengths, int):
        return lengths + round(tokens)
    if lengths.quantiles:
        return lengths.model_copy(update={name: value + tokens for name, value in lengths.quantiles.items()})
    mean = lengths.mean or 0.0
    cv = None if lengths.cv is None else lengths.cv * mean / (mean + tokens)
    return lengths.model_copy(update={"mean": mean + tokens, "cv": cv})


def one_or_many(value: object) -> object:
    """Return the value as a list: ``precision: fp8`` means the same as ``precision: [fp8]``."""
    return (value,) if isinstance(value, str) else value


Positive = Annotated[float, Field(gt=0, le=1e15), BeforeValidator(no_truth_value)]
"""More than nothing, and small enough to be meant."""
Rate = Annotated[float, Field(gt=0, le=1e6), BeforeValidator(no_truth_value)]
"""Requests per second; the largest services of the world stay below a million."""
Count = Annotated[int, Field(gt=0, le=10**12), BeforeValidator(no_truth_value)]
Layers = Annotated[int, Field(gt=0, le=10_000), BeforeValidator(no_truth_value)]
Width = Annotated[int, Field(gt=0, le=1_000_000), BeforeValidator(no_truth_value)]
Tokens = Annotated[int, Field(gt=0, le=100_000_000), BeforeValidator(no_truth_value)]
"""Tokens of one request or sequence; the longest contexts hold ten million."""
TokenLengths = Annotated[
    Annotated[Tokens, Tag("Tokens")] | Annotated[Lengths, Tag("Lengths")],
    Discriminator(lambda value: "Lengths" if isinstance(value, dict | Lengths) else "Tokens"),
]
"""Tokens of requests: their mean, or how they vary."""
Percentile = Annotated[
    Annotated[float, Field(ge=1, le=99.9), BeforeValidator(no_truth_value), Tag("Percent")]
    | Annotated[Literal["mean"], Tag("Mean")],
    Discriminator(lambda value: "Mean" if isinstance(value, str) and value[:1].isalpha() else "Percent"),
]
Names = Annotated[tuple[Name, ...], Field(max_length=200), BeforeValidator(one_or_many)]


class Section(BaseModel):
    """A part of the file: unknown keys are errors, values do not change, NaN and infinity are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Profile(StrEnum):
    """How demand moves over the week."""

    STEADY = "steady"
    OFFICE_HOURS = "office_hours"
    BATCH_NIGHTS = "batch_nights"
    BURSTY = "bursty"
    PUBLIC_CHAT = "public_chat"
    PUBLIC_CODE = "public_code"
    PUBLIC_API = "public_api"
    PUBLIC_REASONING = "public_reasoning"
