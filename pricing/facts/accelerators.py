"""Accelerators: all that are known, under one canonical name each, and which one a name means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

from pricing.errors import PricingError
from pricing.facts.accelerator_names import Name, read_name, split_count
from pricing.facts.accelerator_rows import RATES, Accelerator, slice_of
from pricing.tables import read_facts

UNRATED = frozenset({"gaudi"})
"""Known accelerators whose rates nobody published: the first Gaudi (HL-205, AWS dl1)."""


@cache
def _stated() -> tuple[Accelerator, ...]:
    """Return the accelerators of the two tables: the one that is made from a survey, and the one kept by hand."""
    return read_facts(Accelerator, "accelerators.csv") + read_facts(Accelerator, "accelerators_by_hand.csv")


def _weakest(name: str, variants: Sequence[Accelerator]) -> Accelerator:
    """Return the accelerator of which each figure is the worst among `variants`.

    A fabric counts only where every variant has a switched one: the bridge of a PCIe card is an extra that an offer
    without a form factor does not promise. Board power is the highest, since it is paid for.
    """

    def least(field: str, of: Callable[[Sequence[float]], float] = min) -> float | None:
        values = [getattr(variant, field) for variant in variants]
        stated = [value for value in values if value is not None]
        return of(stated) if len(stated) == len(values) else None

    switched = all(variant.scale_up_count > 4 for variant in variants)
    first = variants[0]
    fields = (*RATES, "memory_gib", "memory_bandwidth_gb_per_s", "launch_year", "retrieved_on")
    worst: dict[str, Any] = {field: least(field) for field in fields}
    return replace(
        first,
        name=name,
        **worst,
        scale_up_gb_per_s_both_ways=min(v.scale_up_gb_per_s_both_ways for v in variants) if switched else 0.0,
        scale_up_count=min(v.scale_up_count for v in variants) if switched else 1,
        pcie_generation=min((v.pcie_generation for v in variants if v.pcie_generation), default=None),
        tdp_w=least("tdp_w", max),
        list_price_usd=None,
        source="the weakest figure of " + ", ".join(variant.name for variant in variants),
        notes="form factor unknown: every figure is the weakest of the variants with this memory, no bridge assumed",
    )


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """Return the names that stand for a model and memory whose form factor is unknown, with their variants.

    Examples
    --------
    >>> families()["A100-80GB"]
    ('A100-80GB-PCIe', 'A100-80GB-SXM')
    >>> len(families()["RTX PRO 6000 Blackwell"])  # the tables have a row for the card itself
    2
    """
    named = {(read_name(row.name), row.memory_nominal_gb): row.name for row in _stated()}
    groups: dict[str, list[str]] = {}
    for row in _stated():
        name = read_name(row.name)
        if name.form:
            family = named.get((replace(name, form=""), row.memory_nominal_gb))
            groups.setdefault(family or f"{name.model.upper()}-{row.memory_nominal_gb:g}GB", []).append(row.name)
    return MappingProxyType({name: tuple(sorted(group)) for name, group in sorted(groups.items()) if len(group) > 1})


@cache
def card_of(name: str) -> str:
    """Return the card of which an accelerator is an edition, else its own name: what is measured of one holds for the other's shares.

    Examples
    --------
    >>> card_of("RTX PRO 6000 Blackwell Server Edition"), card_of("H100-SXM")
    ('RTX PRO 6000 Blackwell', 'H100-SXM')
    """
    stated = {row.name for row in _stated()}
    return next((card for card, editions in families().items() if name in editions and card in stated), name)


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Return every accelerator by its canonical name, families with an unknown form factor among them.

    Examples
    --------
    >>> accelerators()["H100-SXM"].memory_bandwidth_gb_per_s
    3350.0
    >>> accelerators()["A100-80GB"].memory_bandwidth_gb_per_s  # the PCIe card's, the weaker of the two
    1935.0
    """
    rows: dict[str, Accelerator] = {}
    for row in _stated():
        if row.name in rows:
            raise ValueError(f"accelerator {row.name} appears twice")
        rows[row.name] = row
    for name, variants in families().items():
        if name not in rows:
            rows[name] = _weakest(name, [rows[variant] for variant in variants])
    return MappingProxyType(dict(sorted(rows.items())))


@cache
def _variants_by_model() -> Mapping[str, tuple[Accelerator, ...]]:
    """Return the accelerators that share a model; a GeForce or RTX card answers to its number alone as well."""
    by_model: dict[str, list[Accelerator]] = {}
    for row in _stated():
        by_model.setdefault(read_name(row.name).model, []).append(row)
    short: dict[str, list[Accelerator]] = {}
    for model, rows in by_model.items():
        for prefix in ("rtx", "gtx", "tpu", "radeon", "radeonrx", "radeonpro", "radeonaipro", "arc", "arcpro"):
            if model.startswith(prefix):
                short.setdefault(model.removeprefix(prefix), []).extend(rows)
    return {model: tuple(rows) for model, rows in {**short, **by_model}.items()}


