"""Asking a cloud of our own and reading its answers, as a refresh does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pricing.facts.offers import Offer
from pricing.providers import load_provider
from pricing.providers.contract import PartFault, RawPage, RefusedRow, Request
from tests.loopback.server import LoopbackServer


@dataclass
class Gathered:
    """What came of asking one provider."""

    offers: list[Offer] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    faults: list[PartFault] = field(default_factory=list)
    pages: list[RawPage] = field(default_factory=list)

    def the(self, instance_type: str, purchase_option: str, region: str = "", **fields: object) -> Offer:
        """Return the one offer that fits."""
        found = [
            offer
            for offer in self.offers
            if offer.instance_type == instance_type
            and offer.purchase_option == purchase_option
            and (not region or offer.region == region)
            and all(getattr(offer, name) == value for name, value in fields.items())
        ]
        assert len(found) == 1, f"{len(found)} offers of {instance_type} {purchase_option} {region}: {found}"
        return found[0]

    def reasons(self) -> set[str]:
        return {fault.reason for fault in self.faults}


Ask = Callable[..., Gathered]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what asks a provider of a cloud, with nothing but the cloud's own settings."""
    monkeypatch.setattr("pricing.providers.client.FIRST_PAUSE_S", 0.001)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    def gather(name: str, cloud: LoopbackServer | None = None, *, seconds: float = 60.0, **fields: object) -> Gathered:
        provider = load_provider(name)
        settings = dict(cloud.settings()) if cloud else {}
        settings.update(fields.pop("settings", {}))  # type: ignore[call-overload]
        request = Request(settings=settings, spool=tmp_path, give_up_at=time.monotonic() + seconds, **fields)  # type: ignore[arg-type]
        gathered = Gathered()
        for answer in provider.fetch(request):
            if isinstance(answer, PartFault):
                gathered.faults.append(answer)
            else:
                gathered.pages.append(answer)
        broken = {fault.part for fault in gathered.faults}
        for row in provider.normalize([page for page in gathered.pages if page.part not in broken]):
            match row:
                case Offer():
                    gathered.offers.append(row)
                case RefusedRow():
                    gathered.refused.append(row)
                case PartFault():
                    gathered.faults.append(row)
        return gathered

    return gather
