"""One odd row costs itself: sources add fields, leave others out, and tell prices of other days, places and currencies."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from pricing.facts.offers import Offer
from pricing.providers.aws.commitments import in_force, rates_of
from pricing.providers.contract import RefusedRow
from pricing.providers.hardware import UNREADABLE, each_row
from tests.loopback.aws import AwsCloud
from tests.loopback.clouds import CLOUDS
from tests.loopback.recorded import moved
from tests.loopback.server import Fault
from tests.pricing.providers.conftest import Ask, Gathered

Rows = list[dict[str, Any]]


def _changed(find: Callable[[Any], Rows], change: Callable[[Rows], object]) -> Callable[[bytes], bytes]:
    def edited(body: bytes) -> bytes:
        answer = json.loads(body)
        change(find(answer))
        return json.dumps(answer).encode()

    return edited


ROWS: dict[str, tuple[str, Callable[[Any], Rows]]] = {
    "runpod": ("graphql", lambda answer: answer["data"]["gpuTypes"]),
    "lambda": ("instance-types", lambda answer: list(answer["data"].values())),
    "verda": ("instance-types", lambda answer: answer),
    "oci": ("products", lambda answer: [row for row in answer["items"] if "Compute - GPU - H" in row["displayName"]]),
    "digitalocean": ("sizes", lambda answer: [row for row in answer["sizes"] if row.get("gpu_info")]),
    "azure": ("retail", lambda answer: answer["Items"]),
    "vast": ("bundles", lambda answer: answer["offers"]),
}
"""What is asked for prices, and the rows of its answer."""


def _asked(ask: Ask, name: str, change: Callable[[Rows], object] | None = None, **fields: Any) -> Gathered:
    match, find = ROWS[name]
    with CLOUDS[name]() as cloud:
        if change is not None:
            cloud.faults.append(Fault(match=match, change=_changed(find, change), times=999))
        return ask(name, cloud, **fields)


def parts(gathered: Gathered) -> set[str]:
    return {fault.part for fault in gathered.faults if fault.status == "failed"}


def _told(gathered: Gathered) -> set[tuple[str, str, str, float]]:
    return {
        (offer.instance_type, offer.region, offer.purchase_option.value, round(offer.price_usd_per_hour, 6))
        for offer in gathered.offers
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_fields_that_nobody_knows_and_another_order_change_nothing(name: str, ask: Ask) -> None:
    def shuffle(rows: Rows) -> None:
        for row in rows:
            row["newField"] = {"nested": [1, None]}
        rows.reverse()

    assert _told(_asked(ask, name, shuffle)) == _told(_asked(ask, name))


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"azure", "vast"}))
def test_a_row_without_a_field_that_is_needed_costs_that_row_and_is_told(name: str, ask: Ask) -> None:
    def clear(rows: Rows) -> None:
        for field in list(rows[0]):
            if field not in {"id", "displayName", "gpu_info", "slug", "metricName", "serviceCategory"}:
                del rows[0][field]

    whole, gathered = _told(_asked(ask, name)), _asked(ask, name, clear)
    assert not gathered.faults
    assert {row.reason for row in gathered.refused} == {UNREADABLE}
    assert _told(gathered) < whole
    assert len(_told(gathered)) >= len(whole) / 2


def test_many_odd_rows_are_another_shape() -> None:
    def read(row: int) -> list[Offer]:
        if not row:
            raise KeyError(row)
        return []

    odd = [0, 0, 0, 0, 1, 1]
    with pytest.raises(KeyError):
        list(each_row("part", odd, read))
    (told,) = each_row("part", [1, 1, 0], read)
    assert isinstance(told, RefusedRow)
    assert told.identity == "row 3 of part"


def test_azures_price_is_that_of_the_first_tier_of_now_and_of_the_region_that_was_asked(ask: Ask) -> None:
    def more(rows: Rows) -> None:
        for row in [row for row in rows if row["type"] == "Consumption"][:2]:
            rows.append(row | {"tierMinimumUnits": 1000.0, "retailPrice": row["retailPrice"] / 2})
            over = {
                "effectiveStartDate": moved("2026-11-20T00:00:00Z"),
                "effectiveEndDate": moved("2026-11-20T00:00:00Z"),
            }
            rows.append(row | over | {"retailPrice": row["retailPrice"] * 0.9})
            row |= {"unitOfMeasure": "10 Hours", "retailPrice": row["retailPrice"] * 10}

    right = _told(_asked(ask, "azure", regions=("eastus",)))
    assert _told(_asked(ask, "azure", more, regions=("eastus",))) == right

    def foreign(rows: Rows) -> None:
        rows.extend([row | {"armRegionName": "westus9", "retailPrice": 0.5} for row in rows[:1]])

    gathered = _asked(ask, "azure", foreign, regions=("eastus",))
    assert _told(gathered) == right
    assert {row.reason for row in gathered.refused} == {"foreign_region"}


def test_oracles_price_is_in_dollars_and_of_the_first_tier_that_costs(ask: Ask) -> None:
    def more(rows: Rows) -> None:
        for row in rows:
            (usd,) = row["currencyCodeLocalizations"]
            free = {"model": "PAY_AS_YOU_GO", "value": 0, "rangeMin": 0, "rangeMax": 10}
            prices = [price | {"rangeMin": 10} for price in usd["prices"]] + [free]
            euro = {"currencyCode": "EUR", "prices": [{"model": "PAY_AS_YOU_GO", "value": 99}]}
            row["currencyCodeLocalizations"] = [euro, usd | {"prices": prices}]

    assert _told(_asked(ask, "oci", more)) == _told(_asked(ask, "oci"))


def _without(*path: str | int) -> Callable[[Any], None]:
    def cut(row: Any) -> None:
        for key in path[:-1]:
            row = row[key]
        row.pop(path[-1])

    return cut


SKU_CUTS = {
    "A3 Instance Ram running in Americas": _without("pricingInfo"),
    "G2 Instance Core running in Americas": _without("pricingInfo", 0, "pricingExpression"),
    "A3Plus Instance Core running in Americas": _without("pricingInfo", 0, "pricingExpression", "usageUnit"),
    "C4D Instance Ram running in Americas": _without("category"),
    "N2 Instance Ram running in Americas": _without("serviceRegions"),
}
MACHINE_CUTS = {
    "a3-highgpu-8g": _without("memoryMb"),
    "g2-standard-4": _without("guestCpus"),
    "a3-ultragpu-8g": _without("accelerators"),
    "a2-highgpu-1g": _without("accelerators", 0, "guestAcceleratorCount"),
    "a3-megagpu-8g": _without("accelerators", 0, "guestAcceleratorType"),
}


def _google(ask: Ask, match: str, find: Callable[[Any], Rows], cuts: dict[str, Callable[[Any], None]]) -> Gathered:
    def cut(rows: Rows) -> None:
        for row in rows:
            cuts.get(row.get("description") or row["name"], lambda _row: None)(row)

    with CLOUDS["gcp"]() as cloud:
        cloud.faults.append(Fault(match=match, change=_changed(find, cut), times=999))
        return ask("gcp", cloud)


def test_a_sku_of_google_that_tells_too_little_costs_what_it_prices_and_is_told(ask: Ask) -> None:
    whole = _told(_google(ask, "/skus", lambda answer: answer["skus"], {}))
    gathered = _google(ask, "/skus", lambda answer: answer["skus"], SKU_CUTS)
    assert not gathered.faults
    told = "".join(row.message + row.identity for row in gathered.refused)
    assert [text for text in SKU_CUTS if text not in told] == []
    lost = {
        row
        for row in whole
        if row[0].startswith(("a3-highgpu", "g2", "a3-mega", "c4d", "n2-")) and row[2] == "on_demand"
    }
    assert whole - _told(gathered) == lost


def test_a_machine_of_google_that_tells_too_little_costs_itself_and_has_no_price_in_part(ask: Ask) -> None:
    def find(answer: Any) -> Rows:
        return [row for zone in answer["items"].values() for row in zone.get("machineTypes", ())]

    whole = _told(_google(ask, "machineTypes", find, {}))
    gathered = _google(ask, "machineTypes", find, MACHINE_CUTS)
    assert not gathered.faults
    assert {row.reason for row in gathered.refused} == {UNREADABLE}
    assert _told(gathered) == {row for row in whole if row[0] not in MACHINE_CUTS}
    assert {row[0] for row in whole} >= MACHINE_CUTS.keys()


def _clear(rows: Rows) -> None:
    for row in rows:
        row.clear()


def test_an_odd_rate_or_plan_in_amazons_file_costs_itself_and_not_the_region(ask: Ask) -> None:
    def find(answer: Any) -> Rows:
        return [answer["terms"]["savingsPlan"][0]["rates"][0], answer["products"][1]["attributes"]]

    with AwsCloud() as cloud:
        settings = {"GPUPLAN_AWS_BULK_URL": cloud.url}
        whole = _told(ask("aws", settings=settings, regions=("us-east-1",)))
        cloud.faults.append(Fault(match="AWSComputeSavingsPlan/2026", change=_changed(find, _clear)))
        gathered = ask("aws", settings=settings, regions=("us-east-1",))
    assert not parts(gathered)
    assert [row.reason for row in gathered.refused] == [UNREADABLE, UNREADABLE]
    assert {row[2][:12] for row in whole - _told(gathered)} == {"savings_plan"}
    assert any(row[2].startswith("savings_plan") for row in _told(gathered))


@pytest.mark.slow
def test_an_odd_rate_of_amazons_api_costs_itself_and_not_the_region(ask: Ask) -> None:
    with AwsCloud(has_files=False) as cloud:
        whole = _told(ask("aws", cloud, regions=("us-east-1",)))
        change = _changed(lambda answer: answer["searchResults"][:1], _clear)
        cloud.faults.append(Fault(match="SavingsPlansOfferingRates", change=change))
        gathered = ask("aws", cloud, regions=("us-east-1",))
    assert not gathered.faults
    assert [row.reason for row in gathered.refused] == [UNREADABLE]
    assert len(whole - _told(gathered)) == 1


def test_an_odd_savings_plan_of_azure_costs_itself_and_not_the_machine_on_demand(ask: Ask) -> None:
    def change(rows: Rows) -> None:
        next(row for row in rows if row.get("savingsPlan"))["savingsPlan"][0].pop("retailPrice")

    with CLOUDS["azure"]() as cloud:
        whole = _told(ask("azure", cloud, regions=("eastus",)))
        plans = _changed(lambda answer: answer["Items"], change)
        cloud.faults.append(Fault(match="retail", change=plans))
        gathered = ask("azure", cloud, regions=("eastus",))
    assert not gathered.faults
    assert [row.reason for row in gathered.refused] == [UNREADABLE]
    assert {row[2][:12] for row in whole - _told(gathered)} == {"savings_plan"}


def test_googles_price_is_the_newest_that_holds_and_of_the_first_tier_that_costs(ask: Ask) -> None:
    def more(rows: Rows) -> None:
        for sku in rows:
            (info,) = sku["pricingInfo"]
            expression = info["pricingExpression"]
            rate = expression["tieredRates"][0]
            free = {"startUsageAmount": 0, "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": 0}}
            paid = info | {"pricingExpression": expression | {"tieredRates": [rate | {"startUsageAmount": 15}, free]}}
            dear = {"tieredRates": [rate | {"unitPrice": {"currencyCode": "USD", "units": "77", "nanos": 0}}]}
            old = {"effectiveTime": moved("2025-11-01T07:00:00Z"), "pricingExpression": expression | dear}
            next_year = {"effectiveTime": moved("2027-11-01T07:00:00Z"), "pricingExpression": expression | dear}
            sku["pricingInfo"] = [next_year, paid, old]

    with CLOUDS["gcp"]() as cloud:
        right = _told(ask("gcp", cloud))
        cloud.faults.append(Fault(match="/skus", change=_changed(lambda answer: answer["skus"], more), times=999))
        assert _told(ask("gcp", cloud)) == right


def test_of_amazons_terms_the_newest_that_holds_counts_and_of_its_tiers_the_first() -> None:
    def term(day: str, usd: str, **more: Any) -> dict[str, Any]:
        dimension = {"unit": "Hours", "beginRange": "0", "pricePerUnit": {"USD": usd}}
        further = {"unit": "Hrs", "beginRange": "750", "pricePerUnit": {"USD": "0.1"}}
        return {"effectiveDate": f"{day}T00:00:00Z", "priceDimensions": {"b": further, "a": dimension}, **more}

    terms = [term("2026-12-01", "9"), term("2026-11-01", "3"), term("2025-01-01", "5")]
    (found,) = in_force(terms, date(2026, 11, 26))
    assert list(rates_of(found)) == [("hour", 3.0)]
    assert len(in_force([*terms, term("2026-11-01", "4")], date(2026, 11, 26))) == 2  # which the gates refuse
    assert in_force(terms[:1], date(2026, 11, 26)) == []
    with pytest.raises(ValueError, match="currency CNY"):
        list(rates_of({"priceDimensions": {"a": {"unit": "Hrs", "pricePerUnit": {"CNY": "1"}}}}))
