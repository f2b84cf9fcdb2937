"""Accelerators: what the data sheets say of each, under one canonical name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["Accelerator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator as its data sheet states it; all rates are dense, without 2:4 sparsity.

    Attributes
    ----------
    name : str
        Canonical name, told apart by memory and form factor (``A100-80GB-SXM``).
    vendor, architecture, market_class : str
        Maker, generation, and ``datacenter``, ``workstation`` or ``consumer``.
    memory_gib, memory_nominal_gb : float
        Memory that the driver reports (2**30 bytes), and the marketing size (1e9 bytes).
    memory_bandwidth_gb_per_s : float
        1e9 bytes per second.
    fp32_dense_tflop_per_s, tf32_dense_tflop_per_s, bf16_dense_tflop_per_s, fp16_dense_tflop_per_s, \
fp8_dense_tflop_per_s, int8_dense_tflop_per_s, fp4_dense_tflop_per_s : float or None
        1e12 operations per second; None where the chip has no such unit.
    measured_bf16_gemm_tflop_per_s, measured_fp8_gemm_tflop_per_s : float or None
        Best matrix product that someone published a measurement of.
    scale_up_gb_per_s_both_ways : float
        NVLink or the vendor's own fabric per accelerator, both directions together; 0 without one.
    scale_up_count : int
        Accelerators in one fast domain; 1 without one.
    pcie_generation : int or None
        PCI Express generation.
    tdp_w : float or None
        Board power.
    launch_year : int
        Year of launch.
    list_price_usd : float or None
        Launch list price or street estimate; soft.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    name: str
    vendor: str
    architecture: str
    market_class: str
    memory_gib: float
    memory_nominal_gb: float
    memory_bandwidth_gb_per_s: float
    fp32_dense_tflop_per_s: float | None = None
    tf32_dense_tflop_per_s: float | None = None
    bf16_dense_tflop_per_s: float | None = None
    fp16_dense_tflop_per_s: float | None = None
    fp8_dense_tflop_per_s: float | None = None
    int8_dense_tflop_per_s: float | None = None
    fp4_dense_tflop_per_s: float | None = None
    measured_bf16_gemm_tflop_per_s: float | None = None
    measured_fp8_gemm_tflop_per_s: float | None = None
    scale_up_gb_per_s_both_ways: float = 0.0
    scale_up_count: int = 1
    pcie_generation: int | None = None
    tdp_w: float | None = None
    launch_year: int
    list_price_usd: float | None = None
    source: str
    retrieved_on: date
    notes: str = ""
