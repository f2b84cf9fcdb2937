"""Samples of GPU counters (DCGM, nvidia-smi), read and summed to hours."""
