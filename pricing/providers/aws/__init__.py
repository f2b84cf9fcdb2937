"""Amazon EC2: price list files, instance types, spot, reserved instances, savings plans, Capacity Blocks."""

from __future__ import annotations

from pricing.facts.offers import Offer, PurchaseOption
from pricing.providers.aws import fetch, normalize
from pricing.providers.contract import Provider

PARTS = {
    PurchaseOption.SPOT: "spot",
    PurchaseOption.CAPACITY_BLOCK: "capacity_block",
    PurchaseOption.SAVINGS_PLAN_1Y: "savings_plans",
    PurchaseOption.SAVINGS_PLAN_3Y: "savings_plans",
}
"""What has a part of its own; the price list tells all the rest."""


def part_of(offer: Offer) -> str:
    """Return the part that tells an offer."""
    return f"{PARTS.get(offer.purchase_option, 'on_demand')}/{offer.region}"


PROVIDER = Provider(
    name="aws",
    version=normalize.VERSION,
    fetch=fetch.fetch,
    normalize=normalize.normalize,
    anchors=("p5.48xlarge", "g6.xlarge"),
    part_of=part_of,
    endpoints={
        "GPUPLAN_AWS_BULK_URL": fetch.BULK_URL,
        "AWS_ENDPOINT_URL_PRICING": "",
        "AWS_ENDPOINT_URL_EC2": "",
        "AWS_ENDPOINT_URL_SAVINGSPLANS": "",
    },
    needs=(
        "nothing for list prices; for spot, zones and Capacity Blocks read-only credentials as boto3 finds them "
        "(ec2:Describe*, pricing:GetProducts, savingsplans:DescribeSavingsPlansOfferingRates)"
    ),
)
