"""Checkpoints: under which id on the Hugging Face hub a known model's weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from planner.demand.models import configuration_path, known_model
from planner.fact_rows import fact_rows


@cache
def checkpoints() -> Mapping[str, str]:
    """Return the hub id of each known model that has one; of several the one that follows instructions."""
    return {row["model"]: row["hub_id"] for row in fact_rows("checkpoints")}


def checkpoint_of(model: object) -> str | None:
    """Return the checkpoint that a workload's model means: its hub id or folder; None where only numbers are known.

    Parameters
    ----------
    model : object
        The model as a workload names it.

    Examples
    --------
    >>> checkpoint_of("llama-3.1-70b"), checkpoint_of("RedHatAI/Qwen3-32B-FP8-dynamic"), checkpoint_of({"parameters_b": 7})
    ('meta-llama/Llama-3.1-70B-Instruct', 'RedHatAI/Qwen3-32B-FP8-dynamic', None)
    """
    if not isinstance(model, str):
        return None
    if path := configuration_path(model):
        return str(path.parent)
    return model if "/" in model else checkpoints().get(known_model(model).name)
