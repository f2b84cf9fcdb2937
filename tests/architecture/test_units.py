"""Units in names: every number that a row type holds says its unit."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing

import pytest

import pricing
from pricing.units import UNITS, unit_of

WITHOUT_UNIT = {
    ("OwnershipInput", "low"): "the row's own column `unit` says it",
    ("OwnershipInput", "typical"): "the row's own column `unit` says it",
    ("OwnershipInput", "high"): "the row's own column `unit` says it",
}
"""Numbers whose name cannot end in a unit, and why."""

# An adapter's module needs its SDK, and the parts of a provider's answer keep the provider's own words.
OUTSIDE = ("pricing.providers", "pricing.store")


def row_types() -> list[type]:
    found = []
    for module in pkgutil.walk_packages(pricing.__path__, "pricing."):
        if module.name.startswith(OUTSIDE) or module.name.endswith("__main__"):
            continue
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if dataclasses.is_dataclass(kind) and kind.__module__ == module.name:
                found.append(kind)
    return found


def is_number(hint: object) -> bool:
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return any(map(is_number, typing.get_args(hint)))
    return hint in {int, float}


@pytest.mark.parametrize("row_type", row_types(), ids=lambda kind: kind.__name__)
def test_every_number_ends_in_a_registered_unit(row_type: type) -> None:
    hints = typing.get_type_hints(row_type)
    bare = [
        field.name
        for field in dataclasses.fields(row_type)
        if is_number(hints[field.name])
        and unit_of(field.name) is None
        and (row_type.__name__, field.name) not in WITHOUT_UNIT
    ]
    assert bare == [], f"{row_type.__name__} holds numbers without a unit; register a suffix in pricing.units first"


def test_the_exceptions_are_still_needed() -> None:
    fields = {(kind.__name__, field.name) for kind in row_types() for field in dataclasses.fields(kind)}
    assert set(WITHOUT_UNIT) <= fields


def test_the_row_types_are_found() -> None:
    assert {"Offer", "Accelerator", "ServerQuote", "Region"} <= {kind.__name__ for kind in row_types()}


def test_every_unit_is_told_in_words() -> None:
    assert all(meaning.strip() for meaning in UNITS.values())


@pytest.mark.parametrize("name", ["price", "speed", "memory_mib_usable", "gpus"])
def test_a_name_without_a_registered_unit_has_none(name: str) -> None:
    assert unit_of(name) is None
