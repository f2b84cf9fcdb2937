"""Make a FOCUS bill of any size whose answers are known: ``scripts/make_usage.py FOLDER --rows 100000 --seed 7``.

The bill is of an invented company: GPU machines at three clouds under every purchase option, and many other charges. Beside
the files a ``known.json`` says what a reader has to find: hours, costs, unused commitments, coverage, utilisation. It is
added up from the plan of the fleet, not from the rows of the bill, in whole billionths of a dollar.

The quirks of real exports are in it: columns without any value, two currencies, late corrections, several time zones,
rows that come twice, credits, taxes, refunds, and purchases whose amortised part is billed elsewhere.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from usage_tables import EUR_USD, NANO, START, VERSIONS, tables, write_csv


@dataclass(frozen=True)
class Machine:
    """A machine type that the company uses, with its prices per hour in billionths of the bill's currency."""

    provider: str
    instance_type: str
    gpu: str
    gpus: int
    region: str
    list_nano: int
    on_demand_nano: int
    committed_nano: int
    spot_nano: int
    currency: str = "USD"


MACHINES = (
    Machine("AWS", "p5.48xlarge", "H100-SXM", 8, "us-east-1", 55_040_000_000, 52_000_000_000, 34_000_000_000, 21_000_000_000),
    Machine("AWS", "g6e.12xlarge", "L40S", 4, "us-east-1", 10_492_640_000, 10_000_000_000, 6_600_000_000, 4_100_000_000),
    Machine("AWS", "p4d.24xlarge", "A100-40GB-SXM", 8, "us-west-2", 32_772_600_000, 32_772_600_000, 19_220_000_000, 9_100_000_000),
    Machine("Microsoft", "Standard_ND96isr_H100_v5", "H100-SXM", 8, "eastus", 98_320_000_000, 90_000_000_000, 62_000_000_000, 40_000_000_000, "EUR"),
    Machine("Google Cloud", "a3-highgpu-8g", "H100-SXM", 8, "us-central1", 88_490_000_000, 80_000_000_000, 61_000_000_000, 26_000_000_000),
)  # fmt: skip
AWS_P5, AWS_G6E, AWS_P4D, AZURE_H100, GCP_H100 = MACHINES
GCP_PARTS = (("Nvidia H100 80GB GPU attached to A3 instance", 0.75, 8), ("A3 Instance Core running", 0.15, 208), ("A3 Instance Ram running", 0.10, 1872))  # fmt: skip
RESERVED_P5 = 4
RESERVED_AZURE = 2
SAVINGS_PLAN_NANO = 30_000_000_000


@dataclass
class Bill:
    """Rows as columns of whole numbers: which template, which hour, how much."""

    templates: list[dict[str, Any]] = field(default_factory=list)
    template: list[np.ndarray] = field(default_factory=list)
    hour: list[np.ndarray] = field(default_factory=list)
    span: list[np.ndarray] = field(default_factory=list)
    quantity: list[np.ndarray] = field(default_factory=list)
    nano: list[np.ndarray] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)

    def add(self, constants: dict[str, Any], hours: np.ndarray, quantity: ArrayLike, nano: ArrayLike, span: int = 1) -> None:  # fmt: skip
        """Add rows of one template; `nano` is effective, list, contracted and billed cost, of each row or of all."""
        count = len(hours)
        if not count:
            return
        self.templates.append(constants)
        self.template.append(np.full(count, len(self.templates) - 1, dtype=np.int32))
        self.hour.append(hours.astype(np.int32))
        self.span.append(np.full(count, span, dtype=np.int32))
        self.quantity.append(np.broadcast_to(np.asarray(quantity, dtype=float), count))
        self.nano.append(np.broadcast_to(np.asarray(nano, dtype=np.int64).reshape(-1, 4), (count, 4)))

    def count(self) -> int:
        """Rows so far."""
        return sum(len(part) for part in self.template)


