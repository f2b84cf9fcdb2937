"""Azure virtual machines: retail prices for everyone, sizes and restrictions with a subscription."""

from __future__ import annotations

from pricing.providers.azure import fetch, normalize
from pricing.providers.contract import Provider

PROVIDER = Provider(
    name="azure",
    version=normalize.VERSION,
    fetch=fetch.fetch,
    normalize=normalize.normalize,
    anchors=("Standard_ND96isr_H100_v5",),
    part_of=lambda offer: f"prices/{offer.region}",
    endpoints={"GPUPLAN_AZURE_MANAGEMENT_URL": fetch.MANAGEMENT_URL, "GPUPLAN_AZURE_RETAIL_URL": fetch.RETAIL_URL},
    needs="nothing for prices; for restrictions a subscription (AZURE_SUBSCRIPTION_ID) and a credential that may read it",
)
