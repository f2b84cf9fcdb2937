"""What a shell completes: the names that facts and catalog know."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem


def completing(
    key: str, choices: Iterable[str] = ()
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes the values of an option.

    Parameters
    ----------
    key : str
        The key of the workload that it states: ``model``, ``gpus``, ``providers``, ``regions``, ``countries``, ``purchase``.
    choices : iterable of str
        The values, where the schema lists them.
    """
    listed = tuple(choices)

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        typed = incomplete.lower()
        names = sorted(set(listed or _names(key)))
        return [CompletionItem(name) for name in names if name.lower().startswith(typed)]

    return complete


def kinds_and_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a workload: a kind of work, or a file."""
    from planner.demand.workload import type_of_kind

    del ctx, param
    kinds = [CompletionItem(kind) for kind in type_of_kind if kind.startswith(incomplete)]
    return kinds or [CompletionItem(incomplete, type="file")]


def _names(key: str) -> Iterable[str]:
    """Return the names that a key may hold; none where any text may stand."""
    match key:
        case "model":
            from planner.demand.models import known_models

            return known_models()
        case "gpu" | "gpus":
            from pricing.accelerators import accelerators

            return (name.lower().replace(" ", "-") for name in accelerators())
        case "providers" | "exclude_providers":
            from pricing.sellers import sellers

            return sellers()
        case "regions":
            from pricing.regions import regions

            return (region for _, region in regions())
        case "countries":
            from pricing.regions import countries

            return (*countries(), "EU", "EEA", "Europe", "North America", "APAC")
        case "purchase":
            from pricing.offers import PurchaseOption

            return (option.value for option in PurchaseOption)
        case "assumptions":
            from planner.assumptions import default_assumptions

            return (f"{name}=" for name in default_assumptions())
        case _:
            return ()
