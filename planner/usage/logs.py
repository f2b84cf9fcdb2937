"""Logs of text that are no tables (Prometheus' text with times, ``nvidia-smi dmon``), as the tables that are read here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

SERIES = re.compile(
    r"^(?P<name>[a-zA-Z_:][\w:]*)?(?:\{(?P<labels>.*)\})?\s+(?P<value>[-+]?(?:[\d.][\d.eE+-]*|NaN|Inf))\s+(?P<at>-?\d[\d.]*)\s*(?:#.*)?$"
)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DMON = re.compile(r"^#\s*Date\s+Time\s+gpu\b", re.IGNORECASE)
NAME = "__name__"


def table_of_log(head: str, lines: Callable[[], Iterable[str]]) -> Iterator[list[str]] | None:
    """Return the rows of a log, header first; None for what is no log that is known, or has no times.

    Parameters
    ----------
    head : str
        How it begins.
    lines : callable
        Reads its lines from the beginning.

    Examples
    --------
    >>> log = 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 50 1790812800000'
    >>> list(table_of_log(log, lambda: [log]))
    [['timestamp', '__name__', 'gpu', 'value'], ['1790812800000', 'DCGM_FI_DEV_GPU_UTIL', '0', '50']]
    """
    begun = [line for line in head.splitlines()[:200] if line.strip()]
    if begun and DMON.match(begun[0]):
        return _dmon(lines())
    samples = [line for line in begun if not line.startswith("#")][:-1] or [line for line in begun if line[0] != "#"]
    if samples and all(match and (match["name"] or match["labels"]) for match in map(SERIES.match, samples)):
        return _series(lines)
    return None


def _series(lines: Callable[[], Iterable[str]]) -> Iterator[list[str]]:
    """Return one sample a row; a first reading says which labels there are."""
    names = sorted({name for line in lines() for name, _ in _labels(line)} - {NAME})
    yield ["timestamp", NAME, *names, "value"]
    for line in lines():
        match = SERIES.match(line.strip())
        if match is None:
            continue
        labels = dict(_labels(line))
        yield [
            match["at"],
            match["name"] or labels.get(NAME, ""),
            *(labels.get(name, "") for name in names),
            match["value"],
        ]


def _labels(line: str) -> list[tuple[str, str]]:
    return [] if line.startswith("#") else LABEL.findall(line)


def _dmon(lines: Iterable[str]) -> Iterator[list[str]]:
    """Return what ``nvidia-smi dmon -o DT`` saw: its ``sm`` is what others call the utilization of a GPU."""
    place: dict[str, int] = {}
    yield ["timestamp", "index", "utilization.gpu", "power.draw"]
    for line in lines:
        cells = line.lstrip("#").split()
        if DMON.match(line):
            place = {name.lower(): number for number, name in enumerate(cells)}
        if line.startswith("#") or not place or len(cells) < len(place):
            continue
        day = cells[place["date"]]
        at = (
            f"{day[:4]}-{day[4:6]}-{day[6:]}T{cells[place['time']]}"
            if day.isdigit()
            else f"{day} {cells[place['time']]}"
        )
        values = (cells[place[name]] if name in place else "" for name in ("gpu", "sm", "pwr"))
        yield [at, *("" if cell == "-" else cell for cell in values)]
