"""The columns of a FOCUS bill, of any version and storage, as one row type; and a quick test of which rows can be of accelerators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.engine.session import Engine
from planner.usage.charge_roles import HARDWARE_WORDS, OWN_NAMES, SIGN_WORDS
from planner.usage.hours import LONGEST_S, SINCE_S, UNTIL_S

if TYPE_CHECKING:
    from ibis.expr.types import Column, Table

Narrowing = tuple[tuple[str, tuple[str | None, ...]], ...]
MOST_COLUMNS = 3
MOST_VALUES = 1000
LEAST_GAIN = 0.9
"""A further column has to leave no more than this share of the rows."""


MANDATORY = ("BillingCurrency", "ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart", "EffectiveCost")
"""Without these a row has no time, no cost or no meaning."""
PROVIDER = ("ServiceProviderName", "ProviderName", "HostProviderName", "PublisherName")
QUANTITY = ("ConsumedQuantity", "PricingQuantity", "UsageQuantity")
"""The last is FOCUS 1.0-preview's, as Region, UsageUnit and ChargeSubcategory are."""
METER = ("SkuMeter", "x_SkuMeterName", "x_UsageType", "x_SkuDescription", "x_InstanceType", "x_SkuInstanceType")
DESCRIPTION = ("ChargeDescription",)
"""Read only where no other column says what was bought (FOCUS 1.0): it is long, and some write of each resource its own."""
NUMBERS = {
    "effective_cost": ("EffectiveCost",),
    "list_cost": ("ListCost",),
    "contracted_cost": ("ContractedCost",),
    "billed_cost": ("BilledCost",),
    "consumed_quantity": ("ConsumedQuantity", "UsageQuantity"),
    "pricing_quantity": ("PricingQuantity",),
}
TIMES = {"starts_s": "ChargePeriodStart", "ends_s": "ChargePeriodEnd"}
TEXTS = {
    "category": ("ChargeCategory",),
    "charge_class": ("ChargeClass",),
    "currency": ("BillingCurrency",),
    "provider": PROVIDER[:2],
    "account": ("SubAccountId", "BillingAccountId"),
    "region": ("RegionId", "RegionName", "Region"),
    "service": ("ServiceName",),
    "details": ("SkuPriceDetails", "x_SkuDetails"),
    "meter": METER,
    "resource_type": ("ResourceType",),
    "consumed_unit": ("ConsumedUnit", "UsageUnit"),
    "pricing_unit": ("PricingUnit",),
    "pricing_category": ("PricingCategory",),
    "commitment_id": ("CommitmentDiscountId",),
    "commitment_category": ("CommitmentDiscountCategory",),
    "commitment_status": ("CommitmentDiscountStatus", "ChargeSubcategory"),
    "reservation_id": ("CapacityReservationId",),
    "reservation_status": ("CapacityReservationStatus",),
    "resource": ("ResourceId",),
    "allocated": ("AllocatedResourceId",),
    "sku": ("SkuPriceId", "SkuId"),
}
"""Our name of a text, and the columns that may hold it; the first that does counts."""
NEEDED = tuple(
    dict.fromkeys(
        [
            *MANDATORY,
            *(name for names in (*NUMBERS.values(), *TEXTS.values()) for name in names),
            *DESCRIPTION,
            "Tags",
            "AllocatedTags",
        ]
    )
)
"""Every column that is read; a bill has some fifty."""
VERSION_SIGNS = (("1.3", ("ServiceProviderName", "AllocatedMethodId", "ContractApplied")), ("1.2", ("InvoiceId", "PricingCurrency", "BillingAccountType")), ("1.1", ("SkuPriceDetails", "SkuMeter", "CapacityReservationId")))  # fmt: skip
UNREADABLE = ("", "ChargePeriodStart", "ChargePeriodEnd", "EffectiveCost", "BillingCurrency", "ChargeCategory")
MOST = 9e9
"""No charge costs so much in any currency; as billionths it would fit no whole number of 64 bits."""
NAMED_RESERVATION = r"(?i)/capacityReservations/|\bprojects/.*/reservations/"
EMPTY_WORDS = ("NULL", "null", "None")


