"""Azure on the loopback: the Retail Prices API, and the sizes of a subscription."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.loopback.recorded import moved
from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "azure"
PER_PAGE = 6


class AzureCloud(LoopbackServer):
    """Links name the service's own host, as the real ones do; the last page is empty."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[dict[str, Any]] = json.loads((FIXTURES / "retail_prices.json").read_text())["Items"]
        for row in self.items:
            row["effectiveStartDate"] = moved(row["effectiveStartDate"])
        self.sizes: list[dict[str, Any]] = json.loads((FIXTURES / "resource_skus.json").read_text())["value"]

    def settings(self) -> dict[str, str]:
        return {"GPUPLAN_AZURE_RETAIL_URL": self.url, "GPUPLAN_AZURE_MANAGEMENT_URL": self.url}

    def answer(self, ask: Ask) -> Answer:
        if ask.path == "/api/retail/prices":
            return self._prices(ask)
        if ask.path.endswith("/providers/Microsoft.Compute/skus"):
            return self._skus(ask)
        return Answer.json({"error": {"code": "NotFound", "message": "no such page"}}, 404)

    def _prices(self, ask: Ask) -> Answer:
        if ask.query.get("$top") == "0":
            return Answer.json({"Error": {"Code": "400", "Message": "invalid OData"}}, 400)
        region = re.search(r"armRegionName eq '([^']+)'", ask.query["$filter"])
        assert region is not None
        rows = [row for row in self.items if row["armRegionName"] == region.group(1)]
        start = int(ask.query.get("$skip") or 0)
        page = rows[start : start + PER_PAGE]
        filtered = f"$filter={ask.query['$filter']}&api-version={ask.query['api-version']}&currencyCode=USD"
        following = (
            f"https://prices.azure.com:443/api/retail/prices?{filtered}&$skip={start + PER_PAGE}&$top=0"
            if page
            else None
        )
        return Answer.json({"BillingCurrency": "USD", "Items": page, "NextPageLink": following, "Count": len(page)})

    def _skus(self, ask: Ask) -> Answer:
        if not ask.headers.get("Authorization", "").startswith("Bearer "):
            return Answer.json({"error": {"code": "AuthenticationFailed"}}, 401)
        start = int(ask.query.get("$skiptoken") or 0)
        page = self.sizes[start : start + PER_PAGE]
        more = start + PER_PAGE < len(self.sizes)
        following = (
            {"nextLink": f"{self.url}{ask.path}?api-version=2021-07-01&$skiptoken={start + PER_PAGE}"} if more else {}
        )
        return Answer.json({"value": page, **following})
