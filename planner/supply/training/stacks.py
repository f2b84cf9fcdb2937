"""Trainers: what the software of a training job can do with memory; the same model on the same box fits in one and not in another.

Sources: the trainers' own documentation as of 2026-11: Megatron-LM and NeMo (tensor, pipeline and context parallelism, fused
vocabulary-parallel loss), PyTorch FSDP2 and DeepSpeed ZeRO-3 under Hugging Face Trainer, TRL and axolotl (whole layers, whole logits,
optimizer and weights to host memory on request), torchtune (the same with a loss in pieces), Unsloth (one accelerator's memory, loss in pieces).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.demand.workload import Finetune, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """What a trainer can do.

    Attributes
    ----------
    name : str
        As in ``stack``.
    splits_layers : bool
        Whether layers and sequences are split over accelerators (tensor, pipeline, context parallel).
    shards : bool
        Whether weights are sharded over data-parallel ranks (ZeRO-3, FSDP).
    chunks_loss : bool
        Whether the loss is formed piece by piece.
    offloads : bool
        Whether weights and optimizer may wait in host memory.
    """

    name: str
    splits_layers: bool = False
    shards: bool = True
    chunks_loss: bool = False
    offloads: bool = True


_TRAINERS: Mapping[str, Trainer] = {
    trainer.name: trainer
    for trainer in (
        Trainer(name="megatron", splits_layers=True, chunks_loss=True),
        Trainer(name="nemo", splits_layers=True, chunks_loss=True),
        Trainer(name="fsdp"),
        Trainer(name="deepspeed"),
        Trainer(name="axolotl"),
        Trainer(name="torchtune", chunks_loss=True),
        Trainer(name="unsloth", shards=False, chunks_loss=True),
    )
}


def trainer_of(workload: Workload) -> Trainer:
    """Return the trainer that a workload names: else Megatron for pretraining, and for fine-tuning what most people run, FSDP.

    Examples
    --------
    >>> work = Workload(kind="finetune", model="llama-3.1-8b", finetune={"tokens_m": 10})
    >>> trainer_of(work).name, trainer_of(work.model_copy(update={"stack": "unsloth"})).shards
    ('fsdp', False)
    """
    return _TRAINERS[workload.stack or ("fsdp" if isinstance(workload.work, Finetune) else "megatron")]
