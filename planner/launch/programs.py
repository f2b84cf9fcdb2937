"""Programs: what a machine runs, in shell, for targets that start machines and not only engines."""

from __future__ import annotations

from planner.launch.deployment import Deployment
from planner.launch.engines import PORT, engine_of, shell_lines

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
        layout = deployment.layout
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
