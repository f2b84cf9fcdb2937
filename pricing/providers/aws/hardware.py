"""EC2 instance types: what `DescribeInstanceTypes` and the price list say of the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pricing.providers.hardware import Hardware
from pricing.providers.known import hardware_of

MIB_BYTES = 2**20


def hardware_from_type(entry: Mapping[str, Any]) -> Hardware:
    """Read an answer of `DescribeInstanceTypes`.

    Parameters
    ----------
    entry : mapping
        One of ``InstanceTypes``.
    """
    name = entry["InstanceType"]
    stated, count, memory_mib = _accelerators(entry)
    return hardware_of(
        "aws",
        name,
        vcpus=float(entry["VCpuInfo"]["DefaultVCpus"]),
        memory_gib=entry["MemoryInfo"]["SizeInMiB"] / 1024,
        cpu_arch=_architecture(" ".join(entry.get("ProcessorInfo", {}).get("SupportedArchitectures", []))),
        stated=stated,
        count=count,
        # EC2 tells the usable memory (an L4 as 22888 MiB), which is the nominal one within a tenth.
        memory_gb=memory_mib * MIB_BYTES / 1e9 if memory_mib else None,
    )


def _accelerators(entry: Mapping[str, Any]) -> tuple[str, float, float]:
    """Return name, count and memory in MiB of one accelerator; a count of 0 for a CPU-only type."""
    gpus = entry.get("GpuInfo", {}).get("Gpus", [])
    if gpus:
        gpu = gpus[0]
        count = float(gpu.get("Count", 0))
        if count == 0:  # a slice: EC2 counts no whole GPU, and tells the size of the part
            count = gpu.get("LogicalGpuCount", 1) * float(gpu["GpuPartitionSize"])
        memory_mib = gpu.get("MemoryInfo", {}).get("SizeInMiB", 0)
        if count > 1 and memory_mib == entry["GpuInfo"].get("TotalGpuMemoryInMiB"):
            memory_mib /= count  # some types are told with the memory of all their GPUs
        return f"{gpu.get('Manufacturer', '')} {gpu['Name']}".strip(), count, memory_mib
    devices = entry.get("NeuronInfo", {}).get("NeuronDevices", [])
    if devices:
        device = devices[0]
        return f"AWS {device['Name']}", float(device["Count"]), device.get("MemoryInfo", {}).get("SizeInMiB", 0)
    others = entry.get("InferenceAcceleratorInfo", {}).get("Accelerators", [])
    if others:
        return f"{others[0].get('Manufacturer', '')} {others[0]['Name']}".strip(), float(others[0]["Count"]), 0
    return "", 0.0, 0


def hardware_from_attributes(attributes: Mapping[str, str]) -> Hardware:
    """Read the attributes of a product of the price list, where the EC2 API could not be asked; they name no GPU."""
    count = _number(attributes.get("gpu", ""))
    memory_gb = _number(attributes.get("gpuMemory", ""))
    family = attributes["instanceType"].split(".")[0]
    return hardware_of(
        "aws",
        attributes["instanceType"],
        vcpus=_number(attributes.get("vcpu", "")) or None,
        memory_gib=_number(attributes.get("memory", "")) or None,
        processor=attributes.get("physicalProcessor", ""),
        cpu_arch="arm64" if re.match(r"^[a-z]+\d+g", family) and not count else "x86_64",
        stated=f"GPU of {family}" if count else "",
        count=count,
        memory_gb=memory_gb / count if memory_gb and count >= 1 else None,
    )


def _number(text: str) -> float:
    number = re.match(r"\s*([\d,]+(?:\.\d+)?)", text)
    return float(number[1].replace(",", "")) if number else 0.0


def _architecture(text: str) -> str:
    return "arm64" if "arm64" in text else "x86_64" if "x86_64" in text else ""
