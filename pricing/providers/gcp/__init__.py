"""Google Compute Engine: machine types, accelerators, and the billing catalog."""

from __future__ import annotations

from pricing.providers.contract import Provider
from pricing.providers.gcp.fetch import BILLING_URL, COMPUTE_URL, fetch
from pricing.providers.gcp.normalize import VERSION, normalize

__all__ = ["PROVIDER", "fetch", "normalize"]

PROVIDER = Provider(
    name="gcp",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    anchors=("a3-highgpu-8g", "g2-standard-4"),
    endpoints={"GPUPLAN_GCP_COMPUTE_URL": COMPUTE_URL, "GPUPLAN_GCP_BILLING_URL": BILLING_URL},
    needs=(
        "application default credentials and a project (GOOGLE_CLOUD_PROJECT) with the Compute and Cloud Billing APIs on; "
        "roles/compute.viewer is enough"
    ),
)
