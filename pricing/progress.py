"""A progress line for each provider, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pricing.console import Talk

if TYPE_CHECKING:
    from pricing.refresh import Progress


@contextmanager
def watched(talk: Talk, names: Sequence[str]) -> Iterator[Progress]:
    """Show how a refresh goes while the context lasts.

    Parameters
    ----------
    talk : Talk
        Says whether someone watches.
    names : sequence of str
        The providers.
    """
    if not talk.is_interactive():
        yield lambda provider, stage, _pages: talk.detail(f"{provider}: {stage}") if stage != "asking" else None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[stage]:<8} {task.fields[pages]:>5} pages"),
        TimeElapsedColumn(),
    )
    steps = {"asking": 1, "reading": 2, "storing": 3, "done": 4}
    with Bars(*columns, console=talk.console(), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=4, stage="asking", pages=0) for name in names}

        def show(provider: str, stage: str, pages: int) -> None:
            bars.update(tasks[provider], completed=steps[stage], stage=stage, pages=pages)

        yield show
