"""Communication: what moving data between accelerators costs in time.

Volumes are bytes per rank, bandwidths bytes per second each way per accelerator, results seconds. Ring costs: Thakur et al.
2005, as in Narayanan et al. 2021 (arXiv:2104.04473); node shares: every byte of a ring enters a node once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.supply.hardware import Hardware


def all_reduce_s(
    volume_bytes: ArrayLike, group: ArrayLike, bandwidth_bytes_per_s: ArrayLike, latency_s: ArrayLike
) -> FloatArray:
    """Return the time of an all-reduce: ``2 (q - 1) / q V / B + latency``; nothing for a group of one.

    Examples
    --------
    >>> float(all_reduce_s(1e9, 8, 1e9, 0.0)), float(all_reduce_s(1e9, 1, 1e9, 1.0))
    (1.75, 0.0)
    """
    half_s = np.asarray(latency_s, dtype=float) / 2.0
    return np.asarray(2.0 * all_gather_s(volume_bytes, group, bandwidth_bytes_per_s, half_s), dtype=float)


def all_gather_s(
    volume_bytes: ArrayLike, group: ArrayLike, bandwidth_bytes_per_s: ArrayLike, latency_s: ArrayLike
) -> FloatArray:
    """Return the time of an all-gather or a reduce-scatter: ``(q - 1) / q V / B + latency``; `V` is the whole result."""
    q = np.asarray(group, dtype=float)
    moved = (q - 1.0) / q * np.asarray(volume_bytes, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = moved / np.asarray(bandwidth_bytes_per_s, dtype=float) + np.asarray(latency_s, dtype=float)
    return np.asarray(np.where(q > 1, time, 0.0), dtype=float)


def all_to_all_s(
    volume_bytes: ArrayLike, group: ArrayLike, bandwidth_bytes_per_s: ArrayLike, latency_s: ArrayLike
) -> FloatArray:
    """Return the time of an all-to-all in which each rank sends `V` bytes: ``(q - 1) / q V / B + latency``."""
    return all_gather_s(volume_bytes, group, bandwidth_bytes_per_s, latency_s)


def point_to_point_s(volume_bytes: ArrayLike, bandwidth_bytes_per_s: ArrayLike, latency_s: ArrayLike) -> FloatArray:
    """Return the time of sending `V` bytes to one neighbour."""
    bandwidth = np.asarray(bandwidth_bytes_per_s, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.asarray(volume_bytes, dtype=float) / bandwidth + np.asarray(latency_s, dtype=float), dtype=float
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Achieved shares of link bandwidth and start-up times, from the calibration.

    Attributes
    ----------
    scale_up_share, pcie_share, rdma_share, ethernet_share : FloatArray
        Achieved over nominal one-way bandwidth of collectives.
    scale_up_latency_s, pcie_latency_s, network_latency_s : FloatArray
        Start-up of one collective.
    """

    scale_up_share: FloatArray
    pcie_share: FloatArray
    rdma_share: FloatArray
    ethernet_share: FloatArray
    scale_up_latency_s: FloatArray
    pcie_latency_s: FloatArray
    network_latency_s: FloatArray


def group_bandwidth(
    hardware: Hardware, links: Links, group: ArrayLike, *, inside: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the achieved bandwidth each way per accelerator, and the latency, of a group.

    Parameters
    ----------
    hardware, links
        Machines and the achieved shares of their links.
    group : array_like
        Accelerators in the group.
    inside : array_like
        How many of them sit in one machine. A group that spans machines gets the machine's network times ``inside / count``:
        ``r`` of ``m`` accelerators own that part of the network cards.

    Returns
    -------
    bandwidth, latency : FloatArray
        Bytes per second (0 where machines cannot be joined), seconds.
    """
    q, r = np.asarray(group, dtype=float), np.asarray(inside, dtype=float)
    # What counts is how far the group reaches inside of a machine; beyond it the network takes over.
    fast = (np.minimum(q, r) <= hardware.scale_up_count) & (hardware.scale_up_bytes_per_s > 0)
    # Over PCIe the cards of a host share its root complexes: beyond four, rings cross between the sockets.
    pcie = hardware.pcie_bytes_per_s * links.pcie_share / np.maximum(1.0, np.minimum(r, q) / 4.0)
    local = np.where(fast, hardware.scale_up_bytes_per_s * links.scale_up_share, pcie)
    share = np.where(hardware.is_rdma, links.rdma_share, links.ethernet_share)
    # r ranks of a group in a node form one ring through it: its traffic enters and leaves the node once.
    network = hardware.network_bytes_per_s * share * np.minimum(1.0, r / hardware.count)
    spans = q > r + 1e-9
    bandwidth = np.where(spans, np.where(r > 1, np.minimum(network, local), network), local)
    latency = np.where(spans, links.network_latency_s, np.where(fast, links.scale_up_latency_s, links.pcie_latency_s))
    return np.asarray(bandwidth, dtype=float), np.asarray(latency, dtype=float)


def exchange_bandwidth(
    hardware: Hardware, links: Links, group: ArrayLike, *, inside: ArrayLike, copies: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the bandwidth and the latency of an all-to-all in which tokens travel to their experts.

    Inside a machine every copy takes the fast fabric. Between machines each accelerator has its own part of the network cards,
    and a token crosses once to each other machine in which it has an expert (DeepEP, HybridEP, node-limited routing), to be
    passed on inside: of `M` machines and `k` experts drawn evenly it visits ``(M - 1) (1 - (1 - 1/M)^k)`` others.

    Parameters
    ----------
    hardware, links
        Machines and the achieved shares of their links.
    group, inside : array_like
        Accelerators over which the experts lie, and how many of them sit in one machine.
    copies : array_like
        Experts that a token visits.

    Returns
    -------
    bandwidth, latency : FloatArray
        Bytes per second at which ``(q - 1) / q`` of all copies arrive (as `all_to_all_s` takes it), seconds.

    References
    ----------
    DeepSeek-V3 (arXiv:2412.19437), section 3.2.2: cross-node all-to-all.
    """
    q = np.asarray(group, dtype=float)
    r = np.minimum(q, np.asarray(inside, dtype=float))
    k = np.maximum(np.asarray(copies, dtype=float), 1.0)
    local, near_s = group_bandwidth(hardware, links, r, inside=r)
    share = np.where(hardware.is_rdma, links.rdma_share, links.ethernet_share)
    card = hardware.network_bytes_per_s * share / hardware.count
    machines = q / r
    crossing = (machines - 1.0) * (1.0 - (1.0 - 1.0 / machines) ** k)
    with np.errstate(divide="ignore", invalid="ignore"):
        mixed = k * (q - 1.0) / q / (crossing / card + k * (r - 1.0) / r / local)
    spans = q > r + 1e-9
    return (
        np.asarray(np.where(spans, mixed, local), dtype=float),
        np.asarray(np.where(spans, links.network_latency_s, near_s), dtype=float),
    )
