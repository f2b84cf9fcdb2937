"""Which sort of file it is, and what it says of a workload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from planner.errors import InputError
from planner.intake.command_lines import draft_of_engine, engine_words
from planner.intake.draft import Draft
from planner.intake.manifests import (
    draft_of_compose,
    draft_of_kubernetes,
    draft_of_sbatch,
    draft_of_skypilot,
    draft_of_terraform,
)
from planner.intake.trainers import draft_of_accelerate, draft_of_axolotl, draft_of_deepspeed, draft_of_torchtune

READ = (
    "a vllm or SGLang command line, a Kubernetes manifest, a SkyPilot task, a compose file, `terraform show -json` of a plan, "
    "an sbatch script, a configuration of axolotl, torchtune, accelerate or DeepSpeed"
)


def draft_of(text: str, name: str) -> Draft:
    """Return what a file that is no workload says of one.

    Parameters
    ----------
    text : str
        Its text.
    name : str
        What messages call it.

    Raises
    ------
    InputError
        It is none of the sorts that are read, or broken.
    """
    draft = _draft(text, name)
    if draft is None:
        raise InputError("no workload can be read from this file", where=name, hint=f"it can be read from {READ}")
    if draft.kind == "gpu_hours" and "count" not in draft.work:
        raise InputError(
            "this file asks for no accelerator", where=name, hint="`gpuplan init KIND` starts from scratch"
        )
    return draft


def _draft(text: str, name: str) -> Draft | None:
    """Return what a file says; None where it is of no sort that is read."""
    if re.search(r"^#SBATCH\s", text, re.MULTILINE):
        return draft_of_sbatch(text)
    try:
        draft = _of_documents(_documents(text))
    except (AttributeError, TypeError, IndexError, KeyError, ValueError) as error:
        what = f"a part of it is not as its kind of file has it: {error}"
        raise InputError(what, where=name, hint=f"it can be read from {READ}") from None
    words = None if draft else engine_words(text)
    return draft_of_engine(words) if words else draft


def _documents(text: str) -> list[Mapping[str, Any]]:
    """Return the mappings of a YAML or JSON text; none where it is neither."""
    try:
        loaded = [json.loads(text)] if text.lstrip().startswith("{") else list(yaml.safe_load_all(text))
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    return [document for document in loaded if isinstance(document, dict)]


def _of_documents(documents: list[Mapping[str, Any]]) -> Draft | None:
    """Return the draft of the first sort whose own keys are there."""
    if not documents:
        return None
    first = documents[0]
    if any("apiVersion" in document and "kind" in document for document in documents):
        return draft_of_kubernetes(documents)
    if "planned_values" in first or ("terraform_version" in first and "values" in first):
        return draft_of_terraform(first)
    if "base_model" in first:
        return draft_of_axolotl(first)
    if isinstance(first.get("model"), dict) and "_component_" in first["model"]:
        return draft_of_torchtune(first)
    if "zero_optimization" in first or "train_micro_batch_size_per_gpu" in first:
        return draft_of_deepspeed(first)
    if "num_processes" in first or "distributed_type" in first:
        return draft_of_accelerate(first)
    if "services" in first:
        return draft_of_compose(first)
    if "resources" in first or "num_nodes" in first or ("run" in first and "setup" in first):
        return draft_of_skypilot(documents[-1] if "resources" in documents[-1] else first)
    return None
