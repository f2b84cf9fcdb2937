"""Reserved instances and savings plans of AWS as offers; pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from pricing.clock import HOURS_PER_MONTH
from pricing.facts.offers import Payment, PurchaseOption
from pricing.providers.aws.price_list import read_lines
from pricing.providers.contract import Normalized, offer_or_refusal
from pricing.providers.hardware import each_row

SECONDS_PER_MONTH: Final = 365 * 86_400 / 12

PAYMENTS: Final = {
    "No Upfront": (Payment.NONE, 0.0),
    "Partial Upfront": (Payment.PARTIAL, 0.5),
    "All Upfront": (Payment.ALL, 1.0),
}
"""AWS's words to ours, with the share that a savings plan takes at the start."""

UNITS: Final = {"hrs": "hour", "hours": "hour", "hour": "hour", "hr": "hour", "quantity": "quantity"}

PLAN_CLASSES: Final = {
    "ComputeSavingsPlans": "compute",
    "EC2InstanceSavingsPlans": "ec2_instance",
    "Compute": "compute",
    "EC2Instance": "ec2_instance",
}
RESERVED: Final = {12: PurchaseOption.RESERVED_1Y, 36: PurchaseOption.RESERVED_3Y}
PLANS: Final = {12: PurchaseOption.SAVINGS_PLAN_1Y, 36: PurchaseOption.SAVINGS_PLAN_3Y}

MONTHS: Final = {"1yr": 12, "3yr": 36, "1 yr": 12, "3 yr": 36}

SharedFields = Callable[[str], dict[str, Any] | None]


def _committed(  # noqa: PLR0913 - the terms of an offer
    shared: Mapping[str, Any],
    options: Mapping[int, PurchaseOption],
    months: int,
    payment: Payment,
    offering_class: str,
    *,
    hourly_usd: float,
    upfront_usd: float,
    sku: str,
    effective_on: date | None = None,
) -> Normalized:
    """Return the offer; its price is the effective one, with what is paid up front spread over the term."""
    return offer_or_refusal(
        **shared,
        purchase_option=options[months],
        term_months=months,
        payment=payment,
        offering_class=offering_class,
        cancellable=False,
        price_usd_per_hour=hourly_usd + upfront_usd / (months * HOURS_PER_MONTH),
        upfront_usd=upfront_usd,
        source_sku_ids=(sku,),
        effective_on=effective_on,
    )


def effective_day(term: Mapping[str, Any]) -> date | None:
    """Return the day from which a term of the price list holds, where it says so."""
    text = term.get("effectiveDate")
    return date.fromisoformat(text[:10]) if text else None


def in_force(terms: Iterable[Mapping[str, Any]], today: date) -> list[Mapping[str, Any]]:
    """Return the newest of terms that hold already; several where the list tells several of one day, which the gates refuse."""
    days = [(effective_day(term) or date.min, term) for term in terms]
    newest = max((day for day, _ in days if day <= today), default=None)
    return [term for day, term in days if day == newest]