def weekly(hours: int, low: int, high: int, rng: np.random.Generator) -> np.ndarray:
    """Return machines at work by hour: few at night and on the weekend, with some noise."""
    clock = np.arange(hours)
    busy = (clock % 24 >= 8) & (clock % 24 < 20) & ((clock // 24 + START.weekday()) % 7 < 5)
    level = np.where(busy, high, low) + rng.integers(-1, 2, hours)
    return np.clip(level, 0, high)


def sku(machine: Machine, meter: str = "", unit: str = "Hours") -> dict[str, Any]:
    """Return the columns that say what was bought."""
    details = {
        "CoreCount": 24 * machine.gpus, "InstanceType": machine.instance_type, "InstanceSeries": machine.instance_type[:3],
        "GpuCount": machine.gpus,
    }  # fmt: skip
    return {
        "ProviderName": machine.provider, "RegionId": machine.region, "BillingCurrency": machine.currency,
        "SkuPriceDetails": json.dumps(details, separators=(",", ":")), "SkuMeter": meter or "Instance Usage",
        "SkuId": f"SKU-{machine.instance_type}{meter[:12]}", "ConsumedUnit": unit, "PricingUnit": unit,
        "ServiceCategory": "Compute", "ServiceName": "Virtual Machines", "ResourceType": "Instance",
        "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{machine.instance_type} instance hour {meter}".strip(),
    }  # fmt: skip


def add_gpu_rows(bill: Bill, hours: int, teams: int, rng: np.random.Generator) -> None:
    """Add the fleet, and what is known of it."""
    known = bill.known
    for key in ("effective_nano", "list_nano", "waste_nano", "used_commitment_nano"):
        known[key] = {"USD": 0, "EUR": 0}
    known.update({"gpu_hours": {}, "unused_gpu_hours": 0, "committed_gpu_hours": 0, "option_gpu_hours": {}})
    known["level"] = np.zeros(hours, dtype=np.int64)

    def used(machine: Machine, option: str, at: np.ndarray, rate: int, team: int, extra: dict[str, Any]) -> None:
        tags = json.dumps({"team": f"team-{team}", "env": "prod"})
        base = sku(machine) | {"SubAccountId": f"acct-{team:03d}", "Tags": tags} | extra
        if machine is GCP_H100:
            for meter, share, many in GCP_PARTS:
                cost = [round(nano * share) for nano in (rate, machine.list_nano, rate, rate)]
                unit = {"ConsumedUnit": "seconds", "PricingUnit": "hour"}
                quantity = many * 3600.0
                bill.add(base | sku(machine, meter) | unit | extra | {"per_hour": 1 / 3600}, at, quantity, cost)
        else:
            billed = 0 if option == "committed" else rate
            bill.add(base, at, 1.0, [rate, machine.list_nano, machine.on_demand_nano, billed])
        gpus = machine.gpus * len(at)
        known["gpu_hours"][machine.gpu] = known["gpu_hours"].get(machine.gpu, 0) + gpus
        known["option_gpu_hours"][option] = known["option_gpu_hours"].get(option, 0) + gpus
        known["effective_nano"][machine.currency] += rate * len(at)
        known["list_nano"][machine.currency] += machine.list_nano * len(at)
        np.add.at(known["level"], at, machine.gpus)
        if option == "committed":
            known["committed_gpu_hours"] += gpus
            known["used_commitment_nano"][machine.currency] += rate * len(at)

    def unused(
        machine: Machine, idle: np.ndarray, nano: np.ndarray | int, team: int, extra: dict[str, Any], gpus: int
    ) -> None:
        at = np.flatnonzero(idle)
        base = sku(machine) | {"SubAccountId": f"acct-{team:03d}", "PricingCategory": "Committed"} | extra
        cost = np.zeros((len(at), 4), dtype=np.int64)
        cost[:, 0] = (np.broadcast_to(nano, len(idle)) * (idle if gpus else 1))[at]
        bill.add(base | {"CommitmentDiscountStatus": "Unused", "ConsumedUnit": None}, at, idle[at], cost)
        known["waste_nano"][machine.currency] += int(cost[:, 0].sum())
        known["unused_gpu_hours"] += int(idle[at].sum()) * gpus

    for team in range(teams):
        for machine, count, name in ((AWS_P5, RESERVED_P5, "ri"), (AZURE_H100, RESERVED_AZURE, "res")):
            commitment = {
                "CommitmentDiscountId": f"{name}-{team:03d}", "CommitmentDiscountCategory": "Usage",
                "CommitmentDiscountType": "Reserved" if name == "ri" else "Reservation",
            }  # fmt: skip
            level = weekly(hours, count - 2, count + 1, rng)
            for slot in range(count + 1):
                at = np.flatnonzero(level > slot)
                resource = {"ResourceId": f"i-{name}-{team:03d}-{slot}"}
                if slot < count:
                    covered = (
                        commitment | resource | {"CommitmentDiscountStatus": "Used", "PricingCategory": "Committed"}
                    )
                    used(machine, "committed", at, machine.committed_nano, team, covered)
                else:
                    used(
                        machine,
                        "on_demand",
                        at,
                        machine.on_demand_nano,
                        team,
                        resource | {"PricingCategory": "Standard"},
                    )
            unused(machine, np.maximum(count - level, 0), machine.committed_nano, team, commitment, machine.gpus)
        plan = {
            "CommitmentDiscountId": f"sp-{team:03d}", "CommitmentDiscountCategory": "Spend",
            "CommitmentDiscountType": "SavingsPlan",
        }  # fmt: skip
        level = weekly(hours, 1, 4, rng)
        for slot in range(4):
            covered = plan | {"ResourceId": f"i-sp-{team:03d}-{slot}", "CommitmentDiscountStatus": "Used", "PricingCategory": "Committed"}  # fmt: skip
            used(AWS_G6E, "committed", np.flatnonzero(level > slot), AWS_G6E.committed_nano, team, covered)
        left = SAVINGS_PLAN_NANO - level * AWS_G6E.committed_nano
        # A plan's unused rest is of no instance type.
        nothing = dict.fromkeys(("SkuPriceDetails", "SkuMeter", "ResourceType", "ChargeDescription", "PricingUnit"))
        unused(AWS_G6E, (left > 0).astype(np.int64), left, team, plan | nothing, 0)
        spot = rng.random(hours) < 0.6
        used(AWS_P4D, "spot", np.flatnonzero(spot), AWS_P4D.spot_nano, team, {"PricingCategory": "Dynamic", "ResourceId": f"i-spot-{team:03d}"})  # fmt: skip
        used(GCP_H100, "on_demand", np.flatnonzero(weekly(hours, 0, 1, rng) > 0), GCP_H100.on_demand_nano, team, {"PricingCategory": "Standard", "ResourceId": f"vm-{team:03d}"})  # fmt: skip


def add_other_rows(bill: Bill, hours: int, rows: int, rng: np.random.Generator) -> None:
    """Fill up with charges that are of no GPU."""
    others = 400
    for number in range(others):
        share = rows // others + (number < rows % others)
        details = json.dumps({"InstanceType": f"m7i.{2 + number % 12}xlarge", "CoreCount": 8}) if number % 3 else None
        constants = {
            "ProviderName": ("AWS", "Microsoft", "Google Cloud")[number % 3], "RegionId": ("us-east-1", "eastus", "us-central1")[number % 3],
            "BillingCurrency": "USD", "SkuPriceDetails": details, "SkuMeter": "Instance Usage" if details else f"Requests-{number}",
            "ConsumedUnit": "Hours" if details else "Requests", "PricingUnit": "Hours" if details else "Requests",
            "SkuId": f"SKU-{number:04d}", "ServiceCategory": "Compute" if details else "Storage", "ServiceName": f"Service {number % 40}",
            "ResourceType": "Instance" if details else "Bucket", "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based",
            "PricingCategory": "Standard", "SubAccountId": f"acct-{number % 23:03d}", "ResourceId": f"res-{number}",
            "Tags": json.dumps({"team": f"team-{number % 9}"}) if number % 4 else None, "ChargeDescription": f"service {number}",
        }  # fmt: skip
        cost = rng.integers(1, 2_000_000_000, share)
        # Each row differs, so that none is taken for another's copy.
        bill.add(constants, rng.integers(0, hours, share), 1.0 + np.arange(share) / 1024, np.stack([cost] * 4, axis=1))
        bill.known["other_nano"] = bill.known.get("other_nano", 0) + int(cost.sum())


def add_quirks(bill: Bill, hours: int) -> None:
    """Add credits, taxes, refunds, purchases, and a correction of an hour that was billed too high."""
    known = bill.known
    last = np.array([hours - 1])
    account = {"SubAccountId": "acct-000", "ResourceId": None}
    month = {"ChargeFrequency": "One-Time", "PricingUnit": None, "ConsumedUnit": None}
    for category, nano, billed in (
        ("Credit", -125_500_000_000, -125_500_000_000),
        ("Tax", 77_250_000_000, 77_250_000_000),
        ("Purchase", 0, 99_000_000_000_000),
    ):
        extra = {"ChargeCategory": category, "CommitmentDiscountId": "ri-000" if category == "Purchase" else None}
        bill.add(sku(AWS_P5) | account | month | extra, last, np.nan, [nano, 0, nano, billed])
        known[category.lower() + "_nano"] = nano
    correction = {"ChargeClass": "Correction", "PricingCategory": "Standard", "ConsumedUnit": None, "late": True}
    nano = -3_250_000_000
    bill.add(sku(AWS_P5) | account | correction, np.array([5]), np.nan, [nano, 0, nano, nano])
    known["correction_nano"] = nano
    known["effective_nano"]["USD"] += nano


def make(rows: int, *, seed: int, hours: int = 744, teams: int = 1, quirks: bool = True) -> tuple[Bill, dict[str, Any]]:
    """Return a bill of about so many rows, and what is known of it in USD.

    Returns
    -------
    tuple of Bill and dict
    """
    rng = np.random.default_rng(seed)
    bill = Bill()
    add_gpu_rows(bill, hours, teams, rng)
    if quirks:
        add_quirks(bill, hours)
    bill.known["gpu_rows"] = bill.count()
    add_other_rows(bill, hours, max(rows - bill.count(), 0), rng)
    return bill, answers(bill)


def answers(bill: Bill) -> dict[str, Any]:
    """Return the known answers in USD and GPU-hours."""
    known = bill.known

    def usd(key: str) -> float:
        return float(known[key]["USD"] + known[key]["EUR"] * EUR_USD) / NANO

    committed, on_demand = known["committed_gpu_hours"], known["option_gpu_hours"].get("on_demand", 0)
    paid = usd("effective_nano") + usd("waste_nano")
    level = np.sort(known["level"])
    return {
        "rows": bill.count(),
        "gpu_hours": float(sum(known["gpu_hours"].values())),
        "gpu_hours_by_gpu": {name: float(value) for name, value in known["gpu_hours"].items()},
        "gpu_hours_by_option": {name: float(value) for name, value in known["option_gpu_hours"].items()},
        "effective_usd": paid,
        "list_usd": usd("list_nano"),
        "waste_usd": usd("waste_nano"),
        "unused_gpu_hours": float(known["unused_gpu_hours"]),
        "coverage_share": committed / (committed + on_demand),
        "utilisation_share": usd("used_commitment_nano") / (usd("used_commitment_nano") + usd("waste_nano")),
        "savings_rate_share": 1 - paid / usd("list_nano"),
        "peak_gpus": float(level[-1]),
        "base_gpus": float(level[int(np.floor(0.1 * len(level)))]),
        "correction_usd": known.get("correction_nano", 0) / NANO,
        "credit_usd": known.get("credit_nano", 0) / NANO,
        "tax_usd": known.get("tax_nano", 0) / NANO,
        "other_usd": known.get("other_nano", 0) / NANO,
    }


def write(folder: Path, rows: int, *, seed: int, teams: int, version: str, form: str, hours: int = 744, doubles: int = 0) -> dict[str, Any]:  # fmt: skip
    """Write a bill into a folder and return what is known of it."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    bill, known = make(rows, seed=seed, hours=hours, teams=teams)
    known["duplicates"] = doubles
    for number, table in enumerate(tables(bill, version, seed=seed, doubles=doubles)):
        if form == "parquet":
            pq.write_table(table, folder / f"bill-{number:04d}.parquet", compression="snappy")
        else:
            write_csv(table, folder / f"bill-{number:04d}.{form}", offset_hours=(0, 2)[number % 2])
    (folder / "known.json").write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return known


def main() -> None:
    """Write a bill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--teams", type=int, default=1, help="each brings a fleet of about 12,000 rows a month")
    parser.add_argument("--hours", type=int, default=744)
    parser.add_argument("--version", choices=VERSIONS, default="1.2")
    parser.add_argument("--form", choices=("parquet", "csv", "csv.gz"), default="parquet")
    parser.add_argument("--duplicates", type=int, default=0, help="GPU rows that come twice")
    parser.add_argument(
        "--cases", action="store_true", help="small bills and records in each of which one thing easily goes wrong"
    )
    given = parser.parse_args()
    if given.cases:
        import usage_cases

        print(json.dumps(usage_cases.write_cases(given.folder), indent=2))
        return
    known = write(
        given.folder, given.rows, seed=given.seed, teams=given.teams, version=given.version, form=given.form,
        hours=given.hours, doubles=given.duplicates,
    )  # fmt: skip
    print(json.dumps(known, indent=2))


if __name__ == "__main__":
    main()
