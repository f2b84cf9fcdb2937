"""Charges are found to be of an accelerator by instance type, by the bill's own details, or by a GPU's own SKU."""

from __future__ import annotations

import pytest

from planner.usage.skus import SkuReader, hours_per_unit, provider_of

P5 = '{"InstanceType":"p5.48xlarge","GpuCount":8}'
A3 = '{"InstanceType":"a3-highgpu-8g"}'


@pytest.mark.parametrize(
    ("provider", "details", "texts", "gpu", "gpus", "basis"),
    [
        ("aws", P5, ["Instance Usage"], "H100-SXM", 8, "catalogue"),
        ("aws", "", ["USE1-BoxUsage:p4d.24xlarge"], "A100-40GB-SXM", 8, "catalogue"),
        ("aws", "", ["$98.32 per On Demand Linux p5.48xlarge Instance Hour"], "H100-SXM", 8, "catalogue"),
        ("azure", "", ["ND96isr H100 v5"], "H100-SXM", 8, "catalogue"),
        ("gcp", A3, ["Nvidia H100 80GB GPU attached to A3 instance"], "H100-SXM", 1, "text"),
        ("gcp", "", ["Nvidia Tesla T4 GPU running in Americas"], "T4", 1, "text"),
        ("gcp", A3, ["A3 Instance Ram running in Iowa"], "H100-SXM", 0, "host"),
        ("gcp", "", ["A3 Instance Core running in Iowa"], "H100-SXM", 0, "host"),
        ("aws", '{"InstanceType":"p9.48xlarge","GpuCount":8}', [], "unknown (p9.48xlarge)", 8, "details"),
        ("coreweave", "", ["NVIDIA H100 SXM GPU"], "H100-SXM", 1, "text"),
    ],
)
def test_a_charge_of_an_accelerator_is_recognised(
    reader: SkuReader, provider: str, details: str, texts: list[str], gpu: str, gpus: float, basis: str
) -> None:
    found = reader.read(provider, details, texts)
    assert found is not None
    assert (found.gpu, found.gpus, found.basis) == (gpu, gpus, basis)


@pytest.mark.parametrize(
    ("provider", "details", "texts"),
    [
        ("aws", '{"InstanceType":"m7i.large"}', ["Instance Usage"]),
        ("aws", '{"InstanceType":"t4g.large"}', ["Instance Usage"]),
        ("gcp", "", ["N1 Predefined Instance Core running in Americas"]),
        ("gcp", "", ["A2 Instance Ram running in Iowa"]),
        ("aws", "not json", ["Requests"]),
        ("aws", "[]", []),
    ],
)
def test_a_charge_of_something_else_is_none(reader: SkuReader, provider: str, details: str, texts: list[str]) -> None:
    assert reader.read(provider, details, texts) is None


@pytest.mark.parametrize(
    ("unit", "hours"),
    [("Hours", 1), ("Hrs", 1), ("1 Hour", 1), ("100 Hours", 100), ("seconds", 1 / 3600), ("Minutes", 1 / 60), ("1/Month", 730),
     ("GB-Hours", None), ("Requests", None), ("", None), ("GPU-Hours", 1), ("byte-seconds", None), ("Days", 24)],
)  # fmt: skip
def test_units_of_time_are_hours_and_others_are_not(unit: str, hours: float | None) -> None:
    assert hours_per_unit(unit) == (None if hours is None else pytest.approx(hours))


def test_providers_are_called_as_the_catalogue_calls_them() -> None:
    assert [provider_of(name) for name in ("AWS", "Microsoft", "Google Cloud")] == ["aws", "azure", "gcp"]