def _matches(text: str) -> tuple[Name, tuple[Accelerator, ...]]:
    """Return what the name says and every variant that agrees; no variant where the model is unknown."""
    name = read_name(text)
    models = _variants_by_model()
    if name.model not in models and name.memory_gb is None:
        # "a100 80": a memory size without its unit
        matches = [
            m for m in models if name.model.startswith(m) and re.fullmatch(r"[1-9]\d+", name.model.removeprefix(m))
        ]
        if matches:
            model = max(matches, key=len)
            name = replace(name, model=model, memory_gb=float(name.model.removeprefix(model)))
    rows = tuple(
        row for row in models.get(name.model, ()) if name.vendor in {"", row.vendor} and row.name not in families()
    )
    if name.memory_gb is not None:
        size = name.memory_gb
        exact = [row for row in rows if row.memory_nominal_gb == size]
        # Some sources count usable or raw memory (B300: 262 of 288); the nearest within a tenth is meant, so 40 is never 80.
        near = sorted(
            (row for row in rows if abs(row.memory_nominal_gb - size) <= 0.1 * row.memory_nominal_gb),
            key=lambda row: abs(row.memory_nominal_gb - size),
        )
        rows = tuple(exact or [row for row in near if row.memory_nominal_gb == near[0].memory_nominal_gb])
    else:
        # A rare variant that is named after a common one is meant only when its memory is said (H100-SXM-96GB-HBM2e), or its edition.
        endings = ("-",) if name.form else ("-", " ")
        rows = tuple(
            row
            for row in rows
            if not any(row.name.startswith(f"{other.name}{end}") for other in rows for end in endings)
        )
    if name.form not in {"", "any"}:
        forms = {row.name: read_name(row.name).form for row in rows}
        exact = [row for row in rows if forms[row.name] == name.form]
        rows = tuple(exact or [row for row in rows if not forms[row.name]])
    return name, rows


def resolve_all(text: str) -> tuple[Accelerator, ...]:
    """Return every accelerator that a name may mean, as a filter needs it; a count in it is passed over.

    Parameters
    ----------
    text : str
        ``H100`` (all of them), ``a100-80gb`` (SXM, PCIe and those whose form factor is unknown), ``RTX 4090``.

    Raises
    ------
    PricingError
        No known accelerator is called so; the nearest names are told.

    Examples
    --------
    >>> [row.name for row in resolve_all("a100 40gb")]
    ['A100-40GB', 'A100-40GB-PCIe', 'A100-40GB-SXM']
    """
    wanted, _ = split_count(text)
    by_name = accelerators()
    if wanted in by_name and wanted not in families():
        return (by_name[wanted],)
    name, rows = _matches(wanted)
    names = {row.name for row in rows}
    if not names:
        raise _unknown(wanted, name)
    unsure = {family for family, variants in families().items() if names.intersection(variants)}
    if name.form == "any":
        names = unsure or names
    elif not name.form:
        names |= unsure
    return tuple(by_name[name] for name in sorted(names))


def resolve(text: str) -> tuple[Accelerator, float | None]:
    """Return the one accelerator that a name means, and how many are asked for.

    Parameters
    ----------
    text : str
        ``H100-SXM``, ``h100-80gb-sxm:8``, ``h100-sxm/3g.40gb`` (a MIG slice), ``8xA100-80GB-PCIe``, ``NVIDIA H100 80GB HBM3``, ``rtx-4090``; with ``any`` for the
        form factor (``h100-80gb-any``) the weakest of the variants with that memory.

    Returns
    -------
    tuple of Accelerator and (float or None)
        None where no count is said.

    Raises
    ------
    PricingError
        The name is unknown (the nearest known ones are told) or means several (they are listed).

    Examples
    --------
    >>> machine, count = resolve("h100-80gb-sxm:8")
    >>> machine.name, count
    ('H100-SXM', 8.0)
    """
    wanted, count = split_count(text)
    name, _, part = wanted.partition("/")
    if part and re.match(r"\dg\.|standard|g\dr?f?\.", part.strip().lower()):
        whole, _ = resolve(name)
        return slice_of(whole, part), count
    rows = resolve_all(wanted)
    if card := [row for row in rows if row.name in families() and row in _stated()]:
        return card[0], count
    if read_name(wanted).form != "any":
        rows = tuple(row for row in rows if row.name not in families())
    if len(rows) > 1:
        listed = ", ".join(f"{row.name} ({row.memory_nominal_gb:g} GB)" for row in rows)
        raise PricingError(
            f"which {wanted[:60]} is meant? It comes as {listed}", hint=f"name one of them, for example {rows[0].name}"
        )
    return rows[0], count


def _unknown(text: str, name: Name) -> PricingError:
    rows = _variants_by_model().get(name.model, ())
    if rows:
        listed = ", ".join(f"{row.name} ({row.memory_nominal_gb:g} GB)" for row in rows)
        return PricingError(f"there is no {text[:60]}; known of this model: {listed}")
    models = _variants_by_model()
    if name.model in UNRATED:
        return PricingError(
            f"{text[:60]} is known, but its maker never published its rates, so no speed of it can be predicted"
        )
    close = difflib.get_close_matches(name.model, models, n=3, cutoff=0.6)
    # A word too many ("M3 Ultra") or too few ("RTX"): the models that begin as it does.
    close = close or sorted(key for key in models if name.model.startswith(key) or key.startswith(name.model))[:3]
    near = list(dict.fromkeys(row.name for key in close for row in models[key]))
    return PricingError(
        f"unknown accelerator {text[:60]!r}" + (f"; did you mean {', '.join(near)}?" if near else ""),
        hint="`gpuplan gpus` lists every accelerator that is known",
    )
