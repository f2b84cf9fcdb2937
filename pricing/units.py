"""Units: the suffixes that a number's name may end with, and what each means."""

from __future__ import annotations

HOURS_PER_MONTH = 730.0
"""Clock hours of a mean month, 8,760 / 12."""

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
    "units_per_machine": "units of demand that one machine serves, in the unit of the demand curve",
    "machines": "machines",
    "fte": "people in full-time work",
    "gpus_per_fte": "GPUs that one person in full-time work looks after",
    "tokens": "tokens of a language model",
    "images": "images",
    "requests": "requests to a service",
    "documents": "documents to embed",
    "pixels": "pixels of one image",
    "parameters": "numbers that a model has learned",
    "draws": "random draws",
    "percentile": "share of cases that do not exceed a value, in percent",
    "generation": "number in the standard's own count",
    "year": "calendar year, CE",
    # memory and its speed
    "bytes": "bytes",
    "bytes_per_request": "bytes, for one request in flight",
    "gb": "1e9 bytes, the data sheet's gigabyte",
    "gib": "2**30 bytes",
    "mt_per_s": "1e6 transfers per second",
    "gb_per_s": "1e9 bytes per second",
    "gb_per_s_both_ways": "1e9 bytes per second, both directions together",
    "gb_per_s_each_way": "1e9 bytes per second in each direction",
    # arithmetic
    "flop": "floating-point operations, a multiply-add counted as two",
    "flop_per_token": "floating-point operations for one token",
    "flop_per_unit": "floating-point operations for one unit of work, which a field beside it names",
    "flop_per_s": "floating-point operations per second",
    "tflop_per_s": "1e12 operations per second",
    "flop_per_cycle": "operations per clock cycle of one core, a multiply-add counted as two",
    "ghz": "1e9 clock cycles per second",
    # power
    "w": "watt",
    "kw": "kilowatt",
    "kw_per_machine": "kilowatt drawn by one machine",
    # time
    "s": "second",
    "ms": "1e-3 second",
    "minutes": "minute",
    "hours": "hour",
    "hours_per_run": "hour, of one run of a job",
    "hours_per_month": "hour in a month of 730 hours",
    "month": "number of a month, counted from today, which is 0; a fraction lies within it",
    "months": "month of 730 hours",
    "years": "year of 8,760 hours",
    "runs_per_month": "runs of a job in a month",
    "days": "day",
    # money
    "usd": "US dollar",
    "usd_per_hour": "US dollar per hour",
    "usd_per_kwh": "US dollar per kilowatt-hour",
    "usd_per_month": "US dollar per month",
    "usd_per_machine": "US dollar for one machine",
    "usd_per_machine_hour": "US dollar per machine and hour, used or not",
    "usd_per_unit_hour": "US dollar per unit of demand that is served for an hour",
    "usd_per_kw_month": "US dollar per kilowatt of contract and month",
    "usd_per_gpu_hour": "US dollar per accelerator and hour",
    "usd_per_used_hour": "US dollar per hour of a machine's work",
    "usd_per_useful_gpu_hour": "US dollar per hour in which one accelerator did useful work",
    "usd_per_thousand_images": "US dollar for 1e3 images",
    "usd_per_eur": "US dollar for one euro",
    "usd_per_million_tokens": "US dollar for 1e6 tokens",
    "units_per_hour": "compute units per hour",
    # ratios
    "share": "0..1",
    "share_of_demand": "0..1 of the demand",
    "ratio": "one amount over another of the same kind",
    # rates of work, and what it leaves behind
    "tokens_per_s": "tokens per second",
    "kg_per_month": "kilogram per month",
    "kwh": "kilowatt-hour",
    "kwh_per_month": "kilowatt-hour in a month",
    "g_co2e_per_kwh": "gram of CO2 equivalent per kilowatt-hour",
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
