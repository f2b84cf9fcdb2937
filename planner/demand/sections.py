"""What the sections of a workload file have in common: no unknown keys, and numbers within what can be meant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from planner.demand.lengths import Lengths, no_truth_value


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
Name = Annotated[str, Field(max_length=100)]
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
