"""What accelerators counted of themselves (DCGM exporter, through Prometheus) as present, busy and useful hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray, IntArray
from planner.notes import Note, NoteCode
from planner.usage.counters.samples import METRICS, Samples, read_samples
from planner.usage.faults import Fault
from planner.usage.hours import coded, zone_of
from planner.usage.records import Records, canonical_gpu, records_of, table_of
from planner.usage.sources import Source

ENGINE_ACTIVE, GPU_UTIL, SM_ACTIVE, POWER = range(len(METRICS))
PERCENT_FROM = 1.5
"""Some dashboards show the profiling counters in percent; a share is never so large."""
LONGEST_STEP_S = 86_400.0
"""Who samples less than daily does not watch an accelerator; a mistyped date must not count for years."""
ALONE_S = 60.0
"""How long the only sample of an accelerator counts."""


def read_dcgm(sources: Sequence[Source], *, timezone: str = "") -> Records:
    """Read exporter or Prometheus CSV, in any of its three shapes (see `planner.usage.counters.samples`).

    Each sample counts until the next one of its accelerator, a gap of more than two usual steps until one step. Samples
    of one accelerator, counter and time count once.

    Parameters
    ----------
    sources : sequence of Source
        CSV.
    timezone : str
        Of times that do not say theirs.

    Raises
    ------
    UsageError
        No sample can be read.
    """
    faults: list[Fault] = []
    samples = read_samples(sources, zone_of(timezone or "UTC"), faults)
    if not len(samples.at_s):
        return records_of([], "dcgm", rows=samples.rows, faults=faults)
    return _records(samples, faults)


def _records(samples: Samples, faults: Sequence[Fault]) -> Records:
    """Return the hours of samples; there is one or more."""
    has_pod = np.array([owner.has_pod for owner in samples.owners])
    card_of_owner = np.array([owner.card for owner in samples.owners])
    card = card_of_owner[samples.owner]
    order = _in_order(card, samples.at_s, has_pod[samples.owner])
    card, at, owner = card[order], samples.at_s[order], samples.owner[order]
    metric, value = samples.metric[order], samples.value[order]
    is_last = np.append((card[1:] != card[:-1]) | (at[1:] != at[:-1]), True)
    point_of_sample = np.append(0, np.cumsum(is_last)[:-1])
    points = np.flatnonzero(is_last)
    point_card, point_at, point_owner = card[points], at[points], owner[points]
    ends = _ends(point_card, point_at)

    holder, holders = _holders(point_of_sample, owner, point_owner, has_pod == 1)
    own = np.array([part.share for part in samples.cards])
    whole = np.array([part.whole for part in samples.cards])
    is_slice = np.array([part.is_slice for part in samples.cards])
    # A GPU that is divided is there once, however many slices report; itself it reports what its slices do.
    slices = np.bincount(whole, weights=is_slice, minlength=int(whole.max(initial=0)) + 1)[whole]
    own = np.where(~is_slice & (slices > 0), 0.0, own)
    there_share = np.where(slices > 0, is_slice / np.maximum(slices, 1), 1.0)
    parts: list[tuple[IntArray, FloatArray, str]] = [(np.arange(len(points)), there_share[point_card], "present")]
    held = np.flatnonzero(has_pod[point_owner] == 1)
    parts.append((held, own[point_card[held]], "allocated"))

    cards = len(samples.cards)
    of_metric: list[tuple[IntArray, FloatArray]] = []
    for number in range(len(METRICS)):
        mine = np.flatnonzero(metric == number)
        where = point_of_sample[mine]
        once = np.append(where[1:] != where[:-1], True) if len(mine) else np.zeros(0, dtype=bool)
        of_metric.append((where[once], value[mine][once]))
    there = np.array([np.bincount(point_card[where], minlength=cards) > 0 for where, _ in of_metric])
    for number, basis in ((ENGINE_ACTIVE, "busy"), (GPU_UTIL, "busy"), (SM_ACTIVE, "useful")):
        where, measured = of_metric[number]
        if number == GPU_UTIL:  # coarse: it counts where there is nothing better
            worse = ~there[ENGINE_ACTIVE][point_card[where]]
            where, measured = where[worse], measured[worse]
        most = np.zeros(cards)
        np.maximum.at(most, point_card[where], measured)
        scale = np.where((number == GPU_UTIL) | (most > PERCENT_FROM), 100.0, 1.0)
        share = np.clip(measured / scale[point_card[where]], 0.0, 1.0) * own[point_card[where]]
        parts.append((where[share > 0], share[share > 0], basis))

    which = np.concatenate([where for where, _, _ in parts])
    basis_codes, basis_names = coded([basis for _, _, basis in parts])
    basis_of = np.repeat(basis_codes, [len(where) for where, _, _ in parts])
    amount = np.concatenate([share for _, share, _ in parts])
    if (holders == 1).all():
        whose = holder[which]
    else:  # each part once for everybody who shared the accelerator at that time
        first, count = (np.cumsum(holders) - holders)[which], holders[which]
        again = np.repeat(np.arange(len(which)), count)
        whose = holder[first[again] + np.arange(len(again)) - np.repeat(np.cumsum(count) - count, count)]
        which, basis_of, amount = which[again], basis_of[again], (amount / count)[again]
    texts = [
        (canonical_gpu(samples.cards[part.card].model), part.account, samples.cards[part.card].host)
        for part in samples.owners
    ]
    words = {}
    for number, kind in enumerate(("gpu", "account", "region")):
        codes, names = coded([text[number] for text in texts])
        words[kind] = (codes[whose], names)
    words["basis"] = (basis_of, basis_names)
    words["tag"] = (np.zeros(len(which), dtype=np.int64), ("",))
    table = table_of(point_at[which], ends[which], amount, words, "dcgm")
    where, watts = of_metric[POWER]
    energy_kwh = (
        float(np.sum(watts * there_share[point_card[where]] * (ends[where] - point_at[where])) / 3.6e6)
        if len(where)
        else None
    )
    coarse = int(np.sum(there[GPU_UTIL] & ~there[ENGINE_ACTIVE]))
    return Records(
        table=table,
        rows=samples.rows,
        faults=tuple(faults),
        notes=tuple(_notes(coarse, int(np.sum(~there[SM_ACTIVE])), has_labels=bool((has_pod >= 0).any()))),
        energy_kwh=energy_kwh,
    )


def _in_order(card: IntArray, at_s: FloatArray, has_pod: IntArray) -> IntArray:
    """Return the order by accelerator and time; of several lines of one time, the one that names a pod is the last."""
    order = np.lexsort((has_pod, at_s))
    # Short numbers are sorted by their digits, in a third of the time.
    short = card.astype(np.min_scalar_type(int(card.max())))
    return order[np.argsort(short[order], kind="stable")]


def _holders(
    point: IntArray, owner: IntArray, point_owner: IntArray, has_pod: NDArray[np.bool_]
) -> tuple[IntArray, IntArray]:
    """Return the pods of all points, point after point (or its one owner where there is no pod), and how many each point has."""
    points = len(point_owner)
    held = has_pod[owner]
    # Points are in order, so a stable sort of both together is one pass; a hash of millions of pairs costs ten times as much.
    both = np.sort(point[held] * len(has_pod) + owner[held], kind="stable")
    pairs = np.stack(np.divmod(both[np.diff(both, prepend=-1) > 0], len(has_pod)))
    alone = np.flatnonzero(np.bincount(pairs[0], minlength=points) == 0)
    pairs = np.concatenate([pairs, np.stack([alone, point_owner[alone]])], axis=1)
    pairs = pairs[:, np.lexsort((pairs[1], pairs[0]))]
    count = np.bincount(pairs[0], minlength=points)
    return pairs[1], count


def _ends(card: IntArray, at_s: FloatArray) -> FloatArray:
    """Return until when each sample counts; samples in the order of accelerator and time."""
    ends = np.empty(len(at_s))
    begins = np.flatnonzero(np.append(True, card[1:] != card[:-1]))
    for begin, end in zip(begins, [*begins[1:], len(card)], strict=True):
        gaps = np.diff(at_s[begin:end])
        step = min(float(np.median(gaps)), LONGEST_STEP_S) if len(gaps) else ALONE_S
        ends[begin:end] = at_s[begin:end] + np.append(np.where(gaps <= 2 * step, gaps, step), step)
    return ends


def _notes(coarse: int, without_useful: int, *, has_labels: bool) -> list[Note]:
    notes = []
    if coarse:
        notes.append(Note(NoteCode.COARSE_COUNTER, (coarse,)))
    if without_useful:
        notes.append(Note(NoteCode.NO_USEFUL_HOURS, (without_useful,)))
    if not has_labels:
        notes.append(Note(NoteCode.NO_OWNER_LABELS))
    return notes
