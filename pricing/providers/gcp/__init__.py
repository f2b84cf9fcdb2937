"""Google Compute Engine: machine types, accelerators, and the billing catalog."""

from __future__ import annotations

from pricing.providers.contract import Provider
from pricing.providers.gcp import fetch, normalize

PROVIDER = Provider(
    name="gcp",
    version=normalize.VERSION,
    fetch=fetch.fetch,
    normalize=normalize.normalize,
    anchors=("a3-highgpu-8g", "g2-standard-4"),
    endpoints={"GPUPLAN_GCP_COMPUTE_URL": fetch.COMPUTE_URL, "GPUPLAN_GCP_BILLING_URL": fetch.BILLING_URL},
    needs=(
        "application default credentials and a project (GOOGLE_CLOUD_PROJECT) with the Compute and Cloud Billing APIs on; "
        "roles/compute.viewer is enough"
    ),
)
