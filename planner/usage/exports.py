"""Clouds' own billing exports, as the columns of FOCUS: one SQL expression for each, which every engine reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.usage.columns import MANDATORY, NEEDED
from planner.usage.file_kinds import folded

PLACE = re.compile(r"\[(\w+)\]")
FOCUS = "FOCUS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One kind of export.

    Attributes
    ----------
    name : str
        For people.
    signs : frozenset of str
        Columns that only this kind has, as `canonical` calls them.
    columns : mapping of str to str
        Of FOCUS: an SQL expression over the export's own columns in brackets; one that a file lacks is null.
    tag_column : str
        A pattern of the names of columns that hold a tag each; its group is the tag, as people wrote it.
    synonyms : mapping of str to str
        Other names of its columns, in other agreements and years.
    """

    name: str
    signs: frozenset[str]
    columns: Mapping[str, str]
    tag_column: str = "(?!)"
    synonyms: Mapping[str, str] = field(default_factory=dict)


def quoted_text(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _json_text(column: str) -> str:
    """Return a text as JSON writes it; engines differ in how they read a backslash, so it goes by its number."""
    escaped = f"REPLACE(COALESCE({column}, ''), CHR(92), CONCAT(CHR(92), CHR(92)))"
    return f"CONCAT(CHR(34), REPLACE({escaped}, CHR(34), CONCAT(CHR(92), CHR(34))), CHR(34))"


def _number(column: str) -> str:
    return f"COALESCE(TRY_CAST({column} AS DOUBLE), 0.0)"


TYPE = "[line_item_line_item_type]"
PLAN = f"{TYPE} IN ('SavingsPlanCoveredUsage', 'SavingsPlanRecurringFee')"
RESERVED = f"{TYPE} IN ('DiscountedUsage', 'RIFee')"
AWS = Export(
    name="AWS CUR",
    signs=frozenset({"line_item_line_item_type", "line_item_usage_start_date", "line_item_unblended_cost"}),
    tag_column=r"(?i)resource_?tags[/_](?:user[:_])?(.+)",
    columns={
        "BillingCurrency": "COALESCE(NULLIF([line_item_currency_code], ''), 'USD')",
        "ChargePeriodStart": "[line_item_usage_start_date]",
        "ChargePeriodEnd": "[line_item_usage_end_date]",
        # A negation takes the list price of covered use back; the covered use carries its amortized cost itself.
        "ChargeCategory": f"CASE WHEN {TYPE} IN ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'RIFee', 'SavingsPlanRecurringFee') THEN 'Usage' "
        f"WHEN {TYPE} IN ('Fee', 'SavingsPlanUpfrontFee') THEN 'Purchase' WHEN {TYPE} = 'Tax' THEN 'Tax' "
        f"WHEN {TYPE} = 'Credit' OR {TYPE} LIKE '%Discount' THEN 'Credit' ELSE 'Adjustment' END",
        "EffectiveCost": f"CAST(CASE WHEN {TYPE} = 'SavingsPlanCoveredUsage' THEN {_number('[savings_plan_savings_plan_effective_cost]')} "
        f"WHEN {TYPE} = 'SavingsPlanRecurringFee' THEN {_number('[savings_plan_total_commitment_to_date]')} - {_number('[savings_plan_used_commitment]')} "
        f"WHEN {TYPE} IN ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') THEN 0.0 "
        f"WHEN {TYPE} = 'DiscountedUsage' THEN {_number('[reservation_effective_cost]')} "
        f"WHEN {TYPE} = 'RIFee' THEN {_number('[reservation_unused_amortized_upfront_fee_for_billing_period]')} + {_number('[reservation_unused_recurring_fee]')} "
        f"WHEN {TYPE} = 'Fee' AND COALESCE([reservation_reservation_arn], '') <> '' THEN 0.0 "
        f"ELSE TRY_CAST([line_item_unblended_cost] AS DOUBLE) END AS STRING)",
        "BilledCost": "[line_item_unblended_cost]",
        "ListCost": f"CASE WHEN {TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') THEN NULL ELSE [pricing_public_on_demand_cost] END",
        "ConsumedQuantity": f"CASE WHEN {TYPE} = 'RIFee' THEN [reservation_unused_quantity] WHEN {TYPE} = 'SavingsPlanRecurringFee' THEN NULL ELSE [line_item_usage_amount] END",
        "ConsumedUnit": f"CASE WHEN {TYPE} = 'RIFee' THEN 'Hrs' ELSE [pricing_unit] END",
        "PricingCategory": f"CASE WHEN [line_item_usage_type] LIKE '%SpotUsage%' THEN 'Dynamic' WHEN {PLAN} OR {RESERVED} THEN 'Committed' ELSE 'Standard' END",
        "CommitmentDiscountId": f"CASE WHEN {PLAN} THEN [savings_plan_savings_plan_arn] WHEN {RESERVED} THEN [reservation_reservation_arn] END",
        "CommitmentDiscountCategory": f"CASE WHEN {PLAN} THEN 'Spend' WHEN {RESERVED} THEN 'Usage' END",
        "CommitmentDiscountStatus": f"CASE WHEN {TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Unused' WHEN {PLAN} OR {RESERVED} THEN 'Used' END",
        "ProviderName": "'AWS'",
        "RegionId": "COALESCE(NULLIF([product_region_code], ''), [product_region])",
        "ResourceId": "[line_item_resource_id]",
        "ServiceName": "COALESCE(NULLIF([product_product_name], ''), [line_item_product_code])",
        "SkuId": "[product_sku]",
        "SkuMeter": "[line_item_usage_type]",
        "SkuPriceDetails": "CASE WHEN COALESCE([product_instance_type], '') <> '' THEN CONCAT('{\"InstanceType\": \"', [product_instance_type], '\"}') END",
        "ChargeDescription": "[line_item_line_item_description]",
        "SubAccountId": "[line_item_usage_account_id]",
        "Tags": "[resource_tags]",
    },
)
_AZURE_DATE = "CAST([date] AS STRING)"
_AZURE_DAY = f"CASE WHEN {_AZURE_DATE} LIKE '__/__/____%' THEN CONCAT(SUBSTR({_AZURE_DATE}, 7, 4), '-', SUBSTR({_AZURE_DATE}, 1, 2), '-', SUBSTR({_AZURE_DATE}, 4, 2)) ELSE SUBSTR({_AZURE_DATE}, 1, 10) END"
"""A day, which an American export writes as month/day/year."""
AZURE_BEGIN = f"CONCAT({_AZURE_DAY}, 'T00:00:00Z')"
AZURE_END = f"CONCAT(SUBSTR(CAST(CAST({_AZURE_DAY} AS DATE) + INTERVAL 1 DAY AS STRING), 1, 10), 'T00:00:00Z')"
MODEL = "COALESCE([pricing_model], '')"
AZURE = Export(
    name="Azure cost details",
    signs=frozenset({"meter_category", "meter_name", "quantity", "date"}),
    synonyms={
        "consumed_quantity": "quantity",
        "usage_quantity": "quantity",
        "usage_date": "date",
        "usage_date_time": "date",
        "extended_cost": "cost",
        "pre_tax_cost": "cost",
        "instance_id": "instance_name",
        "unit": "unit_of_measure",
        "currency": "billing_currency",
        "billing_currency_code": "billing_currency",
    },
    columns={
        "BillingCurrency": "COALESCE(NULLIF([billing_currency], ''), 'USD')",
        "ChargePeriodStart": AZURE_BEGIN,
        "ChargePeriodEnd": AZURE_END,
        "ChargeCategory": "CASE WHEN COALESCE([charge_type], 'Usage') IN ('Usage', 'UnusedReservation', 'UnusedSavingsPlan') THEN 'Usage' WHEN [charge_type] = 'Purchase' THEN 'Purchase' WHEN [charge_type] = 'Tax' THEN 'Tax' ELSE 'Adjustment' END",
        # Amortized exports have no purchases of reservations; in actual ones no use carries their cost.
        "EffectiveCost": "COALESCE([cost_in_billing_currency], [cost])",
        "BilledCost": "COALESCE([cost_in_billing_currency], [cost])",
        "ListCost": "CASE WHEN [unit_of_measure] LIKE '1 H%' THEN CAST(TRY_CAST(COALESCE([pay_g_price], [pay_g_price_in_billing_currency]) AS DOUBLE) * TRY_CAST([quantity] AS DOUBLE) AS STRING) END",
        "ConsumedQuantity": "[quantity]",
        "ConsumedUnit": "CASE WHEN COALESCE([unit_of_measure], '') = '' AND [meter_category] = 'Virtual Machines' THEN 'Hours' WHEN LOWER([unit_of_measure]) LIKE '%hour%' AND LOWER([unit_of_measure]) NOT LIKE '%gb%' THEN 'Hours' ELSE [unit_of_measure] END",
        "PricingCategory": f"CASE WHEN {MODEL} = 'Spot' OR [meter_name] LIKE '%Spot' THEN 'Dynamic' WHEN {MODEL} IN ('Reservation', 'SavingsPlan') THEN 'Committed' ELSE 'Standard' END",
        "CommitmentDiscountId": "COALESCE(NULLIF([benefit_id], ''), NULLIF([reservation_id], ''))",
        "CommitmentDiscountCategory": f"CASE WHEN {MODEL} = 'SavingsPlan' THEN 'Spend' WHEN {MODEL} = 'Reservation' THEN 'Usage' END",
        "CommitmentDiscountStatus": f"CASE WHEN [charge_type] IN ('UnusedReservation', 'UnusedSavingsPlan') THEN 'Unused' WHEN {MODEL} IN ('Reservation', 'SavingsPlan') THEN 'Used' END",
        "ProviderName": "'Microsoft'",
        "RegionId": "LOWER(REPLACE(COALESCE(NULLIF([resource_location], ''), [meter_region]), ' ', ''))",
        "ResourceId": "COALESCE(NULLIF([resource_id], ''), [instance_name])",
        "ServiceName": "CONCAT([meter_category], CASE WHEN [additional_info] LIKE '%ComputeHR_SW%' THEN ' Licenses' ELSE '' END)",
        "SkuId": "[meter_id]",
        "SkuMeter": "[meter_name]",
        "SkuPriceDetails": 'CASE WHEN [additional_info] LIKE \'%ServiceType%\' THEN CONCAT(\'{"ServiceType": "\', regexp_extract([additional_info], \'"ServiceType" *: *"([^"]*)"\', 1), \'"}\') END',
        "ChargeDescription": "[product_name]",
        "SubAccountId": "COALESCE(NULLIF([subscription_id], ''), [subscription_guid])",
        "Tags": "CASE WHEN [tags] LIKE '{%' THEN [tags] ELSE CONCAT('{', [tags], '}') END",
    },
)
ORACLE = Export(
    name="OCI cost report",
    signs=frozenset({"line_item_interval_usage_start", "cost_my_cost", "usage_billed_quantity"}),
    tag_column=r"(?i)tags[/_](.+)",
    columns={
        "BillingCurrency": "COALESCE(NULLIF([cost_currency_code], ''), 'USD')",
        "ChargePeriodStart": "[line_item_interval_usage_start]",
        "ChargePeriodEnd": "[line_item_interval_usage_end]",
        "ChargeCategory": "'Usage'",
        "ChargeClass": "CASE WHEN LOWER([line_item_is_correction]) = 'true' THEN 'Correction' END",
        "EffectiveCost": "[cost_my_cost]",
        "BilledCost": "[cost_my_cost]",
        "ListCost": "NULL",
        "ConsumedQuantity": "[usage_billed_quantity]",
        "ConsumedUnit": "[cost_billing_unit_readable]",
        "PricingCategory": "'Standard'",
        "ProviderName": "'Oracle'",
        "RegionId": "[product_region]",
        "ResourceId": "[product_resource_id]",
        "ServiceName": "[product_service]",
        "SkuId": "[cost_product_sku]",
        "SkuMeter": "COALESCE(NULLIF([product_description], ''), [cost_sku_unit_description])",
        "SubAccountId": "[product_compartment_id]",
        "Tags": "NULL",
    },
)
MACHINE_PART = "([sku_description] LIKE '%GPU%' OR [sku_description] LIKE '%Instance Core %' OR [sku_description] LIKE '%Instance Ram %')"
MACHINE_SPEC = 'regexp_extract([system_labels], \'machine_spec" *, *"value" *: *"([^"]*)"\', 1)'
GOOGLE = Export(
    name="Google detailed export",
    signs=frozenset({"sku_description", "usage_start_time", "cost", "usage_amount"}),
    columns={
        "BillingCurrency": "COALESCE([currency], 'USD')",
        "ChargePeriodStart": "CAST([usage_start_time] AS STRING)",
        "ChargePeriodEnd": "CAST([usage_end_time] AS STRING)",
        "ChargeCategory": "CASE WHEN COALESCE([cost_type], 'regular') = 'regular' THEN 'Usage' WHEN [cost_type] = 'tax' THEN 'Tax' ELSE 'Adjustment' END",
        "EffectiveCost": "CAST(CAST([cost] AS DOUBLE) + COALESCE([credits_sum], 0.0) AS STRING)",
        "BilledCost": "CAST(CAST([cost] AS DOUBLE) + COALESCE([credits_sum], 0.0) AS STRING)",
        "ListCost": "CAST(COALESCE(CAST([cost_at_list] AS DOUBLE), CAST([cost] AS DOUBLE)) AS STRING)",
        "ConsumedQuantity": "CAST([usage_amount] AS STRING)",
        "ConsumedUnit": "[usage_unit]",
        "PricingQuantity": "CAST([usage_amount_in_pricing_units] AS STRING)",
        "PricingUnit": "[usage_pricing_unit]",
        "PricingCategory": "CASE WHEN [sku_description] LIKE '%Spot%' OR [sku_description] LIKE '%Preemptible%' THEN 'Dynamic' WHEN [sku_description] LIKE 'Commitment%' THEN 'Committed' ELSE 'Standard' END",
        "ProviderName": "'Google Cloud'",
        "RegionId": "[location_region]",
        "ResourceId": "COALESCE([resource_global_name], [resource_name])",
        "ServiceName": "[service_description]",
        "SkuId": "[sku_id]",
        # Other charges on a machine (an address, a disk) have its labels too.
        "SkuPriceDetails": f"CASE WHEN {MACHINE_PART} AND {MACHINE_SPEC} <> '' THEN CONCAT('{{\"MachineType\": \"', {MACHINE_SPEC}, '\"}}') END",
        "x_SkuDescription": "[sku_description]",
        "SubAccountId": "[project_id]",
        "Tags": "[labels]",
    },
)
EXPORTS = (AWS, AZURE, ORACLE, GOOGLE)


def canonical(name: str) -> str:
    """Return a column's name as all spellings of it agree on (``lineItem/UsageStartDate``, ``line_item_usage_start_date``).

    Examples
    --------
    >>> canonical("lineItem/UsageStartDate"), canonical("reservation_reservation_a_r_n"), canonical("MeterCategory")
    ('line_item_usage_start_date', 'reservation_reservation_arn', 'meter_category')
    """
    words = re.sub(r"[^0-9A-Za-z]+", "_", name.strip())
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", words).lower()
    return words.replace("_a_r_n", "_arn")


def fields_of(columns: Iterable[str], schema: Any = None) -> dict[str, tuple[str, ...]]:  # noqa: ANN401  Arrow's schema
    """Return a file's columns by their canonical names, each as the path to it; the parts of records are columns too."""
    paths: dict[str, tuple[str, ...]] = {}
    for name in columns:
        paths.setdefault(canonical(name), (name,))
        kind = schema.field(name).type if schema is not None else None
        if kind is not None and str(kind).startswith("struct"):
            for number in range(kind.num_fields):
                part = kind.field(number).name
                paths.setdefault(canonical(f"{name}_{part}"), (name, part))
    return paths


def export_of(columns: Iterable[str], schema: object = None) -> Export | None:
    """Return which export has these columns."""
    fields = set(fields_of(columns, schema))
    return next(
        (export for export in EXPORTS if export.signs <= fields | {export.synonyms.get(name, name) for name in fields}),
        None,
    )


def focus_spelled_otherwise(columns: Iterable[str]) -> Export | None:
    """Return FOCUS with names as Athena, BigQuery, Snowflake or a spreadsheet write them; None where they are its own, or not all there."""
    own = {folded(name): name for name in columns}
    spelled = {name: own[folded(name)] for name in NEEDED if folded(name) in own}
    if set(MANDATORY) <= set(own.values()) or not set(MANDATORY) <= set(spelled):
        return None
    text = {name: f"[{canonical(place)}]" for name, place in spelled.items()}
    return Export(name=FOCUS, signs=frozenset(), columns=text)


def projection(
    export: Export, columns: Iterable[str], schema: Any, quoted: Callable[[str], str], *, is_spark: bool  # noqa: ANN401  ibis has no types
) -> dict[str, str]:  # fmt: skip
    """Return FOCUS columns and their SQL over a file's own.

    Parameters
    ----------
    export : Export
        What the file is.
    columns : iterable of str
        The file's.
    schema : pyarrow.Schema or None
        Of a Parquet file.
    quoted : callable
        Quotes a name.
    is_spark : bool
        Whose words for sums over lists are used.
    """
    fields = fields_of(columns, schema)
    for other, name in export.synonyms.items():
        if other in fields:
            fields.setdefault(name, fields[other])

    def column(texts: re.Match[str]) -> str:
        name = texts[1]
        if name == "credits_sum" and "credits" in fields:
            parts = quoted(fields["credits"][0])
            if schema is None:  # a table of text holds them as JSON
                kind = (
                    "array<struct<amount: double, type: string>>"
                    if is_spark
                    else '[{"amount": "DOUBLE", "type": "VARCHAR"}]'
                )
                parts = f"from_json(NULLIF({parts}, ''), '{kind}')"
            if is_spark:
                return f"aggregate({parts}, CAST(0 AS DOUBLE), (s, c) -> s + CASE WHEN c.type = 'PROMOTION' THEN 0.0 ELSE CAST(c.amount AS DOUBLE) END)"
            return f"list_sum(list_transform({parts}, lambda c: CASE WHEN c.type = 'PROMOTION' THEN 0.0 ELSE CAST(c.amount AS DOUBLE) END))"
        if name not in fields:
            return "CAST(NULL AS STRING)" if name != "credits_sum" else "CAST(NULL AS DOUBLE)"
        place = ".".join(quoted(part) for part in fields[name])
        kind = str(schema.field(fields[name][0]).type) if schema is not None else ""
        if len(fields[name]) == 1 and kind.startswith(("map", "list", "large_list", "struct")):
            return f"CAST(TO_JSON({place}) AS STRING)"
        is_bare = not kind or len(fields[name]) > 1 or kind.startswith(("double", "float"))
        return place if is_bare else f"CAST({place} AS STRING)"

    texts = {name: PLACE.sub(column, text) for name, text in export.columns.items()}
    tags = {
        spelling: name
        for name in columns
        if (match := re.fullmatch(export.tag_column, name.strip()))
        for spelling in (match[1], canonical(match[1]))
    }
    if tags:
        parts = ", ', ', ".join(
            f"CONCAT({quoted_text(json.dumps(tag, ensure_ascii=False) + ': ')}, {_json_text(quoted(name))})"
            for tag, name in tags.items()
        )
        texts["Tags"] = f"CONCAT('{{', {parts}, '}}')"
    return {name: f"CAST({text} AS STRING)" for name, text in texts.items()}
