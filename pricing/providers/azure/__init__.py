"""Azure virtual machines: retail prices for everyone, sizes and restrictions with a subscription."""

from __future__ import annotations

from pricing.providers.azure.fetch import MANAGEMENT_URL, RETAIL_URL, fetch
from pricing.providers.azure.normalize import VERSION, normalize
from pricing.providers.contract import Provider

__all__ = ["PROVIDER", "fetch", "normalize"]

PROVIDER = Provider(
    name="azure",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    anchors=("Standard_ND96isr_H100_v5",),
    part_of=lambda offer: f"prices/{offer.region}",
    endpoints={"GPUPLAN_AZURE_MANAGEMENT_URL": MANAGEMENT_URL, "GPUPLAN_AZURE_RETAIL_URL": RETAIL_URL},
    needs="nothing for prices; for restrictions a subscription (AZURE_SUBSCRIPTION_ID) and a credential that may read it",
)
