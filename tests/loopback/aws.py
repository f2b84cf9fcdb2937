"""AWS on the loopback: price list files, the pricing and savings plans APIs (JSON), and EC2 (query in, XML out).

EC2's answers are written by the service model that botocore ships, so that a fixture cannot have a shape that the service
does not have: a member that the model does not know is an error here.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tests.loopback.recorded import moved
from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "aws"
PAGE = 3


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


@cache
def ec2_model() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("ec2")


def ec2_xml(operation: str, value: dict[str, Any]) -> bytes:
    """Write an answer of the EC2 API as its service model has it."""
    shape = ec2_model().operation_model(operation).output_shape
    return f"<{operation}Response>{_members(shape, value)}</{operation}Response>".encode()


def _members(shape: Any, value: dict[str, Any]) -> str:
    unknown = set(value) - set(shape.members)
    assert not unknown, f"{shape.name} has no member {unknown}"
    return "".join(_element(shape.members[name], name, each) for name, each in value.items())


def _element(shape: Any, name: str, value: Any) -> str:
    tag = shape.serialization.get("name", name)
    match shape.type_name:
        case "structure":
            return f"<{tag}>{_members(shape, value)}</{tag}>"
        case "list":
            item = shape.member.serialization.get("name", "item")
            inner = "".join(_element(shape.member, item, each) for each in value)
            return f"<{tag}>{inner}</{tag}>"
        case "boolean":
            return f"<{tag}>{str(value).lower()}</{tag}>"
        case _:
            return f"<{tag}>{escape(str(value))}</{tag}>"


class AwsCloud(LoopbackServer):
    """All of AWS that a refresh asks.

    Parameters
    ----------
    has_files : bool
        Whether the price list files are served (else the adapter has to ask the pricing API).
    """

    def __init__(self, *, has_files: bool = True) -> None:
        super().__init__()
        self.has_files = has_files
        self.prices = fixture("prices.json")
        self.types = fixture("instance_types.json")["InstanceTypes"]
        self.not_opted_in: set[str] = set()

    def settings(self) -> dict[str, str]:
        names = ("AWS_ENDPOINT_URL_PRICING", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_SAVINGSPLANS")
        files = {"GPUPLAN_AWS_BULK_URL": self.url} if self.has_files else {}
        return dict.fromkeys(names, self.url) | files

    def error_body(self, status: int) -> bytes:
        code = "RequestLimitExceeded" if status in {429, 503} else "InternalError"
        return f"<Response><Errors><Error><Code>{code}</Code><Message>told to</Message></Error></Errors></Response>".encode()

    def answer(self, ask: Ask) -> Answer:
        if ask.method == "GET":
            return self._file(ask.path)
        if "X-Amz-Target" in ask.headers:
            return self._get_products(json.loads(ask.body))
        if ask.path == "/DescribeSavingsPlansOfferingRates":
            return self._plan_rates(json.loads(ask.body))
        return self._ec2(ask)

    # --- price list files -------------------------------------------------------------------------------------------

    def _file(self, path: str) -> Answer:
        match path.strip("/").split("/"):
            case ["offers", "v1.0", "aws", "AmazonEC2", "current", "region_index.json"]:
                return Answer.json({"regions": {name: self._entry(name) for name in self.prices["regions"]}})
            case ["offers", "v1.0", "aws", "AmazonEC2", "20261101000000", region, "index.json"]:
                return Answer.json(self.price_list(region))
            case ["savingsPlan", "v1.0", "aws", "AWSComputeSavingsPlan", "current", "region_index.json"]:
                version = "/savingsPlan/v1.0/aws/AWSComputeSavingsPlan/20261101000000"
                rows = [{"regionCode": n, "versionUrl": f"{version}/{n}/index.json"} for n in self.prices["regions"]]
                return Answer.json({"regions": rows})
            case ["savingsPlan", "v1.0", "aws", "AWSComputeSavingsPlan", "20261101000000", region, "index.json"]:
                return Answer.json(self.plan_list(region))
        return Answer.json({"message": "no such file"}, 404)

    @staticmethod
    def _entry(region: str) -> dict[str, str]:
        path = f"/offers/v1.0/aws/AmazonEC2/20261101000000/{region}/index.json"
        return {"regionCode": region, "currentVersionUrl": path}

    def products(self, region: str) -> list[dict[str, Any]]:
        """Return a region's products, decoys included, each as the price list holds it."""
        own = [product for product in self.prices["products"] if product["region"] == region]
        by_sku = {product["sku"]: product for product in own}
        products = [self._product(product, {}) for product in own]
        for decoy in self.prices["decoys"]:
            if decoy["like"] in by_sku:
                like = by_sku[decoy["like"]] | {"sku": decoy["sku"], "on_demand": decoy["on_demand"], "reserved": {}}
                products.append(self._product(like, decoy["attributes"]))
        return products

    @staticmethod
    def _product(product: dict[str, Any], changed: dict[str, str]) -> dict[str, Any]:
        sku = product["sku"]
        attributes = {
            "servicecode": "AmazonEC2", "instanceType": product["instanceType"], "regionCode": product["region"],
            "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
            "licenseModel": "No License required", "marketoption": "OnDemand", "operation": "RunInstances",
            "usagetype": f"BoxUsage:{product['instanceType']}", **product["attributes"], **changed,
        }  # fmt: skip
        terms: dict[str, Any] = {"OnDemand": {}, "Reserved": {}}
        dimension = {"unit": "Hrs", "pricePerUnit": {"USD": product["on_demand"]}, "rateCode": f"{sku}.JRTCKXETXF.1"}
        terms["OnDemand"][f"{sku}.JRTCKXETXF"] = {
            "offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": moved("2026-11-01T00:00:00Z"),
            "priceDimensions": {f"{sku}.JRTCKXETXF.1": dimension}, "termAttributes": {},
        }  # fmt: skip
        for years, classes in product["reserved"].items():
            for offering, payments in classes.items():
                for payment, (hourly, upfront) in payments.items():
                    code = "".join(word[0] for word in (years, offering, *payment.split())).upper()
                    dimensions = {
                        "h": {"unit": "Hrs", "pricePerUnit": {"USD": hourly}},
                        "q": {"unit": "Quantity", "pricePerUnit": {"USD": upfront}},
                    }
                    terms["Reserved"][f"{sku}.{code}"] = {
                        "offerTermCode": code, "sku": sku, "effectiveDate": moved("2026-11-01T00:00:00Z"),
                        "priceDimensions": dimensions,
                        "termAttributes": {
                            "LeaseContractLength": years, "OfferingClass": offering, "PurchaseOption": payment,
                        },
                    }  # fmt: skip
        family = "Compute Instance"
        return {"product": {"sku": sku, "productFamily": family, "attributes": attributes}, "terms": terms}

    def price_list(self, region: str) -> dict[str, Any]:
        products = self.products(region)
        terms: dict[str, Any] = {"OnDemand": {}, "Reserved": {}}
        for entry in products:
            for kind, told in entry["terms"].items():
                if told:
                    terms[kind][entry["product"]["sku"]] = told
        return {
            "formatVersion": "v1.0", "offerCode": "AmazonEC2", "publicationDate": moved("2026-11-01T00:00:00Z"),
            "products": {entry["product"]["sku"]: entry["product"] for entry in products}, "terms": terms,
        }  # fmt: skip

    # --- savings plans ----------------------------------------------------------------------------------------------

    def _plans(self, region: str) -> list[tuple[str, str, dict[str, Any], str]]:
        """Return years, payment, product and rate of each plan."""
        return [
            (years, payment, product, rate)
            for product in self.prices["products"]
            if product["region"] == region
            for years, payments in product["plans"].items()
            for payment, rate in payments.items()
        ]

    def plan_list(self, region: str) -> dict[str, Any]:
        products: dict[tuple[str, str], dict[str, Any]] = {}
        terms: dict[tuple[str, str], dict[str, Any]] = {}
        for years, payment, product, rate in self._plans(region):
            key, sku = (years, payment), f"PLAN{years}{payment}".replace(" ", "")
            attributes = {"purchaseTerm": years, "purchaseOption": payment, "granularity": "hourly"}
            products[key] = {"sku": sku, "productFamily": "ComputeSavingsPlans", "attributes": attributes}
            plan = terms.setdefault(
                key, {"sku": sku, "description": "", "effectiveDate": moved("2026-11-01T00:00:00Z"), "rates": []}
            )
            for discounted, price, operation in (
                (product["sku"], rate, "RunInstances"),
                # The Windows rate of the same instance type: whoever takes the last one takes this.
                (product["sku"].replace("LINUX", "WINDOWS"), str(float(rate) * 1.4), "RunInstances:0002"),
            ):
                plan["rates"].append(
                    {
                        "discountedSku": discounted, "discountedUsageType": f"BoxUsage:{product['instanceType']}",
                        "discountedOperation": operation, "discountedServiceCode": "AmazonEC2", "unit": "Hrs",
                        "rateCode": f"{sku}.{discounted}", "discountedRate": {"price": price, "currency": "USD"},
                    }
                )  # fmt: skip
        return {
            "version": "20261101000000",
            "products": list(products.values()),
            "terms": {"savingsPlan": list(terms.values())},
        }

    def _plan_rates(self, body: dict[str, Any]) -> Answer:
        wanted = {entry["name"]: entry["values"] for entry in body["filters"]}
        rows = [
            {
                "savingsPlanOffering": {
                    "offeringId": f"offering-{years}-{payment}", "paymentOption": payment, "planType": "Compute",
                    "durationSeconds": {"1yr": 31_536_000, "3yr": 94_608_000}[years], "currency": "USD",
                },
                "rate": rate, "unit": "Hrs", "productType": "EC2", "serviceCode": "AmazonEC2",
                "usageType": f"BoxUsage:{product['instanceType']}", "operation": "RunInstances",
                "properties": [
                    {"name": "region", "value": product["region"]},
                    {"name": "instanceType", "value": product["instanceType"]},
                    {"name": "tenancy", "value": "shared"},
                ],
            }
            for region in wanted["region"]
            for years, payment, product, rate in self._plans(region)
        ]  # fmt: skip
        start = int(body.get("nextToken", 0))
        more = {"nextToken": str(start + PAGE)} if start + PAGE < len(rows) else {"nextToken": ""}
        return Answer.json({"searchResults": rows[start : start + PAGE], **more})

    # --- pricing API ------------------------------------------------------------------------------------------------

    def _get_products(self, body: dict[str, Any]) -> Answer:
        wanted = {entry["Field"]: entry["Value"] for entry in body["Filters"]}
        region = wanted.pop("regionCode")
        rows = [
            json.dumps(entry)
            for entry in self.products(region)
            if all(entry["product"]["attributes"].get(field) == value for field, value in wanted.items())
        ]
        start = int(body.get("NextToken", 0))
        more = {"NextToken": str(start + PAGE)} if start + PAGE < len(rows) else {}
        return Answer.json({"FormatVersion": "aws_v1", "PriceList": rows[start : start + PAGE], **more})

    # --- EC2 --------------------------------------------------------------------------------------------------------

    def _ec2(self, ask: Ask) -> Answer:
        form = {name: values[-1] for name, values in parse_qs(ask.body.decode(), keep_blank_values=True).items()}
        operation = form["Action"]
        region = ask.headers["Authorization"].split("/")[2]  # the signature's scope names the region
        if region in self.not_opted_in:
            body = "<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate the provided access credentials</Message></Error></Errors></Response>"
            return Answer(body.encode(), 401, content_type="text/xml")
        answer = getattr(self, f"ec2_{operation}")(region, form)
        return Answer(ec2_xml(operation, answer), content_type="text/xml")

    def ec2_DescribeRegions(self, _region: str, form: dict[str, str]) -> dict[str, Any]:
        rows = [
            {"RegionName": name, "OptInStatus": "not-opted-in" if name in self.not_opted_in else "opt-in-not-required"}
            for name in self.prices["regions"]
            if form.get("AllRegions") == "true" or name not in self.not_opted_in
        ]
        return {"Regions": rows}

    def ec2_DescribeAvailabilityZones(self, region: str, _form: dict[str, str]) -> dict[str, Any]:
        return {
            "AvailabilityZones": [
                {"ZoneName": name, "ZoneId": identity, "ZoneType": kind, "RegionName": region, "State": "available"}
                for name, identity, kind in self.prices["regions"][region]["zones"]
            ]
        }

    def _sold(self, region: str) -> list[str]:
        listed = {product["instanceType"] for product in self.prices["products"] if product["region"] == region}
        blocks = {row["InstanceType"] for row in self.prices["capacity_blocks"] if row["region"] == region}
        return sorted(listed | blocks)

    def ec2_DescribeInstanceTypeOfferings(self, region: str, form: dict[str, str]) -> dict[str, Any]:
        kind = form["LocationType"]
        places = [region] if kind == "region" else [zone[1] for zone in self.prices["regions"][region]["zones"][:2]]
        rows = [
            {"InstanceType": name, "LocationType": kind, "Location": place}
            for name in [*self._sold(region), "t3.micro"]
            for place in places
        ]
        return self._paged("InstanceTypeOfferings", rows, form)

    def _paged(self, name: str, rows: list[dict[str, Any]], form: dict[str, str]) -> dict[str, Any]:
        start = int(form.get("NextToken") or 0)
        # The last page carries an empty token, not none.
        token = str(start + PAGE) if start + PAGE < len(rows) else ""
        return {name: rows[start : start + PAGE], "NextToken": token}

    def ec2_DescribeInstanceTypes(self, _region: str, form: dict[str, str]) -> dict[str, Any]:
        wanted = {value for name, value in form.items() if name.startswith("InstanceType.")}
        return {"InstanceTypes": [entry for entry in self.types if entry["InstanceType"] in wanted]}

    def ec2_DescribeSpotPriceHistory(self, region: str, form: dict[str, str]) -> dict[str, Any]:
        wanted = {value for name, value in form.items() if name.startswith("InstanceType.")}
        since = datetime.fromisoformat(form["StartTime"])
        rows = []
        for place, kind, zone, *recorded in self.prices["spot"]:
            if place != region or kind not in wanted:
                continue
            told = [(moved(when), price) for when, price in recorded]
            times = [datetime.fromisoformat(when) for when, _ in told]
            # The last change before the start is told too.
            first = max((n for n, when in enumerate(times) if when <= since), default=0)
            rows += [
                {
                    "AvailabilityZone": zone, "InstanceType": kind, "ProductDescription": "Linux/UNIX",
                    "SpotPrice": price, "Timestamp": when,
                }
                for when, price in told[first:]
            ]  # fmt: skip
        return self._paged("SpotPriceHistory", rows, form)

    def ec2_DescribeReservedInstancesOfferings(self, region: str, form: dict[str, str]) -> dict[str, Any]:
        rows = [
            {
                "ReservedInstancesOfferingId": f"ri-{product['sku']}-{years}-{offering}-{payment}".replace(" ", ""),
                "InstanceType": product["instanceType"], "Duration": {"1yr": 31_536_000, "3yr": 94_608_000}[years],
                "FixedPrice": float(upfront), "UsagePrice": 0.0, "CurrencyCode": "USD", "Marketplace": False,
                "OfferingClass": offering, "OfferingType": payment, "InstanceTenancy": "default", "Scope": "Region",
                "ProductDescription": "Linux/UNIX",
                "RecurringCharges": [{"Amount": float(hourly), "Frequency": "Hourly"}],
            }
            for product in self.prices["products"]
            if product["region"] == region
            for years, classes in product["reserved"].items()
            for offering, payments in classes.items()
            for payment, (hourly, upfront) in payments.items()
        ]  # fmt: skip
        return self._paged("ReservedInstancesOfferings", rows, form)

    def ec2_DescribeCapacityBlockOfferings(self, region: str, form: dict[str, str]) -> dict[str, Any]:
        rows = [
            {
                "CapacityBlockOfferingId": f"cb-{number}", "InstanceType": row["InstanceType"], "InstanceCount": 1,
                "AvailabilityZone": row["AvailabilityZone"], "StartDate": moved("2026-11-23T11:30:00Z"),
                "EndDate": moved("2026-11-30T11:30:00Z"), "CapacityBlockDurationHours": row["hours"],
                "UpfrontFee": row["UpfrontFee"], "CurrencyCode": "USD", "Tenancy": "default",
            }
            for number, row in enumerate(self.prices["capacity_blocks"])
            if row["region"] == region
            and row["InstanceType"] == form["InstanceType"]
            and str(row["hours"]) == form["CapacityDurationHours"]
        ]  # fmt: skip
        return {"CapacityBlockOfferings": rows, "NextToken": ""}
