"""Units in names: every number that a row type holds says its unit."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing

import pytest

import planner
import pricing
from planner.arrays import Figures
from planner.report.schema.option import OptionRecord

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

ROW_SAYS_IT = "the row's own column says the unit"
WITHOUT_UNIT: dict[str, tuple[str, str]] = {
    "OwnershipInput": ("low typical high", ROW_SAYS_IT),
    "Assumption": ("value low high least most", ROW_SAYS_IT),
    "Amount": ("least most", "bounds of the field that they stand beside"),
    "Bar": ("low high", "bounds of the assumption that the bar belongs to"),
    "Constant": ("value", ROW_SAYS_IT),
    "ReadRow": ("observed", ROW_SAYS_IT),
    "Range": ("low typical high", "the field that holds the range says the unit"),
    "Percentiles": ("mean p50 p90 p95 p99", "the field that holds them says the unit"),
    "Spread": ("input_cv output_cv score", "coefficients of variation and a standard score have none"),
    "Uncertain": ("low typical high least most", "the field that holds it says the unit"),
    "Architecture": ("*", "a model's shape, in the words of its configuration file"),
    "DiffusionPass": ("passes_if_guided frames_per_latent", "passes and frames are counted by their name"),
    "SpeechPass": ("decoder_layers", "layers are counted by their name"),
    "Requirements": ("tokens_total", "tokens are counted by their name"),
    "Layout": ("*", "degrees of parallelism, in the words of the trade"),
    "Recipe": ("*", "degrees of parallelism of a measured run, as Layout"),
    "OperatingPoint": ("concurrency", "requests in flight are counted by their name"),
    "Fleet": ("accelerators_used", "accelerators are counted by their name"),
    "Refusal": ("machines_needed", "machines are counted by their name"),
    "Crossing": ("at", "its own field says what is crossed: a month, a share or a price"),
    "Job": ("sequences", "sequences are counted by their name"),
    "Detail": ("expected predicted low high", "the row's metric says the unit, as in the measured tables"),
    "GroupReport": ("rows predicted refused", "rows are counted by their name"),
    "FileReport": ("rows predicted refused not_scored", "rows are counted by their name"),
    "Decision": ("resamples", "resamples are counted by their name"),
    "GpuDecision": (
        "going_on_gpus mean_gpus peak_gpus base_gpus gpus_per_machine idle_gpus trend_first_gpus trend_last_gpus",
        "accelerators are counted by their name",
    ),
    "Slice": ("max_instances", "slices are counted by their name"),
    "Place": ("gpus_per_machine", "accelerators are counted by their name"),
    "Trend": ("first_gpus last_gpus", "accelerators are counted by their name"),
    "Family": ("norms positions full_every", "a model's shape, in the words of its configuration file"),
    "Option": ("most_accelerators", "accelerators are counted by their name"),
    "Check": ("rows", "rows are counted by their name"),
    "Card": ("whole", "accelerators of a machine are counted by their name"),
    "Part": ("gpus", "accelerators are counted by their name"),
    "Curve": ("mean_gpus peak_gpus base_gpus", "accelerators are counted by their name"),
    "Stretch": ("gpus", "accelerators are counted by their name"),
    "Sku": ("gpus", "accelerators are counted by their name"),
    "EngineAddress": ("port", "a port has a number and no unit"),
    "Fault": ("rows", "rows are counted by their name"),
    "NonUsage": ("rows", "rows are counted by their name"),
    "Bill": (
        "rows gpu_rows unreadable_rows copied_rows first_hour end_hour",
        "rows, and points in time in hours since 1970",
    ),
    "Book": ("number", "a plan's place in a workbook of several"),
    "Sheet": ("number", "a plan's place in a workbook of several"),
    "PlanBook": ("number last_option last_server", "a plan's place in a workbook, and the last rows of its tables"),
    "Owner": ("card has_pod", "a place in a list, and yes, no or not told"),
    "Samples": ("rows", "rows are counted by their name"),
    "Records": ("rows", "rows are counted by their name"),
    "Usage": ("first_hour", "a point in time, in hours since 1970"),
    "Answers": ("shapes evaluations one_by_one", "each is counted by its name"),
    "Asked": ("row", "a place in the input has a number and no unit"),
    "Listed": ("row", "a place in a list has a number and no unit"),
    "Row": ("row", "a place in the input has a number and no unit"),
    "Block": ("number", "a block has a number and no unit"),
    "Report": ("number rows shapes evaluations one_by_one", "each is counted by its name"),
    "Pool": ("workloads peak_gpus", "workloads and accelerators are counted by their name"),
    "Shared": (
        "workloads apart_gpus peak_gpus mean_gpus owned_gpus committed_gpus",
        "workloads and accelerators are counted by their name",
    ),
    "Team": ("workloads no_answer gpus", "workloads and accelerators are counted by their name"),
    "PortfolioResult": ("shapes evaluations one_by_one blocks kept_blocks", "each is counted by its name"),
    "Turn": ("planned value", "the unit stands in the column unit"),
    "Answer": ("status", "HTTP's own status code"),
    "Request": ("give_up_at", "a reading of the monotonic clock, in its own seconds"),
}
"""Row types that hold numbers whose name cannot end in a unit: which, and why."""


def unit_of(name: str) -> str | None:
    """Return the longest registered suffix of a number's name, or None where it has none."""
    words = name.split("_")
    suffixes = ("_".join(words[start:]) for start in range(len(words)))
    return next((suffix for suffix in suffixes if suffix in UNITS), None)


def row_types() -> list[type]:
    found = []
    for package in (pricing, planner):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if dataclasses.is_dataclass(kind) and kind.__module__ == module.name and not name.startswith("_"):
                    found.append(kind)
    return found


def is_number(hint: object) -> bool:
    if hint == Figures:  # what formulas take, one number or an array
        return False
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return any(map(is_number, typing.get_args(hint)))
    return hint in {int, float}


def numbers_without_unit(row_type: type) -> list[str]:
    hints = typing.get_type_hints(row_type, localns={"OptionRecord": OptionRecord})  # imported for types alone
    return [
        field.name
        for field in dataclasses.fields(row_type)
        if is_number(hints[field.name]) and unit_of(field.name) is None
    ]


@pytest.mark.parametrize("row_type", row_types(), ids=lambda kind: kind.__name__)
def test_every_number_ends_in_a_registered_unit(row_type: type) -> None:
    allowed = WITHOUT_UNIT.get(row_type.__name__, ("", ""))[0].split()
    bare = [name for name in numbers_without_unit(row_type) if name not in allowed and allowed != ["*"]]
    assert bare == [], f"{row_type.__name__} holds numbers without a unit; register a suffix in UNITS first"


@pytest.mark.parametrize("name", sorted(WITHOUT_UNIT))
def test_an_exception_that_is_no_longer_needed_goes(name: str) -> None:
    excused = WITHOUT_UNIT[name][0].split()
    for row_type in (kind for kind in row_types() if kind.__name__ == name):
        bare = numbers_without_unit(row_type)
        assert bare if excused == ["*"] else set(excused) <= set(bare)


def test_the_row_types_are_found() -> None:
    assert {"Offer", "Accelerator", "ServerQuote", "Region"} <= {kind.__name__ for kind in row_types()}


def test_every_unit_is_told_in_words() -> None:
    assert all(meaning.strip() for meaning in UNITS.values())


@pytest.mark.parametrize("name", ["price", "speed", "memory_mib_usable", "gpus"])
def test_a_name_without_a_registered_unit_has_none(name: str) -> None:
    assert unit_of(name) is None
