"""Amounts as people write them: ``10k``, ``50M``, a number, or a range."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

_FACTORS = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_]*)?\.?\d+)\s*([kmbgt])\s*", re.IGNORECASE)
_UNITS = {"_b": 10**9, "_m": 10**6}
"""Keys that count in billions or millions say so at their end."""


def quantity(text: str, key: str = "") -> float | None:
    """Return the number that a text such as ``10k`` means, in the unit of its key; None for any other text.

    A letter makes the number absolute: 50M tokens are 50 million, also under a key that counts in millions.

    Parameters
    ----------
    text : str
        A number and one of the letters k, M, B (or G) and T, large or small.
    key : str
        The key that it stands under; one that ends in ``_b`` or ``_m`` counts in billions or millions.

    Examples
    --------
    >>> quantity("10k"), quantity("1.1M"), quantity("50M", "tokens_m"), quantity("1T", "tokens_b"), quantity("fp8")
    (10000.0, 1100000.0, 50.0, 1000.0, None)
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    exact = Decimal(match[1].replace("_", "")) * _FACTORS[match[2].lower()]
    return float(exact / _UNITS.get(key[-2:], 1))


class Section(BaseModel):
    """A part of a file: unknown keys are errors, values do not change, NaN and infinity are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Spread(Section):
    """A number and how far it may lie off.

    Attributes
    ----------
    low, typical, high : float
        10th percentile, most likely value, 90th percentile; all equal for a plain number.
    """

    low: float
    typical: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Spread:
        if not self.low <= self.typical <= self.high:
            raise ValueError(f"low, typical and high must rise, got {self.low:g}, {self.typical:g} and {self.high:g}")
        return self

    @property
    def is_range(self) -> bool:
        """Whether low and high differ."""
        return self.low < self.high


def plain(value: float) -> Spread:
    """Return a number that is known.

    Examples
    --------
    >>> plain(2.0).is_range
    False
    """
    return Spread(low=value, typical=value, high=value)


def _number(value: object) -> object:
    """Read a quantity such as ``250k``; anything else stays as it is."""
    number = quantity(value) if isinstance(value, str) else None
    return value if number is None else number


@dataclass(frozen=True, slots=True)
class Amount:
    """Reads a number, or ``{low, typical, high}``, and refuses what lies outside its bounds.

    Attributes
    ----------
    least, most : float
        Bounds of each number.
    above : bool
        Whether `least` itself is refused.
    whole : bool
        Whether only whole numbers are taken.
    """

    least: float = -math.inf
    most: float = math.inf
    above: bool = False
    whole: bool = False

    def read(self, value: object) -> object:
        """Turn a plain number into a spread of no width; judge every number."""
        if isinstance(value, Spread):
            value = value.model_dump()
        value = {key: _number(number) for key, number in value.items()} if isinstance(value, dict) else _number(value)
        if isinstance(value, bool) or not isinstance(value, int | float | dict):
            raise ValueError(f"must be a number or {{low, typical, high}}, got {str(value)[:60]!r}")  # noqa: TRY004 - pydantic tells ValueErrors to the user
        for number in value.values() if isinstance(value, dict) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool):
                self._check(number)
        return value if isinstance(value, dict) else {"low": value, "typical": value, "high": value}

    def _check(self, stated: float) -> None:
        try:
            number = float(stated)
        except OverflowError:
            raise ValueError("must be a number below 1e308") from None
        if not math.isfinite(number):
            raise ValueError(f"must be a finite number, got {number}")
        if number < self.least or (self.above and number == self.least):
            raise ValueError(f"must {'be above' if self.above else 'not be below'} {self.least:g}, got {number:g}")
        if number > self.most:
            raise ValueError(f"must not be above {self.most:g}, got {number:g}")
        if self.whole and number != int(number):
            raise ValueError(f"must be a whole number, got {number:g}")

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reading before the spread's own checks."""
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe both forms to editors."""
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if math.isfinite(self.least):
            number["exclusiveMinimum" if self.above else "minimum"] = self.least
        if math.isfinite(self.most):
            number["maximum"] = self.most
        spread = {
            "type": "object",
            "properties": {"low": number, "typical": number, "high": number},
            "required": ["low", "typical", "high"],
            "additionalProperties": False,
        }
        return {"anyOf": [number, spread]}
