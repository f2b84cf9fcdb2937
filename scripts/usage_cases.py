"""Small bills and records in each of which one thing easily goes wrong, with their right answers.

``scripts/make_usage.py FOLDER --cases`` writes them all.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from usage_tables import START


@dataclass(frozen=True)
class LedgerCase:
    """A bill in which one thing is easily counted twice or not at all, and what is right.

    Attributes
    ----------
    files : dict of str to list of dict
        Rows by file; a column that no row of a file has is not in it.
    gpu_hours, unused_gpu_hours, effective_usd : float
        What a reader has to find.
    checks : tuple of str
        Codes of what it has to tell beside (`planner.usage.bill.Check`).
    removed : tuple of str
        Files that lie in a Delta table's folder and that its log has removed; where there are any, all are written as one.
    """

    files: dict[str, list[dict[str, Any]]]
    gpu_hours: float
    effective_usd: float
    unused_gpu_hours: float = 0.0
    checks: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


P5_USD = 55.04


def bill_rows(hours: Any = 24, *, usd: Any = P5_USD, quantity: Any = 1.0, **columns: Any) -> list[dict[str, Any]]:  # noqa: ANN401  cells of a table
    """Return a row for each hour, by default of one 8-GPU machine on demand; `columns` replace any of its columns."""
    found = []
    for hour in range(hours):
        begin = START + timedelta(hours=hour)
        found.append(
            {
                "BillingCurrency": "USD", "ChargeCategory": "Usage", "ChargeDescription": "per On Demand Linux p5.48xlarge Instance Hour",
                "ChargePeriodStart": begin.isoformat(), "ChargePeriodEnd": (begin + timedelta(hours=1)).isoformat(),
                "EffectiveCost": usd, "BilledCost": usd, "ListCost": usd, "ContractedCost": usd,
                "ConsumedQuantity": quantity, "ConsumedUnit": "Hours", "PricingQuantity": quantity, "PricingUnit": "Hours",
                "PricingCategory": "Standard", "ProviderName": "AWS", "RegionId": "us-east-1", "ResourceId": "i-1",
                "ServiceName": "Amazon Elastic Compute Cloud", "SkuMeter": "BoxUsage:p5.48xlarge",
                "SkuPriceDetails": '{"InstanceType": "p5.48xlarge"}', "SubAccountId": "account",
            }
            | columns
        )  # fmt: skip
    return found


def ledger_cases() -> dict[str, LedgerCase]:
    """Return small bills of every kind in which hours or money go wrong, with their right answers."""
    p5, day = bill_rows(), 24 * P5_USD
    azure = {"ProviderName": "Microsoft", "ServiceName": "Virtual Machines", "SkuMeter": "ND96isr H100 v5", "ResourceId": "/vm/1",
             "SkuPriceDetails": '{"ServiceType": "Standard_ND96isr_H100_v5"}', "ChargeDescription": "ND96isr H100 v5"}  # fmt: skip
    google = {"ProviderName": "Google Cloud", "ServiceName": "Compute Engine", "SkuMeter": "", "SkuPriceDetails": "",
              "x_SkuDescription": "Nvidia H100 80GB GPU attached to A3 instance", "ChargeDescription": "", "ResourceId": "vm-1"}  # fmt: skip
    oracle = {"ProviderName": "Oracle", "ServiceName": "COMPUTE", "SkuMeter": "OCI - Compute - GPU - H100", "SkuPriceDetails": "",
              "ChargeDescription": "GPU H100", "ConsumedUnit": "GPU HOURS", "PricingUnit": "GPU HOURS"}  # fmt: skip
    cloud = {"ProviderName": "GPU Cloud", "ServiceName": "Compute", "SkuPriceDetails": "", "ChargeDescription": "", "BilledCost": "", "ListCost": "", "ContractedCost": ""}  # fmt: skip
    priced = {"ProviderName": "GPU Cloud", "ServiceName": "Compute", "SkuPriceDetails": "", "ChargeDescription": ""}
    a100 = google | {"x_SkuDescription": "Nvidia Tesla A100 GPU running in Iowa"}
    a2_parts = [
        row
        for part in ("Core", "Ram")
        for row in bill_rows(
            quantity=96, usd=2.0, **(google | {"x_SkuDescription": f"A2 Instance {part} running in Iowa"})
        )
    ]
    free = {"usd": 0.0}
    aws = LedgerCase

    def beside(**columns: Any) -> list[dict[str, Any]]:
        return p5 + bill_rows(**{"usd": 0.5, **columns})

    month = {"ChargePeriodStart": START.isoformat(), "ChargePeriodEnd": (START + timedelta(hours=744)).isoformat()}
    old = {"SkuMeter": None, "SkuPriceDetails": None, "x_UsageType": "BoxUsage:p5.48xlarge"}
    preview = old | {"ConsumedQuantity": None, "ConsumedUnit": None, "PricingQuantity": None, "PricingUnit": None, "UsageQuantity": 1, "UsageUnit": "Hours", "PricingCategory": "On-Demand", "RegionId": None, "Region": "us-east-1"}  # fmt: skip
    spelled = {"month first, half days": "%m/%d/%Y %I:%M:%S %p", "day first": "%d/%m/%Y %H:%M", "by points": "%d.%m.%Y %H:%M", "named months": "%d-%b-%Y %H:%M"}  # fmt: skip
    split = {"quantity": 0.5, "usd": P5_USD / 2, "AllocatedMethodId": "m"}
    return {
        "a service's fee": aws({"a": beside(ServiceName="Amazon Elastic MapReduce", ResourceId="cluster-1")}, 192, day + 12),
        "a cluster service's fee": aws({"a": beside(ServiceName="Amazon Elastic Kubernetes Service", SkuMeter="EKS-Auto:p5.48xlarge")}, 192, day + 12),
        "software of a marketplace": aws({"a": beside(ServiceName="AWS Marketplace", ChargeDescription="AWS Marketplace software usage|us-east-1|p5.48xlarge", SkuMeter="SoftwareUsage:p5.48xlarge")}, 192, day + 12),
        "a license": aws({"a": bill_rows(**azure) + bill_rows(usd=0.5, **(azure | {"SkuMeter": "ComputeHR_SW", "ServiceName": "Virtual Machines Licenses"}))}, 192, day + 12),
        "a management fee on a GPU": aws({"a": bill_rows(quantity=8, **google) + bill_rows(usd=0.5, quantity=8, **(google | {"ServiceName": "Vertex AI", "x_SkuDescription": "Vertex AI: management fee on NVIDIA H100"}))}, 192, day + 12),
        "units of a platform": aws({"a": beside(ProviderName="Databricks", ServiceName="Databricks", SkuMeter="ENTERPRISE_JOBS_COMPUTE", ConsumedUnit="DBU", PricingUnit="DBU")}, 192, day + 12),
        "a reservation's rows at no cost": aws({"a": beside(**free, ResourceId="cr-1", SkuMeter="Reservation:p5.48xlarge", CapacityReservationId="cr-1", CapacityReservationStatus="Used")}, 192, day),
        "a reservation's rows by resource alone": aws({"a": beside(**free, ResourceId="arn:aws:ec2:us-east-1:1:capacity-reservation/cr-1")}, 192, day),
        "a savings plan's negation": aws({"a": p5 + bill_rows(usd=-P5_USD, ChargeDescription="SavingsPlanNegation used by p5.48xlarge") + bill_rows(usd=30.0, ResourceId="i-1", ChargeDescription="SavingsPlanCoveredUsage")}, 192, 24 * 30, 0, ("above_one_machine",)),
        "unused capacity told by a meter": aws({"a": bill_rows(ResourceId="cr-1", SkuMeter=None, SkuPriceDetails=None, x_UsageType="UnusedBox:p5.48xlarge")}, 0, day, 192),
        "a month exported again": aws({"run-9/a": p5, "run-10/a": bill_rows(usd=50.0)}, 192, 1200, 0, ("replaced_export",)),
        "two versions of one month": aws({"old": bill_rows(**old), "new": bill_rows(usd=50.0, InvoiceId="x")}, 192, 1200, 0, ("replaced_export",)),
        "the columns of FOCUS 1.0-preview": aws({"a": bill_rows(**preview, ChargeSubcategory="On-Demand") + bill_rows(**preview, ChargeSubcategory="Unused Commitment", ResourceId="ri", CommitmentDiscountId="ri")}, 192, 2 * day, 192),
        "the columns of FOCUS 1.4": aws({"a": bill_rows(ProviderName=None, ServiceProviderName="AWS", HostProviderName="AWS")}, 192, day),
        "one export in parts": aws({"part-1": p5, "part-2": bill_rows(ResourceId="i-2")}, 384, 2 * day),
        "a machine shared among pods": aws({"a": bill_rows(**split, AllocatedResourceId="pod-a") + bill_rows(**split, AllocatedResourceId="pod-b")}, 192, day, 0, ("split_allocation",)),
        "a capacity block that use does not carry": aws({"a": bill_rows(**free, CapacityReservationId="cr-b") + bill_rows(1, usd=700.0, quantity="", ChargeCategory="Purchase", SkuMeter="CapacityBlock:p5.48xlarge", ResourceId="cr-b", CapacityReservationId="cr-b")}, 192, 700, 0, ("purchase_counted",)),
        "a purchase that use carries": aws({"a": bill_rows(CommitmentDiscountId="ri", CommitmentDiscountStatus="Used") + bill_rows(1, usd=700.0, quantity="", ChargeCategory="Purchase", CommitmentDiscountId="ri")}, 192, day, 0, ("purchase_not_counted",)),
        "a cluster bought by the month": aws({"a": bill_rows(1, usd=14_400.0, ChargeCategory="Purchase", SkuMeter="8x H100 reserved cluster", ConsumedUnit="Month", PricingUnit="Month", **(cloud | month))}, 8 * 744, 14_400, 0, ("purchase_counted",)),
        "a cluster bought by the month, told in words": aws({"a": bill_rows(1, usd=14_400.0, ChargeCategory="Purchase", SkuMeter="H100 SXM reserved", **(cloud | month | {"ConsumedUnit": "Months", "PricingUnit": "Months", "ChargeDescription": "Reserved cluster, 8x H100"}))}, 8 * 744, 14_400, 0, ("purchase_counted",)),
        "a GPU cloud's machine by its number of GPUs": aws({"a": bill_rows(ProviderName="CoreWeave", SkuMeter="H100 NVLINK 8x", SkuPriceDetails="", ChargeDescription="")}, 192, day),
        "a GPU cloud's units": aws({"a": bill_rows(quantity=8, ProviderName="Nebius", SkuMeter="NVIDIA® H100 NVLink with Intel Sapphire Rapids. GPU", SkuPriceDetails="", ChargeDescription="", ConsumedUnit="gpu*hour", PricingUnit="gpu*hour")}, 192, day),
        "a license that names its machine": aws({"a": bill_rows(**azure) + bill_rows(usd=0.5, **(azure | {"SkuMeter": "96 vCPU VM License", "ServiceName": "Virtual Machines Licenses", "SkuPriceDetails": '{"ServiceType": "ComputeHR_SW", "VMSize": "Standard_ND96isr_H100_v5"}'}))}, 192, day + 12),
        "a machine with a sixth of a GPU": aws({"a": bill_rows(**(azure | {"SkuMeter": "NV6ads A10 v5", "SkuPriceDetails": ""}))}, 4, day),
        "a platform's machines": aws({"a": p5 + bill_rows(usd=253.2, quantity=4, ServiceName="Amazon SageMaker", SkuMeter="Train:ml.p5.48xlarge", SkuPriceDetails='{"InstanceType": "ml.p5.48xlarge"}', ResourceId="job-1")}, 960, day + 24 * 253.2),
        "a GPU's own SKU": aws({"a": bill_rows(quantity=8, **oracle)}, 192, day),
        "a cloud that states no cost": aws({"a": bill_rows(usd="", SkuMeter="gd-8xh100ib-i128", **cloud)}, 192, 0, 0, ("no_cost",)),
        "a machine in the description alone": aws({"a": bill_rows(SkuMeter="Compute Instance", SkuPriceDetails="", ChargeDescription="55.04 per On Demand Linux p5.48xlarge Instance Hour, i-0123456789abcdef0")}, 192, day),
        "a series and a size in the description alone": aws({"a": bill_rows(**(azure | {"SkuMeter": "Compute", "SkuPriceDetails": "", "ChargeDescription": "Virtual Machines NDsr H100 v5 Series - ND96isr H100 v5 - US East"}))}, 192, day),
        "a GPU cloud's GPUs in the description alone": aws({"a": bill_rows(quantity=8, usd=P5_USD, **(priced | {"SkuMeter": "on-demand", "ChargeDescription": "NVIDIA H100 SXM5 80GB on demand", "ConsumedUnit": "GPU Hours", "PricingUnit": "GPU Hours"}))}, 192, day),
        "a GPU's hours that do not say which": aws({"a": bill_rows(quantity=8, **(priced | {"SkuMeter": "Cluster", "ConsumedUnit": "GPU Hours", "PricingUnit": "GPU Hours"}))}, 192, day),
        "a SKU that names the host's generation": aws({"a": bill_rows(quantity=8, **(oracle | {"SkuMeter": "Compute - GPU Standard - V2", "ChargeDescription": ""}))}, 192, day),
        "a month exported again, without resources": aws({"run-9/a": bill_rows(ResourceId=None), "run-10/a": bill_rows(ResourceId="", usd=50.0)}, 192, 1200, 0, ("replaced_export",)),
        "a capacity block that names no machine": aws({"a": bill_rows(**free) + bill_rows(1, usd=700.0, quantity=1, ChargeCategory="Purchase", SkuMeter="USE1-CapacityBlock", SkuPriceDetails="", ChargeDescription="EC2 Capacity Blocks upfront fee", ResourceId="cr-b", ConsumedUnit="", PricingUnit="")}, 192, 700, 0, ("purchase_counted",)),
        "a cluster bought by the month, with no unit": aws({"a": bill_rows(1, usd=14_400.0, quantity="", ChargeCategory="Purchase", SkuMeter="8x H100 reserved cluster", **(cloud | month | {"ConsumedUnit": "", "PricingUnit": ""}))}, 8 * 744, 14_400, 0, ("purchase_counted",)),
        "a cloud that states neither cost nor currency": aws({"a": bill_rows(usd="", SkuMeter="gd-8xh100ib-i128", BillingCurrency="", **cloud)}, 192, 0, 0, ("no_cost",)),
        "a dedicated host under its instances": aws({"a": bill_rows(**free, SkuMeter="HostBoxUsage:p5.48xlarge") + bill_rows(ResourceId="h-1", SkuMeter="HostUsage:p5", SkuPriceDetails="")}, 192, day),
        "a dedicated host alone": aws({"a": bill_rows(ResourceId="h-1", SkuMeter="HostUsage:p5", SkuPriceDetails="")}, 192, day),
        "accelerators that are no GPUs": aws({"a": bill_rows(SkuMeter="BoxUsage:trn1.32xlarge", SkuPriceDetails="")}, 384, day),
        "GPUs that nobody knows": aws({"a": beside(SkuMeter="BoxUsage:p99.48xlarge", SkuPriceDetails="", ResourceId="i-2")}, 192, day, 0, ("not_counted",)),
        "no list price for a half": aws({"a": p5 + bill_rows(usd=30.0, ListCost=0, ResourceId="i-2")}, 384, day + 720, 0, ("no_list_price",)),
        "capacity that Azure reserved and nobody used": aws({"a": bill_rows(**azure) + bill_rows(**(azure | {"ResourceId": "/capacityReservationGroups/g/capacityReservations/r"}))}, 192, 2 * day, 192),
        "capacity that Google reserved, at no cost and unused": aws({"a": bill_rows(quantity=8, **google) + bill_rows(quantity=8, **free, **(google | {"ResourceId": "projects/p/zones/z/reservations/r"})) + bill_rows(quantity=8, **(google | {"ResourceId": "projects/p/zones/z/reservations/s"}))}, 192, 2 * day, 192),
        "a machine type under another key": aws({"a": bill_rows(usd=80.0, **(google | {"x_SkuDescription": "A3 Ultra", "SkuPriceDetails": '{"x_machine_type": "a3-ultragpu-8g"}'}))}, 192, 1920),
        "tax, a refund and a credit beside a machine": aws({"a": p5 + bill_rows(1, usd=50.0, quantity="", ChargeCategory="Tax") + bill_rows(1, usd=-9.0, quantity="", ChargeCategory="Credit") + bill_rows(1, usd=-7.0, quantity="", ChargeClass="Correction")}, 192, day - 7),
        "a machine's disks and traffic": aws({"a": p5 + bill_rows(usd=1.0, quantity=500, ServiceName="Amazon EBS", SkuMeter="EBS:VolumeUsage.gp3", SkuPriceDetails="", ChargeDescription="", ConsumedUnit="GB-Months", PricingUnit="GB-Months") + bill_rows(usd=1.0, quantity=5, SkuMeter="DataTransfer-Out-Bytes", SkuPriceDetails="", ChargeDescription="", ConsumedUnit="GB", PricingUnit="GB")}, 192, day),
        "cores and memory of a family with two kinds of GPU, one of them in the bill": aws({"a": bill_rows(quantity=8, usd=25.0, **a100) + a2_parts}, 192, 24 * 29),
        "cores and memory of a family with two kinds of GPU, both of them in the bill": aws({"a": bill_rows(quantity=8, usd=25.0, **a100) + bill_rows(quantity=8, usd=40.0, **(a100 | {"ResourceId": "vm-2", "x_SkuDescription": "Nvidia Tesla A100 80GB GPU running in Iowa"})) + a2_parts}, 384, 24 * 65, 0, ("not_counted",)),
        "a batch service's machines and its fee": aws({"a": bill_rows(quantity=8, **google) + bill_rows(usd=0.5, **(google | {"ServiceName": "Cloud Dataproc", "x_SkuDescription": "Licensing fee on a3-highgpu-8g"}))}, 192, day + 12),
        "units that are no time": aws({"a": p5 + bill_rows(usd=1.0, quantity=3600, ConsumedUnit="Units", PricingUnit="Units", SkuMeter="Requests:p5.48xlarge", ResourceId="i-2")}, 192, day + 24),
        "an hour in brackets": aws({"a": bill_rows(ConsumedUnit="Hour(s)", PricingUnit="Hour(s)")}, 192, day),
        "a few charges again in a later file": aws({"a": p5 + [row for number in range(2, 6) for row in bill_rows(ResourceId=f"i-{number}")], "b": p5[:3]}, 960, 5 * day, 0, ()),
        "a few charges again in a later file, dearer": aws({"a": p5 + [row for number in range(2, 6) for row in bill_rows(ResourceId=f"i-{number}")], "b": bill_rows(3, usd=60.0)}, 960, 5 * day, 0, ("replaced_export",)),
        "a month by the day and by the hour": aws({"a": p5, "b": bill_rows(1, usd=day, quantity=24, ChargePeriodEnd=(START + timedelta(hours=24)).isoformat())}, 192, day, 0, ("replaced_export",)),
        "a commitment beside the use that it covers": aws({"a": bill_rows(quantity=8, **free, **google) + bill_rows(quantity=8, usd=40.0, **(google | {"x_SkuDescription": "Commitment v1: Nvidia H100 80GB GPU running in Iowa for 1 Year", "ResourceId": ""}))}, 192, 960),
        "a dedicated host that names its series alone": aws({"a": bill_rows(**free, **(azure | {"SkuMeter": "ND96amsr A100 v4", "SkuPriceDetails": "", "ChargeDescription": ""})) + bill_rows(**(azure | {"ServiceName": "Azure Dedicated Host", "SkuMeter": "NDamsv4-Type1", "SkuPriceDetails": "", "ChargeDescription": "", "ResourceId": "/host/1"}))}, 192, day),
        "software that is sold under its own name": aws({"a": beside(ServiceName="NVIDIA AI Enterprise", SkuMeter="USE1-p5.48xlarge", SkuPriceDetails="", ChargeDescription="")}, 192, day + 12),
        "GPUs counted after a machine's name": aws({"a": bill_rows(**(priced | {"SkuMeter": "n3-H100x8-SXM5"}))}, 192, day),
        "GPUs counted before a machine's name": aws({"a": bill_rows(**(priced | {"SkuMeter": "gx3d-160x1792x8h100"}))}, 192, day),
        "GPUs counted between a chip and its memory": aws({"a": bill_rows(**(priced | {"SkuMeter": "H100-SXM-8-80G"}))}, 192, day),
        "several cards of a workstation": aws({"a": bill_rows(**(priced | {"SkuMeter": "2x RTX 4090"}))}, 48, day),
        "a meter twice on one machine": aws({"a": beside(SkuMeter="BoxUsage:p5.48xlarge:0800", usd=2.0)}, 192, day + 48, 0, ("above_one_machine",)),
        "a Delta table with a file that was replaced": aws({"old": p5, "new": bill_rows(usd=50.0)}, 192, 1200, removed=("old",)),
        **{f"times spelled otherwise, {name}": aws({"a": respelled(bill_rows(14 * 24), form)}, 14 * 192, 14 * day) for name, form in spelled.items()},
        "times spelled otherwise, told by the billing period": aws({"a": respelled(bill_rows(BillingPeriodStart=START.isoformat(), BillingPeriodEnd=(START + timedelta(days=31)).isoformat()), "%m/%d/%Y %H:%M")}, 192, day),
    }  # fmt: skip


def respelled(rows: list[dict[str, Any]], form: str) -> list[dict[str, Any]]:
    """Return rows with their times in another form (`datetime.strftime`)."""
    times = [name for name in rows[0] if name.endswith(("PeriodStart", "PeriodEnd"))]
    return [row | {name: datetime.fromisoformat(row[name]).strftime(form) for name in times} for row in rows]


def write_ledger_case(case: LedgerCase, folder: Path) -> Path:
    """Write a case as CSV (a Delta table: as Parquet, with its log) and return its folder."""
    if case.removed:
        return _write_delta_table(case, folder)
    for name, rows in case.files.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = sorted({column for row in rows for column, value in row.items() if value is not None})
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _write_delta_table(case: LedgerCase, folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "_delta_log").mkdir(parents=True)
    for name, rows in case.files.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    versions = [[{"add": {"path": f"{name}.parquet"}} for name in case.files], [{"remove": {"path": f"{name}.parquet"}} for name in case.removed]]  # fmt: skip
    for number, actions in enumerate(versions):
        (folder / "_delta_log" / f"{number:020d}.json").write_text(
            "\n".join(map(json.dumps, actions)), encoding="utf-8"
        )
    return folder


@dataclass(frozen=True)
class RecordCase:
    """A cluster's own records in which hours are easily lost or counted twice, and what is right.

    Attributes
    ----------
    kind : str
        ``slurm``, ``dcgm`` or ``plain``.
    text : str
        The file.
    gpu_hours : dict of str to float
        What a reader has to find, by basis.
    timezone : str
        Of its times, where they say none.
    """

    kind: str
    text: str
    gpu_hours: dict[str, float]
    timezone: str = ""


def record_cases() -> dict[str, RecordCase]:
    """Return records of every kind in which hours go wrong, with their right answers."""
    head = "JobID|Start|End|State|AllocTRES|ElapsedRaw\n"
    job = "1|2026-10-01T00:00:00|2026-10-01T02:00:00|COMPLETED|billing=8,cpu=8,gres/gpu:a100=4,gres/gpu=4|7200\n"
    slices = "1|2026-10-01T00:00:00|2026-10-01T07:00:00|COMPLETED|gres/gpu:{}={},gres/gpu={}|25200\n"
    counters = "timestamp,metric,gpu,UUID,modelName,GPU_I_ID,GPU_I_PROFILE,pod,namespace,value\n"
    hours = ("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z")
    mig = [f"{at},DCGM_FI_PROF_GR_ENGINE_ACTIVE,0,G,A100-SXM4-80GB,{number},3g.40gb,,,{busy}\n" for at in hours for number, busy in ((1, 1.0), (2, 0.0))]  # fmt: skip
    shared = [f"{at},DCGM_FI_DEV_GPU_UTIL,0,G,T4,,,{pod},ml,50\n" for at in hours for pod in "ab"]
    at_s = int(START.timestamp())
    series = {"metric": {"__name__": "DCGM_FI_DEV_GPU_UTIL", "gpu": "0"}, "values": [[at_s + 60 * minute, "100" if minute < 30 else "0"] for minute in range(60)]}  # fmt: skip
    columns = f"{'JobID':<8} {'Start':>19} {'End':>19} {'State':>10} {'AllocTRES':>45}\n"
    dashes = " ".join("-" * width for width in (8, 19, 19, 10, 45)) + "\n"
    wide = f"{'1':<8} {'2026-10-01T00:00:00':>19} {'2026-10-01T02:00:00':>19} {'COMPLETED':>10} {'cpu=8,gres/gpu:a100=4,gres/gpu=4':>45}\n"
    plain = "".join(f"{at},{gpus},{user}\n" for at in hours for gpus, user in ((4, "a"), (8, "b")))
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "4"}}}]},
           "status": {"startTime": hours[0], "containerStatuses": [{"state": {"terminated": {"finishedAt": hours[1]}}}]}}  # fmt: skip
    ray = {"task_id": "t", "required_resources": {"GPU": 4.0}, "start_time_ms": 1000 * at_s, "end_time_ms": 1000 * at_s + 3_600_000}  # fmt: skip
    return {
        "typed and untyped accelerators of one job": RecordCase("slurm", head + job, {"allocated": 8}),
        "the hour that comes twice in autumn": RecordCase("slurm", head + "1|2026-10-25T02:30:00|2026-10-25T02:30:00|COMPLETED|gres/gpu=8|3600\n", {"allocated": 8}, "Europe/Berlin"),
        "an hour that spring leaves out": RecordCase("slurm", head + "1|2026-03-29T01:30:00|2026-03-29T03:30:00|COMPLETED|gres/gpu=8|3600\n", {"allocated": 8}, "Europe/Berlin"),
        "jobs on slices": RecordCase("slurm", head + slices.format("1g.10gb", 7, 7) + slices.format("a100_3g.20gb", 2, 2), {"allocated": 13}),
        "commas without quotes": RecordCase("slurm", (head + job).replace("|", ","), {"allocated": 8}),
        "columns of a fixed width": RecordCase("slurm", columns + dashes + wide, {"allocated": 8}),
        "lines without a header": RecordCase("slurm", job, {"allocated": 8}),
        "a job that was exported twice": RecordCase("slurm", head + job + job, {"allocated": 8}),
        "a job exported while it ran, and later": RecordCase("slurm", head + job.replace("2026-10-01T02:00:00|COMPLETED", "Unknown|RUNNING").replace("7200", "3600") + job, {"allocated": 8}),
        "cards that a log tells apart by their bus": RecordCase("dcgm", "timestamp, pci.bus_id, utilization.gpu [%]\n" + "".join(f"{at}, {bus}, 50 %\n" for at in hours for bus in ("01:00.0", "02:00.0")), {"present": 4, "busy": 2}),
        "cards that a log does not tell apart": RecordCase("dcgm", "timestamp, utilization.gpu [%]\n" + "".join(f"{at}, 50 %\n" * 2 for at in hours), {"present": 4, "busy": 2}),
        "what no pod held": RecordCase("plain", f"Namespace,Window Start,Window End,GPU Hours\nml,{hours[0]},{hours[1]},4\n__idle__,{hours[0]},{hours[1]},4\n", {"allocated": 4}),
        "lists of jobs that were joined": RecordCase("slurm", head + job + head + job.replace("1|", "2|", 1), {"allocated": 16}),
        "logs that were joined": RecordCase("dcgm", "".join(f"timestamp, index, utilization.gpu [%]\n{at}, 0, 50 %\n" for at in hours), {"present": 2, "busy": 1}),
        "tables that were joined": RecordCase("plain", "".join(f"timestamp,gpus\n{at},4\n" for at in hours), {"allocated": 8}),
        "a job and its steps": RecordCase("slurm", head + job + job.replace("1|", "1.batch|", 1), {"allocated": 8}),
        "slices of one accelerator": RecordCase("dcgm", counters + "".join(mig), {"present": 2, "busy": 6 / 7}),
        "slices of one accelerator, the other way round": RecordCase("dcgm", counters + "".join(reversed(mig)), {"present": 2, "busy": 6 / 7}),
        "pods that share an accelerator": RecordCase("dcgm", counters + "".join(shared), {"present": 2, "allocated": 2, "busy": 1}),
        "samples that were exported twice": RecordCase("dcgm", counters + "".join(shared[::2]) * 2, {"present": 2, "allocated": 2, "busy": 1}),
        "Prometheus' JSON": RecordCase("dcgm", json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}}), {"present": 1, "busy": 0.5}),
        "two users in one hour": RecordCase("plain", f"timestamp,gpus,user\n{plain}", {"allocated": 24}),
        "a table by pod and day": RecordCase("plain", "Date,Namespace,Pod,GPUs,TotalCost\n2026-10-01,a,p,2,1\n2026-10-01,a,q,4,1\n", {"allocated": 144}),
        "ten columns of one's own and no header": RecordCase("slurm", job.replace("1|", "1|me|gpu|2026-09-30T00:00:00|", 1).replace("|7200", "|7200|4"), {"allocated": 8}),
        "commas without quotes or a header": RecordCase("slurm", job.replace("|", ","), {"allocated": 8}),
        "what is inside Prometheus' JSON": RecordCase("dcgm", json.dumps({"resultType": "matrix", "result": [series]}), {"present": 1, "busy": 0.5}),
        "promtool's JSON": RecordCase("dcgm", json.dumps([series]), {"present": 1, "busy": 0.5}),
        "a table as JSON, a record in each line": RecordCase("plain", "".join(json.dumps({"timestamp": at, "gpus": gpus, "user": user}) + "\n" for at in hours for gpus, user in ((4, "a"), (8, None))), {"allocated": 24}),
        "jobs as a list of records": RecordCase("slurm", json.dumps([dict(zip(head.strip().split("|"), job.strip().split("|"), strict=True))]), {"allocated": 8}),
        "counters as a list of records": RecordCase("dcgm", json.dumps([{"timestamp": at, "gpu": "0", "DCGM_FI_DEV_GPU_UTIL": 50} for at in hours]), {"present": 2, "busy": 1}),
        "Kubecost's sets": RecordCase("plain", json.dumps({"data": {"sets": [{"allocations": {"p": {"start": hours[0], "end": hours[1], "gpuHours": 4}}}]}}), {"allocated": 4}),
        "tasks of Ray's that hold nothing, or nothing yet": RecordCase("plain", json.dumps([ray, ray | {"required_resources": {"CPU": 1}, "end_time_ms": None}, ray | {"start_time_ms": None, "end_time_ms": None}]), {"allocated": 4}),
        "a pod that waits": RecordCase("plain", json.dumps({"kind": "List", "items": [pod, pod | {"status": {"phase": "Pending"}}]}), {"allocated": 4}),
        "pods of kubectl": RecordCase("plain", json.dumps({"kind": "List", "items": [pod]}), {"allocated": 4}),
    }  # fmt: skip


@dataclass(frozen=True)
class DecisionCase:
    """A bill on which a decision easily goes wrong, and what it must not miss.

    Attributes
    ----------
    files : dict of str to list of dict
        As in `LedgerCase`.
    paid_usd_per_month : float
        Of what runs now.
    owned_gpus : tuple of float
        Fewest and most that may be owned.
    words : tuple of str
        What its first sentences have to say.
    counters : str
        DCGM's samples beside the bill.
    most_saved_usd_per_month : float
        What no decision can save more than.
    """

    files: dict[str, list[dict[str, Any]]]
    paid_usd_per_month: float
    owned_gpus: tuple[float, float]
    words: tuple[str, ...] = ()
    counters: str = ""
    most_saved_usd_per_month: float = math.inf


def fleet_rows(machines: Sequence[int], **columns: Any) -> list[dict[str, Any]]:
    """Return the rows of a fleet of so many machines in each hour."""
    most = [bill_rows(len(machines), ResourceId=f"i-{number}", **columns) for number in range(max(machines))]
    return [rows[hour] for hour, count in enumerate(machines) for rows in most[:count]]


def decision_cases() -> dict[str, DecisionCase]:
    """Return bills of every kind on which a decision goes wrong, with what is right."""
    month, grown = 30 * 24, [machines for machines in (1, 2, 3, 4) for _ in range(15 * 24)]
    day = 730 * P5_USD
    committed = {"usd": 24.0, "PricingCategory": "Committed", "CommitmentDiscountCategory": "Usage", "CommitmentDiscountId": "ri", "CommitmentDiscountStatus": "Used"}  # fmt: skip
    tokyo = {"RegionId": "ap-northeast-1"}
    samples = [
        f"{(START + timedelta(hours=hour)).isoformat()},DCGM_FI_PROF_GR_ENGINE_ACTIVE,{gpu},G{gpu},H100,,,,,{float(hour % 24 < 2)}\n"
        for hour in range(7 * 24)
        for gpu in range(8)
    ]
    counters = "timestamp,metric,gpu,UUID,modelName,GPU_I_ID,GPU_I_PROFILE,pod,namespace,value\n" + "".join(samples)
    emr = {"usd": 0.27, "ServiceName": "Amazon Elastic MapReduce", "ResourceId": "cluster-1"}
    spot = {"usd": 20.0, "PricingCategory": "Dynamic"}
    return {
        "growth": DecisionCase({"a": fleet_rows(grown)}, 4 * day, (0, 32), ("8 to 32 GPUs",)),
        "shrinking": DecisionCase({"a": fleet_rows(grown[::-1])}, day, (0, 8), ("32 to 8 GPUs",)),
        "a commitment that is as cheap": DecisionCase({"a": bill_rows(month, **committed)}, 730 * 24.0, (0, 8), ()),
        "two regions": DecisionCase({"a": bill_rows(month) + bill_rows(month, ResourceId="i-2", **tokyo)}, 2 * day, (0, 16), ("us-east-1", "ap-northeast-1")),
        "idle by the counters": DecisionCase({"a": bill_rows(7 * 24)}, day, (0, 0), ("idle machines first",), counters),
        "three days": DecisionCase({"a": bill_rows(3 * 24)}, day, (0, 0), ("too short",)),
        "a machine with an eighth of an accelerator": DecisionCase({"a": bill_rows(month) + bill_rows(month, usd=0.3, SkuMeter="BoxUsage:g6f.large", SkuPriceDetails="", ResourceId="i-2")}, day + 730 * 0.3, (0, 8), ("8 GPUs",)),
        "a service's fee": DecisionCase({"a": bill_rows(month) + bill_rows(month, **emr)}, day + 730 * 0.27, (0, 8), ()),
        "a platform's units, which no commitment saves": DecisionCase({"a": bill_rows(month) + bill_rows(month, **(emr | {"usd": 25.0}))}, day + 730 * 25.0, (0, 8), most_saved_usd_per_month=day),
        "a price above the list, a third of the hours": DecisionCase({"a": [row for hour, row in enumerate(bill_rows(month, usd=63.0)) if hour % 3 == 0] + bill_rows(month, usd=0.1, SkuMeter="BoxUsage:m7i.large", SkuPriceDetails="", ChargeDescription="", ResourceId="i-9")}, 730 * 63 / 3, (0, 0), (), most_saved_usd_per_month=0.0),
        "spot alone, a third of the hours": DecisionCase({"a": [row for hour, row in enumerate(bill_rows(month, **spot)) if hour % 3 == 0] + bill_rows(month, usd=0.1, SkuMeter="BoxUsage:m7i.large", SkuPriceDetails="", ChargeDescription="", ResourceId="i-9")}, 730 * 20 / 3, (0, 0), ()),
    }  # fmt: skip


def write_cases(folder: Path) -> dict[str, Any]:
    """Write every case into a folder of its own and return what is right, which also lies there as ``known.json``."""
    known: dict[str, Any] = {}
    for name, ledger in ledger_cases().items():
        write_ledger_case(ledger, folder / "bills" / _file_name(name))
        known[f"bills/{_file_name(name)}"] = {"case": name, "gpu_hours": ledger.gpu_hours, "unused_gpu_hours": ledger.unused_gpu_hours, "effective_usd": ledger.effective_usd, "checks": ledger.checks}  # fmt: skip
    for name, records in record_cases().items():
        path = folder / "records" / _file_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(records.text, encoding="utf-8")
        known[f"records/{path.name}"] = {"case": name, "timezone": records.timezone, "gpu_hours": records.gpu_hours}
    for name, decision in decision_cases().items():
        write_decision_case(decision, folder / "decisions" / _file_name(name))
        known[f"decisions/{_file_name(name)}"] = {"case": name, "paid_usd_per_month": decision.paid_usd_per_month, "owned_gpus": decision.owned_gpus, "most_saved_usd_per_month": decision.most_saved_usd_per_month if math.isfinite(decision.most_saved_usd_per_month) else None, "words": decision.words}  # fmt: skip
    (folder / "known.json").write_text(json.dumps(known, indent=2), encoding="utf-8")
    return known


def write_decision_case(case: DecisionCase, folder: Path) -> Path:
    """Write a bill and the counters beside it, and return their folder."""
    write_ledger_case(LedgerCase(case.files, 0.0, 0.0), folder)
    if case.counters:
        (folder / "counters.csv").write_text(case.counters, encoding="utf-8")
    return folder


def _file_name(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