def rates_of(term: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what a term of the price list charges: ``hour`` or ``quantity`` (once, at the start), and USD.

    Raises
    ------
    ValueError
        Where it is charged in another currency alone.
    """
    for dimension in term["priceDimensions"].values():
        unit = UNITS.get(dimension["unit"].casefold())
        if unit is None or float(dimension.get("beginRange") or 0):
            continue  # another thing, or a further tier
        if "USD" not in dimension["pricePerUnit"]:
            raise ValueError(f"unknown currency {', '.join(dimension['pricePerUnit'])}")
        yield unit, float(dimension["pricePerUnit"]["USD"])


def reserved_offers(shared: Mapping[str, Any], sku: str, terms: Mapping[str, Any], today: date) -> Iterator[Normalized]:
    """Read the reserved terms of one product of the price list."""
    alike: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for term in terms.values():
        alike[str(sorted(term["termAttributes"].items()))].append(term)
    for term in (term for same in alike.values() for term in in_force(same, today)):
        attributes = term["termAttributes"]
        amounts = {"hour": 0.0, "quantity": 0.0} | dict(rates_of(term))
        yield _committed(
            shared,
            RESERVED,
            MONTHS[attributes["LeaseContractLength"]],
            PAYMENTS[attributes["PurchaseOption"]][0],
            attributes["OfferingClass"],
            hourly_usd=amounts["hour"],
            upfront_usd=amounts["quantity"],
            sku=f"{sku}.{term['offerTermCode']}",
            effective_on=effective_day(term),
        )


def reserved_api_offers(shared: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Normalized]:
    """Read one row of `DescribeReservedInstancesOfferings`."""
    if row.get("Marketplace") or row.get("CurrencyCode", "USD") != "USD" or row.get("Scope") == "Availability Zone":
        return
    months = round(row["Duration"] / SECONDS_PER_MONTH)
    if months not in RESERVED or row["ProductDescription"] not in {"Linux/UNIX", "Linux/UNIX (Amazon VPC)"}:
        return
    hourly = sum(float(charge["Amount"]) for charge in row["RecurringCharges"] if charge["Frequency"] == "Hourly")
    yield _committed(
        shared,
        RESERVED,
        months,
        PAYMENTS[row["OfferingType"]][0],
        row["OfferingClass"],
        hourly_usd=hourly + float(row.get("UsagePrice", 0.0)),
        upfront_usd=float(row["FixedPrice"]),
        sku=row["ReservedInstancesOfferingId"],
    )


def plan_file_offers(part: str, path: Path, products: Mapping[str, str], shared: SharedFields) -> Iterator[Normalized]:
    """Read a distilled savings plan file: an odd rate costs itself, a plan of an unknown term or payment its own rates.

    Parameters
    ----------
    part : str
        Whose rows they are.
    path : Path
        As `distil_plan_list` writes it.
    products : mapping of str to str
        On-demand SKU of the plain Linux product to its instance type. A plan has a rate for each licence model, so the join
        is by SKU; where the price list could not be had, operation and usage type tell plain Linux apart.
    shared : callable
        Instance type to the fields of its offers; None where nothing is known of the machine.
    """

    def offer(plan_and_rate: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Iterator[Normalized]:
        product, rate = plan_and_rate
        offering_class = PLAN_CLASSES.get(product["productFamily"])
        if offering_class is None:
            return
        attributes = product["attributes"]
        months = MONTHS[attributes["purchaseTerm"]]
        payment, upfront_share = PAYMENTS[attributes["purchaseOption"]]
        price = rate["discountedRate"]
        kind = _plan_type(rate, products)
        fields = shared(kind) if kind else None
        if fields is not None:
            price_usd = _in_dollars(price["price"], price["currency"])
            yield _plan(fields, months, payment, upfront_share, offering_class, price_usd, rate["rateCode"])

    yield from each_row(part, _plan_rates(path), offer)


def _plan_rates(path: Path) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the rates of a file, each with its plan; a plan that cannot be read counts once, not with each of its rates."""
    for product, terms in read_lines(path):
        attributes = product.get("attributes", {})
        is_known = attributes.get("purchaseTerm") in MONTHS and attributes.get("purchaseOption") in PAYMENTS
        yield from ((product, rate) for rate in (terms["rates"] if is_known else [{}]))


def _in_dollars(amount: float | str, currency: str) -> float:
    if currency != "USD":
        raise ValueError(f"unknown currency {currency}")
    return float(amount)


def _plan(
    fields: Mapping[str, Any],
    months: int,
    payment: Payment,
    share: float,
    offering_class: str,
    rate_usd: float,
    sku: str,
) -> Normalized:
    upfront_usd = rate_usd * months * HOURS_PER_MONTH * share
    return _committed(
        fields, PLANS, months, payment, offering_class,
        hourly_usd=rate_usd * (1 - share), upfront_usd=upfront_usd, sku=sku,
    )  # fmt: skip


def _plan_type(rate: Mapping[str, Any], products: Mapping[str, str]) -> str:
    if products:
        return products.get(rate["discountedSku"], "")
    usage = re.search(r"(?:^|-)BoxUsage:(\S+)$", rate["discountedUsageType"])
    return usage.group(1) if usage and rate["discountedOperation"] == "RunInstances" else ""


def plan_rate_offers(row: Mapping[str, Any], shared: SharedFields) -> Iterator[Normalized]:
    """Read one rate of `DescribeSavingsPlansOfferingRates`."""
    properties = {entry["name"]: entry["value"] for entry in row["properties"]}
    plan = row["savingsPlanOffering"]
    if row.get("operation", "RunInstances") != "RunInstances" or properties.get("tenancy", "shared") != "shared":
        return
    fields = shared(properties["instanceType"])
    offering_class = PLAN_CLASSES.get(plan["planType"])
    if fields is None or offering_class is None:
        return
    months = round(plan["durationSeconds"] / SECONDS_PER_MONTH)
    payment, upfront_share = PAYMENTS[plan["paymentOption"]]
    price_usd = _in_dollars(row["rate"], plan["currency"])
    yield _plan(fields, months, payment, upfront_share, offering_class, price_usd, plan["offeringId"])
