"""The columns of a FOCUS bill, of any version and storage, as one row type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from planner.engine import Engine

if TYPE_CHECKING:
    from ibis.expr.types import Column, Table

__all__ = ["MANDATORY", "NEEDED", "canonical", "missing_columns", "version_of"]

MANDATORY = ("BillingCurrency", "ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart", "EffectiveCost")
"""Without these a row has no time, no cost or no meaning."""

PROVIDER = ("ServiceProviderName", "ProviderName", "HostProviderName", "PublisherName")
QUANTITY = ("ConsumedQuantity", "PricingQuantity")
METER = ("SkuMeter", "x_SkuMeterName", "x_UsageType", "x_SkuDescription", "x_InstanceType", "x_SkuInstanceType")
DESCRIPTION = ("ChargeDescription",)
"""Read only where no other column says what was bought (FOCUS 1.0): it is long, and some write of each resource its own."""
NUMBERS = ("EffectiveCost", "ListCost", "ContractedCost", "BilledCost", "ConsumedQuantity", "PricingQuantity", "CommitmentDiscountQuantity")  # fmt: skip
TIMES = ("ChargePeriodStart", "ChargePeriodEnd")
TEXTS = {
    "category": ("ChargeCategory",),
    "charge_class": ("ChargeClass",),
    "currency": ("BillingCurrency",),
    "provider": PROVIDER,
    "account": ("SubAccountId", "BillingAccountId"),
    "region": ("RegionId", "RegionName"),
    "details": ("SkuPriceDetails", "x_SkuDetails"),
    "meter": METER,
    "resource_type": ("ResourceType",),
    "consumed_unit": ("ConsumedUnit",),
    "pricing_unit": ("PricingUnit",),
    "pricing_category": ("PricingCategory",),
    "commitment_id": ("CommitmentDiscountId",),
    "commitment_category": ("CommitmentDiscountCategory",),
    "commitment_type": ("CommitmentDiscountType",),
    "commitment_status": ("CommitmentDiscountStatus",),
    "commitment_unit": ("CommitmentDiscountUnit",),
    "reservation_status": ("CapacityReservationStatus",),
    "resource": ("ResourceId",),
    "sku": ("SkuPriceId", "SkuId"),
    "frequency": ("ChargeFrequency",),
}
"""Our name of a text, and the columns that may hold it; the first that does counts."""

NEEDED = tuple(
    dict.fromkeys([*MANDATORY, *NUMBERS, *(name for names in TEXTS.values() for name in names), *DESCRIPTION, "Tags"])
)
"""Every column that is read; a bill has some fifty."""

VERSION_SIGNS = (("1.3", ("ServiceProviderName", "AllocatedMethodId", "ContractApplied")), ("1.2", ("InvoiceId", "PricingCurrency", "BillingAccountType")), ("1.1", ("SkuPriceDetails", "SkuMeter", "CapacityReservationId")))  # fmt: skip
EMPTY_WORDS = ("NULL", "null", "None")


def version_of(columns: Iterable[str]) -> str:
    """Return the version of the specification whose columns these are, as far as they tell.

    Examples
    --------
    >>> version_of(["EffectiveCost"]), version_of(["SkuMeter", "InvoiceId"])
    ('1.0', '1.2')
    """
    names = set(columns)
    return next((version for version, signs in VERSION_SIGNS if names & set(signs)), "1.0")


def missing_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns without which a file cannot be read; of alternatives, all in one text."""
    names = set(columns)
    missing = [name for name in MANDATORY if name not in names]
    if not names & set(QUANTITY):
        missing.append(" or ".join(QUANTITY))
    if not names & {*METER, *DESCRIPTION, "SkuPriceDetails", "x_SkuDetails", "ResourceType"}:
        missing.append("SkuPriceDetails or SkuMeter or ChargeDescription")
    if not names & {*PROVIDER}:
        missing.append(" or ".join(PROVIDER[:2]))
    return tuple(missing)


def canonical(engine: Engine, raw: Table, schema: Mapping[str, Any], *, is_text: bool, tag: str = "") -> Table:
    """Return the rows of one group of files under our own names and types.

    Parameters
    ----------
    engine : Engine
        Where the expression will run.
    raw : Table
        The files' columns as they are stored.
    schema : mapping of str to ibis data type
        Of `raw`.
    is_text : bool
        Whether the files are CSV, where every value is text that may be empty or unreadable.
    tag : str
        The tag whose value is wanted.

    Returns
    -------
    Table
        Text (null, or empty, where nothing stands), numbers, times in seconds since 1970, and `unreadable`: the first
        column that a row cannot do without and that holds nothing readable, empty where there is none.
    """
    import ibis

    def text_of(name: str) -> Column:
        column = raw[name] if schema[name].is_string() else raw[name].cast("string")
        if is_text:
            column = ibis.cases(*((column == word, None) for word in EMPTY_WORDS), else_=column)
        return column

    def text(names: Iterable[str]) -> Column:
        there = [name for name in names if name in schema]
        if not there:
            return ibis.null("string")
        # Columns are handed on as they are stored where that is possible: engines group dictionaries far faster than text.
        return text_of(there[0]) if len(there) == 1 else ibis.coalesce(*(text_of(name).nullif("") for name in there))

    def number(name: str) -> Column:
        if name not in schema:
            return ibis.null("float64")
        return text_of(name).try_cast("float64") if schema[name].is_string() else raw[name].cast("float64")

    def time(name: str) -> Column:
        column = raw[name]
        if schema[name].is_string():
            column = text_of(name).try_cast("timestamp('UTC')")
        return engine.seconds_of(column)

    columns: dict[str, Column] = {ours: text(names) for ours, names in TEXTS.items()}
    columns["description"] = ibis.null("string")
    if not {*METER, "SkuPriceDetails", "x_SkuDetails"} & set(schema):
        columns["description"] = text(DESCRIPTION)
    columns |= {_snake(name): number(name) for name in NUMBERS}
    columns |= {"starts_s": time(TIMES[0]), "ends_s": time(TIMES[1])}
    has_text_tags = "Tags" in schema and schema["Tags"].is_string()
    # A map has no text that two engines agree on; of a row's copies it is equal anyway.
    columns["tags"] = text_of("Tags") if has_text_tags else ibis.null("string")
    columns["tag"] = _tag(raw, schema, text_of, tag) if tag else ibis.null("string")
    named = raw.select(**columns)
    return named.mutate(unreadable=_unreadable(named))


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


def _unreadable(rows: Table) -> Column:
    import ibis

    return ibis.cases(
        (rows.starts_s.isnull(), "ChargePeriodStart"),
        (rows.ends_s.isnull(), "ChargePeriodEnd"),
        (rows.effective_cost.isnull() | rows.effective_cost.isnan(), "EffectiveCost"),
        (rows.currency.isnull() | (rows.currency == ""), "BillingCurrency"),
        (rows.category.isnull() | (rows.category == ""), "ChargeCategory"),
        else_="",
    )


def _tag(raw: Table, schema: Mapping[str, Any], text_of: Callable[[str], Column], tag: str) -> Column:
    import re

    import ibis

    if "Tags" not in schema:
        return ibis.null("string")
    if schema["Tags"].is_map():
        return raw["Tags"].get(tag).cast("string")
    pattern = rf'"{re.escape(tag)}"\s*:\s*"((?:[^"\\]|\\.)*)"'
    return text_of("Tags").re_extract(pattern, 1)