def narrowing_of(kinds: Sequence[Mapping[str, Any]], marks: Collection[Any], words: Sequence[str]) -> Narrowing:
    """Return columns and the values in them that every charge of an accelerator has, and few others.

    Parameters
    ----------
    kinds : sequence of mapping
        The kinds of charges, each with its ``rows`` and ``sku_mark``.
    marks : collection
        Of those that are of accelerators.
    words : sequence of str
        Columns to choose from.

    Examples
    --------
    >>> kinds = [{"rows": 9, "sku_mark": 1, "meter": "m7i"}, {"rows": 1, "sku_mark": 2, "meter": "p5"}]
    >>> narrowing_of(kinds, {2}, ["meter"])
    (('meter', ('p5',)),)
    """
    ours = [row for row in kinds if row["sku_mark"] in marks]
    values = {name: {row[name] for row in ours} for name in words}
    left, chosen = list(kinds), list[str]()
    while len(chosen) < MOST_COLUMNS:
        few = [name for name in words if len(values[name]) <= MOST_VALUES and name not in chosen]
        through = {name: sum(row["rows"] for row in left if row[name] in values[name]) for name in few}
        best = min(through, key=lambda name: through[name], default="")
        if not best or through[best] > LEAST_GAIN * sum(row["rows"] for row in left):
            break
        chosen.append(best)
        left = [row for row in left if row[best] in values[best]]
    return tuple((name, tuple(sorted(values[name], key=str))) for name in chosen)


def is_one_of(column: Column, values: Sequence[str | None]) -> Column:
    """Return whether a column has one of these values, which may be none at all."""
    there = column.isin([value for value in values if value is not None])
    return there | column.isnull() if None in values else there


