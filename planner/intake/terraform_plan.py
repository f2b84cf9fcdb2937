"""Terraform plans as JSON: the machines with accelerators that will stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.intake.draft import Draft
from planner.intake.machines import draft_of_machines, gpu_named, gpus_of_machine

TYPE_KEYS = tuple("instance_type machine_type size vm_size instance_types flavor_name shape type plan".split())


def draft_of_terraform(plan: Mapping[str, Any]) -> Draft:
    """Return the GPU hours of the machines that a plan will have.

    Parameters
    ----------
    plan : mapping
        What ``terraform show -json`` prints.
    """
    root = (plan.get("planned_values") or plan.get("values") or {}).get("root_module") or {}
    accelerators, without = [], 0
    for resource in _resources(root):
        machines = list(_machines(resource.get("values") or {}))
        accelerators += machines
        without += not machines
    remarks = ["Counted as used in every hour of the month unless you say less."]
    if without:
        remarks.append(f"{without:,} other resources hold no accelerator that is known.")
    return draft_of_machines(accelerators, remarks)


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (resource for resource in module.get("resources") or () if resource.get("mode", "managed") == "managed")
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _machines(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    copies = _copies(values)
    added = [
        accelerator
        for accelerator in values.get("guest_accelerator") or ()
        if accelerator.get("type") and accelerator.get("count")
    ]
    for accelerator in added:
        yield gpu_named(str(accelerator["type"]).rpartition("/")[2]), float(accelerator["count"]) * copies
    if added:
        return
    for key in TYPE_KEYS:
        named = values.get(key)
        for name in named if isinstance(named, list) else [named]:
            machine = gpus_of_machine(str(name).rpartition("/")[2]) if name else None
            if machine is not None:
                yield machine[0], machine[1] * copies
                return
    for key in ("node_config", "default_node_pool"):
        for inner in values.get(key) or ():
            yield from ((name, count * copies) for name, count in _machines(inner))


def _copies(values: Mapping[str, Any]) -> float:
    """Return how many machines a group or pool of them starts with."""
    scaling = values.get("scaling_config") or [{}]
    for count in (
        values.get("node_count"),
        values.get("desired_capacity"),
        values.get("target_size"),
        scaling[0].get("desired_size"),
    ):
        if isinstance(count, int | float) and count > 0:
            return float(count)
    return 1.0
