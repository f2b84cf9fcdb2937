"""Google Cloud on the loopback: the Compute and the Cloud Billing API as REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.loopback.recorded import moved
from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "gcp"
SKUS_PER_PAGE = 20


class GcpCloud(LoopbackServer):
    """Pages are small, so that every list has several; one zone a page, and one page without any."""

    def __init__(self) -> None:
        super().__init__()
        self.machines = json.loads((FIXTURES / "machines.json").read_text())
        self.skus = [
            self._sku(number, *row)
            for number, row in enumerate(json.loads((FIXTURES / "skus.json").read_text())["skus"])
        ]

    def settings(self) -> dict[str, str]:
        return {"GPUPLAN_GCP_COMPUTE_URL": self.url, "GPUPLAN_GCP_BILLING_URL": self.url}

    @staticmethod
    def _sku(
        number: int, text: str, usage: str, usd: float, regions: list[str], unit: str, group: str, family: str
    ) -> dict[str, Any]:
        whole = int(usd)
        rate = {"currencyCode": "USD", "units": str(whole), "nanos": round((usd - whole) * 1e9)}
        expression = {"usageUnit": unit, "tieredRates": [{"startUsageAmount": 0, "unitPrice": rate}]}
        return {
            "name": f"services/6F81-5844-456A/skus/SKU-{number:04d}",
            "skuId": f"SKU-{number:04d}",
            "description": text,
            "category": {
                "serviceDisplayName": "Compute Engine",
                "resourceFamily": family,
                "resourceGroup": group,
                "usageType": usage,
            },
            "serviceRegions": regions,
            "pricingInfo": [{"effectiveTime": moved("2026-11-01T07:00:00Z"), "pricingExpression": expression}],
        }

    def answer(self, ask: Ask) -> Answer:
        if ask.path.endswith("/skus"):
            return self._paged("skus", self.skus, ask, SKUS_PER_PAGE)
        if ask.path.endswith("/aggregated/machineTypes"):
            return self._zones(ask, "machineTypes", {zone: self._machines(zone) for zone in self.machines["zones"]})
        if ask.path.endswith("/aggregated/acceleratorTypes"):
            return self._zones(ask, "acceleratorTypes", self.machines["acceleratorTypes"])
        return Answer.json({"error": {"code": 404, "message": "no such page"}}, 404)

    def _machines(self, zone: str) -> list[dict[str, Any]]:
        return [
            {"name": name, "zone": zone, **self.machines["machineTypes"][name]} for name in self.machines["zones"][zone]
        ]

    @staticmethod
    def _zones(ask: Ask, name: str, by_zone: dict[str, list[dict[str, Any]]]) -> Answer:
        zones = [*sorted(by_zone), ""]  # the last page holds a zone with nothing but a warning
        start = int(ask.query.get("pageToken") or 0)
        zone = zones[start]
        empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "nothing here"}}
        items = {f"zones/{zone}": {name: by_zone[zone]}} if zone else {"zones/us-west9-z": empty}
        more = {"nextPageToken": str(start + 1)} if start + 1 < len(zones) else {}
        return Answer.json({"kind": "compute#aggregatedList", "items": items, **more})

    @staticmethod
    def _paged(name: str, rows: list[Any], ask: Ask, size: int) -> Answer:
        start = int(ask.query.get("pageToken") or 0)
        token = str(start + size) if start + size < len(rows) else ""
        return Answer.json({name: rows[start : start + size], "nextPageToken": token})
