"""What a machine runs: the options of vLLM and SGLang as planned, and shell programs for targets that start machines alone."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from planner.launch.deployment import ENGINE_KINDS, Deployment, LaunchError


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and what appears twice twice."""

    def ignore_aliases(self, data: object) -> bool:
        """Write no anchors."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def yaml_text(*documents: dict[str, Any]) -> str:
    """Return documents as YAML."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


PORT = 8000
IMAGES = {
    "NVIDIA": "vllm/vllm-openai:v0.11.0",  # docs.vllm.ai, Using Docker, read 2026-11-26
    "AMD": "rocm/vllm:rocm7.0.0_vllm_0.11.2_20251210",  # hub.docker.com by ROCm/amdgpu-docs#88, read 2026-11-26
}
"""A container of vLLM for each maker of accelerators; a newer one will do."""
RESOURCES = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu"}
"""What Kubernetes' device plugins call the accelerators."""
ON_THE_FLY = {"fp8": ("--quantization", "fp8")}
"""Weight formats that an engine makes of a bf16 checkpoint as it loads; others need a checkpoint in that format."""
SGLANG_ON_THE_FLY = ON_THE_FLY | {"nf4": ("--quantization", "bitsandbytes", "--load-format", "bitsandbytes")}
"""The same for SGLang; vLLM no longer has bitsandbytes (0.33.0)."""
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
MEMORY_SHARE = 0.9
PREFILL_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine is started.

    Attributes
    ----------
    command : tuple of str
        Program and its options.
    image : str
        Container that holds it.
    resource : str
        What Kubernetes calls the accelerators.
    remarks : tuple of str
        What to see to first.
    """

    command: tuple[str, ...]
    image: str
    resource: str
    remarks: tuple[str, ...]


def engine_of(deployment: Deployment, *, replica_count: int = 1, is_sglang: bool = False) -> Engine:
    """Return how the engine of a deployment is started.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    replica_count : int
        Replicas that one process holds.
    is_sglang : bool
        SGLang in place of vLLM.

    Raises
    ------
    LaunchError
        No engine does this work, on these machines or with this model.
    """
    if deployment.kind not in ENGINE_KINDS or (is_sglang and deployment.kind == "batch"):
        raise LaunchError(
            f"an inference engine does not do this kind of work ({deployment.kind})",
            where="--to",
            hint="terraform, skypilot and dstack start the machines, and your own program on them",
        )
    if deployment.vendor not in IMAGES:
        made = f"accelerators of {deployment.vendor}" if deployment.vendor else "machines without an accelerator"
        raise LaunchError(f"no container of the engine is known for {made}", where="--to", hint="name another --option")
    if deployment.checkpoint is None:
        raise LaunchError(
            "the workload states its model by numbers, so no checkpoint is known",
            where="model",
            hint="name a known model, a hub id such as Qwen/Qwen3-32B, or the path of its config.json",
        )
    command = (sglang_command if is_sglang else vllm_command)(deployment, replica_count)
    remarks = _remarks(deployment, SGLANG_ON_THE_FLY if is_sglang else ON_THE_FLY)
    return Engine(command, IMAGES[deployment.vendor], RESOURCES[deployment.vendor], remarks)


def vllm_command(deployment: Deployment, replica_count: int) -> tuple[str, ...]:
    """Return vLLM's command line, options with their values.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    replica_count : int
        Replicas that one process holds.
    """
    layout = deployment.layout
    assert deployment.checkpoint is not None
    words: list[str] = ["vllm", "serve", deployment.checkpoint]
    if deployment.kind == "batch":
        words = ["vllm", "run-batch", "-i", "requests.jsonl", "-o", "results.jsonl", "--model", deployment.checkpoint]
    if deployment.kind == "embed":
        words += ["--runner", "pooling"]
    for option, degree in (
        ("--tensor-parallel-size", layout["tensor"]),
        ("--pipeline-parallel-size", layout["pipeline"]),
        ("--data-parallel-size", replica_count),
    ):
        words += [option, str(degree)] if degree > 1 else []
    words += ["--enable-expert-parallel"] if layout["expert"] > 1 else []
    words += _formats(deployment, ON_THE_FLY)
    if layout["kv_precision"] == "fp8":
        words += ["--kv-cache-dtype", "fp8"]
    words += ["--max-model-len", str(deployment.max_context_tokens), "--max-num-seqs", str(layout["micro_batch"])]
    if deployment.kind != "embed":
        words += ["--max-num-batched-tokens", str(max(PREFILL_TOKENS, layout["micro_batch"]))]
    words += ["--gpu-memory-utilization", f"{MEMORY_SHARE:g}"]
    if deployment.machines_per_replica_count > 1:
        words += ["--distributed-executor-backend", "ray"]
    return (*words, *(("--port", str(PORT)) if deployment.kind != "batch" else ()))


def sglang_command(deployment: Deployment, replica_count: int) -> tuple[str, ...]:
    """Return SGLang's command line, options with their values.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    replica_count : int
        Replicas that one process holds.
    """
    layout = deployment.layout
    assert deployment.checkpoint is not None
    words = ["python", "-m", "sglang.launch_server", "--model-path", deployment.checkpoint]
    words += ["--is-embedding"] if deployment.kind == "embed" else []
    for option, degree in (
        ("--tp-size", layout["tensor"]),
        ("--pp-size", layout["pipeline"]),
        ("--dp-size", replica_count),
        ("--ep-size", layout["expert"]),
        ("--nnodes", deployment.machines_per_replica_count),
    ):
        words += [option, str(degree)] if degree > 1 else []
    if deployment.machines_per_replica_count > 1:
        words += ["--node-rank", "0", "--dist-init-addr", "HEAD_ADDRESS:5000"]
    words += _formats(deployment, SGLANG_ON_THE_FLY)
    if layout["kv_precision"] == "fp8":
        words += ["--kv-cache-dtype", "fp8_e4m3"]
    words += ["--context-length", str(deployment.max_context_tokens)]
    words += ["--max-running-requests", str(layout["micro_batch"] * replica_count)]
    words += ["--chunked-prefill-size", str(PREFILL_TOKENS), "--mem-fraction-static", f"{MEMORY_SHARE:g}"]
    return (*words, "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  a server answers from outside its container


def _formats(deployment: Deployment, on_the_fly: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the options that say in which format the weights are."""
    precision = deployment.layout["precision"]
    if precision in DTYPES:
        return ["--dtype", DTYPES[precision]]
    return [] if deployment.is_native else list(on_the_fly.get(precision, ()))


