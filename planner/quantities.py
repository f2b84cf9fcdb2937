"""Quantities as people write them: ``10k``, ``50M``, ``1T``."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_]*)?\.?\d+)\s*([kmbgt])\s*", re.IGNORECASE)
_UNITS = {"_b": 10**9, "_m": 10**6}
"""Keys that count in billions or millions say so at their end."""


def quantity(text: str, key: str = "") -> float | None:
    """Return the number that a text such as ``10k`` stands for, in the unit of its key; None where it is no such text.

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