def version_of(columns: Iterable[str]) -> str:
    """Return the version of the specification that these columns follow, as far as they show it.

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


class Columns:
    """Our own columns over a table that has a bill's; each is made when it is asked for.

    A query asks for the cheap ones, filters by them, and then for the others over what is left: an engine computes what
    stands below a filter for every row.

    Parameters
    ----------
    engine : Engine
        Where the expression will run.
    table : Table
        Has the columns of `schema`, perhaps among others.
    schema : mapping of str to ibis data type
        The bill's columns.
    is_text : bool
        Whether the files are CSV, where every value is text that may be empty or unreadable.
    tag : str
        The tag whose value is wanted.
    """

    def __init__(
        self, engine: Engine, table: Table, schema: Mapping[str, Any], *, is_text: bool, tag: str = ""
    ) -> None:
        self.engine = engine
        self.table = table
        self.schema = schema
        self.is_text = is_text
        self.tag = tag

    def of(self, name: str) -> Column:
        """Return one column: text (null or empty where blank), a number, or seconds since 1970."""
        import ibis

        match name:
            case "starts_s" | "ends_s":
                return self.engine.seconds_of(self._time(TIMES[name]))
            case "tag":
                return self._tag() if self.tag else ibis.null("string")
            case "unreadable":
                return self._unreadable()
            case "charge_words":
                return self._charge_words()
            case "commitment_status":
                return self._commitment_status()
            case "is_costless":
                return self._is_blank("EffectiveCost").cast("int64")
            case "is_split":
                name = "AllocatedResourceId"
                return (~self._is_blank(name)).cast("int64") if name in self.schema else ibis.literal(0).cast("int64")
            case "reservation_status":
                # Azure and Google bill unused reserved capacity under the reservation's own name.
                said, resource = self._text(TEXTS[name]), self._text(TEXTS["resource"])
                is_idle = resource.re_search(NAMED_RESERVATION) & (self.of("effective_cost") > 0)
                return ibis.cases((is_idle & (said.fill_null("") == ""), "Unused"), else_=said)
            case "description":
                has_better = {*METER, "SkuPriceDetails", "x_SkuDetails"} & set(self.schema)
                return ibis.null("string") if has_better else self._text(DESCRIPTION)
            case "effective_cost":
                # GPU clouds export quantities without a cost. A blank cost counts as 0; a cost that is not a number is left out.
                return ibis.cases((self._is_blank("EffectiveCost"), 0.0), else_=self._number(NUMBERS[name]))
            case _ if name in NUMBERS:
                return self._number(NUMBERS[name])
            case _:
                return self._text(TEXTS[name])

    def named(self, names: Iterable[str]) -> dict[str, Column]:
        """Return several columns by their names."""
        return {name: self.of(name) for name in names}

    def is_readable(self) -> list[Column]:
        """Return the conditions of a row that can be read; one for each column, so that a store can pass over pages."""
        currency, costless = self.of("currency"), self._is_blank("EffectiveCost")
        conditions: list[Column] = [self._time(name).notnull() for name in TIMES.values()]
        conditions += [self.of(name).between(SINCE_S, UNTIL_S) for name in TIMES]
        conditions.append(self.of("ends_s") - self.of("starts_s") <= LONGEST_S)
        cost = self.of("effective_cost")
        return [*conditions, cost.notnull(), cost.abs() < MOST, (currency.notnull() & (currency != "")) | costless]

    def _text_of(self, name: str) -> Column:
        import ibis

        column = self.table[name] if self.schema[name].is_string() else self.table[name].cast("string")
        if self.is_text:
            column = ibis.cases(*((column == word, None) for word in EMPTY_WORDS), else_=column)
        return column

    def _text(self, names: Iterable[str]) -> Column:
        import ibis

        there = [name for name in names if name in self.schema]
        if not there:
            return ibis.null("string")
        # Columns are handed on as they are stored where that is possible: engines group dictionaries far faster than text.
        if len(there) == 1:
            return self._text_of(there[0])
        return ibis.coalesce(*(self._text_of(name).nullif("") for name in there))

    def _number(self, names: Iterable[str]) -> Column:
        import ibis

        there = [name for name in names if name in self.schema]
        if not there:
            return ibis.null("float64")
        columns = [
            self._text_of(name).try_cast("float64")
            if self.schema[name].is_string()
            else self.table[name].cast("float64")
            for name in there
        ]
        return columns[0] if len(columns) == 1 else ibis.coalesce(*columns)

    def _is_blank(self, name: str) -> Column:
        column = self._text_of(name) if self.schema[name].is_string() else self.table[name]
        return (column.isnull() | (column == "")) if self.schema[name].is_string() else column.isnull()

    def _charge_words(self) -> Column:
        """Return only the parts of a description that give role or accelerator: there may be millions of descriptions."""
        import ibis

        if "ChargeDescription" not in self.schema:
            return ibis.null("string")
        said = self._text_of("ChargeDescription")
        # DuckDB extracts from a dictionary once for each of its words, and searches once for each row.
        hardware = said.re_extract(HARDWARE_WORDS, 1)
        kind = said.re_replace(OWN_NAMES, " ")
        return ibis.cases((hardware != "", kind), else_=said.re_extract(SIGN_WORDS, 1).nullif(""))

    def _commitment_status(self) -> Column:
        if "ChargeSubcategory" not in self.schema:
            return self._text(TEXTS["commitment_status"])
        import ibis

        said = self._text(TEXTS["commitment_status"])
        return ibis.cases((said == "Used Commitment", "Used"), (said == "Unused Commitment", "Unused"), else_=said)

    def _time(self, name: str) -> Column:
        import ibis

        if self.schema[name].is_string():
            # Azure writes 2026-10-01T00:00Z; Spark reads no time without its seconds.
            text = self._text_of(name)
            is_short = (text.length() == 17) & text.endswith("Z")
            return ibis.cases((is_short, text.substr(0, 16) + ":00Z"), else_=text).try_cast("timestamp('UTC')")
        return self.table[name]

    def _tag(self) -> Column:
        import ibis

        tags = [self._tag_in(name) for name in ("AllocatedTags", "Tags") if name in self.schema]
        return ibis.coalesce(*tags) if tags else ibis.null("string")

    def _tag_in(self, name: str) -> Column:
        import re

        import ibis

        if self.schema[name].is_map():
            # A Cost and Usage Report says of each tag whose it is (user_team).
            values = (self.table[name].get(key) for key in (self.tag, f"user_{self.tag}", f"user:{self.tag}"))
            return ibis.coalesce(*values).cast("string")
        key, text = f"(?:user[:_])?{re.escape(self.tag)}", r'((?:[^"\\]|\\.)*)'
        # An object, or (BigQuery) a list of records with a key and a value each.
        patterns = (rf'"{key}"\s*:\s*"{text}"', rf'"[Kk]ey"\s*:\s*"{key}"[^{{}}]*?"[Vv]alue"\s*:\s*"{text}"')
        said = self._text_of(name)
        return ibis.coalesce(*(said.re_extract(pattern, 1).nullif("") for pattern in patterns))

    def _unreadable(self) -> Column:
        """Return the place in `UNREADABLE` of the first column that holds nothing readable; 0 is none."""
        import ibis

        cost, currency, category = self.of("effective_cost"), self.of("currency"), self.of("category")
        starts, ends = (self.of(name) for name in TIMES)
        return ibis.cases(
            (starts.isnull() | (starts < SINCE_S) | (starts > UNTIL_S), 1),
            (ends.isnull() | (ends < SINCE_S) | (ends > UNTIL_S), 2),
            ((category == "Usage") & (ends - starts > LONGEST_S), 2),  # what is bought for years is no use
            (cost.isnull() | (cost.abs() >= MOST), 3),  # both engines hold NaN for larger than any number
            ((currency.isnull() | (currency == "")) & ~self._is_blank("EffectiveCost"), 4),
            (category.isnull() | (category == ""), 5),
            else_=0,
        ).cast("int64")
