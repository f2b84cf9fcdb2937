"""Remedies: what makes work take less memory of an accelerator, in the keys of a workload."""

from __future__ import annotations

from planner.demand.formats import FORMATS
from planner.demand.workload import (
    Batch,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    Pretrain,
    Serve,
    Transcribe,
    Workload,
)

_ONE_BYTE = 1.0


def memory_remedies(workload: Workload) -> list[str]:
    """Return what to state where the memory is too small, the most usual first.

    Only weights that are not trained can be narrow, and only work that lies across accelerators is helped by more of them.

    Examples
    --------
    >>> full = {"kind": "finetune", "model": "m", "finetune": {"method": "full", "tokens_m": 1}}
    >>> memory_remedies(Workload.model_validate(full))
    ['more accelerators', 'adapters over frozen weights (method: lora)', 'an optimizer with smaller states (optimizer: adamw_8bit)']
    """
    is_small = (
        bool(workload.precision) and min(FORMATS[str(name)].weight_bytes for name in workload.precision) < _ONE_BYTE
    )
    match workload.work:
        case Pretrain() | Finetune() as work:
            remedies, trains, key = ["more accelerators"], "", ""
            if isinstance(work, Finetune):
                trains, key = work.trains, "method" if work.trains == work.method else "adapter"
            if trains == "full":
                remedies.append(f"adapters over frozen weights ({key}: lora)")
            if trains == "lora":
                remedies.append(f"4-bit frozen weights ({key}: qlora)")
            elif work.optimizer == "adamw" and trains != "qlora":
                remedies.append("an optimizer with smaller states (optimizer: adamw_8bit)")
            return remedies
        case FinetuneImages() as work:
            remedies = ["accelerators of more memory"]
            remedies += [] if work.checkpointing else ["gradient checkpointing (checkpointing: true)"]
            remedies += [] if work.cached else ["cached latents and text embeddings (cached: true)"]
            return remedies + ["4-bit frozen weights (method: qlora)"] * (not is_small and work.method == "lora")
        case Embed() | EmbedService() | Transcribe():
            return ["accelerators of more memory"]
        case work:
            more = "more accelerators" if isinstance(work, Serve | Batch) else "accelerators of more memory"
            return [more, *["a smaller number format (precision: [fp8, int4])"] * (not is_small)]
