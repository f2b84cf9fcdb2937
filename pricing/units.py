"""Units: the suffixes that a number's name may end with, and what each means."""

from __future__ import annotations

__all__ = ["UNITS", "unit_of"]

UNITS: dict[str, str] = {
    # amounts of things
    "count": "things, a fraction where slices are sold",
    "vcpus": "hardware threads or cores, as the provider counts them",
    "cores": "physical cores",
    "cores_per_socket": "physical cores in one socket",
    "vcpus_per_core": "vCPUs that share one physical core",
    "sockets": "processor sockets",
    "channels": "memory channels",
    "quantity": "units of what is sold; the row's name says which",
    "units": "compute units, as the provider defines them",
    "generation": "number in the standard's own count",
    "year": "calendar year, CE",
    # memory and its speed
    "bytes": "bytes",
    "gb": "1e9 bytes, the data sheet's gigabyte",
    "gib": "2**30 bytes",
    "mt_per_s": "1e6 transfers per second",
    "gb_per_s": "1e9 bytes per second",
    "gb_per_s_both_ways": "1e9 bytes per second, both directions together",
    "gb_per_s_each_way": "1e9 bytes per second in each direction",
    # arithmetic
    "flop": "floating-point operations, a multiply-add counted as two",
    "flop_per_s": "floating-point operations per second",
    "tflop_per_s": "1e12 operations per second",
    "flop_per_cycle": "operations per clock cycle of one core, a multiply-add counted as two",
    "ghz": "1e9 clock cycles per second",
    # power
    "w": "watt",
    "kw": "kilowatt",
    # time
    "s": "second",
    "ms": "1e-3 second",
    "hours": "hour",
    "hours_per_run": "hour, of one run of a job",
    "hours_per_month": "hour in a month of 730 hours",
    "months": "month of 730 hours",
    "days": "day",
    # money
    "usd": "US dollar",
    "usd_per_hour": "US dollar per hour",
    "usd_per_kwh": "US dollar per kilowatt-hour",
    "usd_per_month": "US dollar per month",
    "usd_per_eur": "US dollar for one euro",
    "usd_per_million_tokens": "US dollar for 1e6 tokens",
    "units_per_hour": "compute units per hour",
    # ratios
    "share": "0..1",
    "ratio": "one amount over another of the same kind",
    "tokens_per_s": "tokens per second",
}
"""Suffix of a name -> what it means. A new unit enters here first."""


def unit_of(name: str) -> str | None:
    """Return the longest registered suffix of a number's name, or None where it has none.

    Parameters
    ----------
    name : str
        Field, column or option (``price_usd_per_hour``).

    Examples
    --------
    >>> unit_of("price_usd_per_hour")
    'usd_per_hour'
    >>> unit_of("vcpus")
    'vcpus'
    >>> unit_of("price") is None
    True
    """
    words = name.split("_")
    for start in range(len(words)):
        suffix = "_".join(words[start:])
        if suffix in UNITS:
            return suffix
    return None