def _remarks(deployment: Deployment, on_the_fly: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    layout, remarks = deployment.layout, []
    precision = layout["precision"]
    if not deployment.is_native and precision not in on_the_fly and precision not in DTYPES:
        remarks.append(
            f"The plan counts on {precision} weights: replace {deployment.checkpoint} by a checkpoint in that format."
        )
    if layout["kv_precision"] not in {"", "fp8", *DTYPES}:
        remarks.append(f"The plan counts on a KV cache in {layout['kv_precision']}; check that your engine has it.")
    if layout["context"] > 1:
        remarks.append(
            f"The plan splits long requests over {layout['context']} GPUs (context parallel): see your engine's docs."
        )
    if deployment.kind != "embed":
        remarks.append(
            f"Requests may be up to {deployment.max_context_tokens:,} tokens long; --max-model-len changes that (SGLang: --context-length)."
        )
    return tuple(remarks)


def shell_lines(command: tuple[str, ...]) -> str:
    r"""Return a command for a shell, an option with its value on each line.

    Examples
    --------
    >>> print(shell_lines(("vllm", "serve", "a/b", "--dtype", "bfloat16")))
    vllm serve a/b \
      --dtype bfloat16
    """
    lines: list[list[str]] = [[]]
    for word in command:
        if word.startswith("-") and len(lines[-1]) > 0 and word != "-m":
            lines.append([])
        lines[-1].append(word)
    return " \\\n  ".join(shlex.join(line) for line in lines)


OWN_PROGRAM = "echo 'put your own program here'"


def program_of(deployment: Deployment, *, rank: str, nodes: str, head: str) -> tuple[str, tuple[str, ...]]:
    """Return what each machine runs, and what to see to first.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    rank, nodes, head : str
        The shell's words for this machine's number, how many there are, and the address of the first.
    """
    if deployment.has_engine:
        engine = engine_of(deployment, replica_count=deployment.replicas_per_machine_count)
        serve = shell_lines(engine.command)
        if deployment.machines_per_replica_count == 1:
            return serve, engine.remarks
        joined = (
            f'ray start --head --port=6379\n  until [ "$(ray status | grep -c node_)" -ge {nodes} ]; do sleep 5; done'
        )
        return (
            f'if [ "{rank}" = 0 ]; then\n  {joined}\n  {serve}\nelse\n  ray start --block --address={head}:6379\nfi'
        ), engine.remarks
    if deployment.kind in {"pretrain", "finetune"}:
        run = (
            f"torchrun --nnodes={nodes} --nproc-per-node={deployment.gpus_per_machine_count} --node-rank={rank} \\\n"
            f"  --master-addr={head} --master-port=29500 train.py"
        )
        layout: Mapping[str, object] = deployment.layout
        parts = ("tensor parallel", "pipeline parallel", "data parallel", "micro batch", "precision")
        values = {part: layout[part.removesuffix(" parallel").replace(" ", "_")] for part in parts}
        counted = ", ".join(f"{part} {value}" for part, value in values.items() if value not in {1, ""})
        return run, (f"train.py stands for your own program; the plan counts on {counted}.",)
    return OWN_PROGRAM, ("The plan knows the machines, not your program: replace the last line with it.",)


def docker_line(deployment: Deployment) -> tuple[str, tuple[str, ...]]:
    """Return the line that starts the engine's container on a fresh machine, and what to see to first."""
    engine = engine_of(deployment, replica_count=deployment.replicas_per_machine_count)
    gpus = "--gpus all" if deployment.vendor == "NVIDIA" else "--device /dev/kfd --device /dev/dri --group-add video"
    entry, *rest = engine.command
    return (
        f"docker run -d --restart=always {gpus} --ipc=host -p {PORT}:{PORT} --entrypoint {entry} {engine.image} \\\n  "
        + shell_lines(tuple(rest))
    ), engine.remarks
