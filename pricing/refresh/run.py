"""A refresh: ask, read, check, store, provider by provider, all of them side by side."""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pricing.catalog import load_bundled
from pricing.clock import utc_now
from pricing.errors import StoreError
from pricing.facts.offers import Offer, PurchaseOption
from pricing.providers import PROVIDERS, load_provider
from pricing.providers.contract import PartFault, Provider, RawPage, RefusedRow, Request
from pricing.providers.hardware import UNREADABLE
from pricing.refresh.gates import CONFIRMING_DAYS, Market, has_shrunk, is_confirmed_shrink, judge, missing_anchors
from pricing.refresh.spool import spool_folder
from pricing.store.database import Engine
from pricing.store.parts import (
    PartAnswer,
    PartStatus,
    Unconfirmed,
    answered_parts,
    held_types,
    read_statuses,
    read_unconfirmed,
    stamp_ahead,
)
from pricing.store.read import read_cheapest
from pricing.store.spreads import renew_spreads
from pricing.store.write import Landing, PartResult, land

EXIT_PARTIAL, EXIT_FAILED, EXIT_NOTHING_ASKED = 5, 6, 4

GRACE_S: Final = 5.0
"""Time after the limit for what was fetched before it to land."""

Progress = Callable[[str, str, int], None]
"""Told of a provider, what it does (``asking``, ``reading``, ``storing``, ``done``), and how many pages came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """What became of one provider.

    Attributes
    ----------
    provider : str
        Its name.
    parts : tuple of PartResult
        Each part.
    refused : tuple of RefusedRow
        Rows that were not accepted.
    warnings : tuple of str
        What was accepted although it is odd: a smaller answer, a machine that is no longer told.
    duration_s : float
        How long it took.
    trace : str
        Where a surprise came from; empty without one.
    """

    provider: str
    parts: tuple[PartResult, ...]
    refused: tuple[RefusedRow, ...] = ()
    warnings: tuple[str, ...] = ()
    duration_s: float = 0.0
    trace: str = ""

    @property
    def status(self) -> str:
        """``ok``, ``partial`` (some part failed), ``failed`` (all did) or ``skipped`` (nothing could be asked)."""
        statuses = {part.answer.status for part in self.parts}
        is_any_landed = bool(statuses & {"ok", "superseded"})
        if "failed" in statuses:
            return "partial" if is_any_landed else "failed"
        return "ok" if is_any_landed else "skipped"

    def total(self, name: str) -> int:
        """Add up one count (``new_count`` ...) over the parts."""
        return sum(getattr(part, name) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSummary:
    """What became of a refresh; `warnings` are of the store as a whole."""

    asked_at: datetime
    sources: tuple[SourceSummary, ...]
    warnings: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def exit_status(self) -> int:
        """0 all well, 5 some source failed in part or whole or is warned of, 6 every one failed, 4 none could be asked."""
        statuses = {source.status for source in self.sources} - {"skipped"}
        if not statuses:
            return EXIT_NOTHING_ASKED
        if statuses == {"failed"}:
            return EXIT_FAILED
        is_warned = bool(self.warnings) or any(source.warnings for source in self.sources)
        return 0 if statuses == {"ok"} and not is_warned else EXIT_PARTIAL


def refresh(
    engine: Engine,
    providers: Sequence[str] = tuple(PROVIDERS),
    *,
    regions: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    rate_cards: Sequence[Path] = (),
    time_limit_s: float = 1800.0,
    on_progress: Progress = lambda _provider, _stage, _pages: None,
) -> RefreshSummary:
    """Ask all providers at once, check what they say, and store it, each one whole or not at all.

    Parameters
    ----------
    engine : Engine
        The store; made if it is not there.
    providers : sequence of str
        Names of `pricing.providers.PROVIDERS`.
    regions : sequence of str
        All, where empty.
    settings : mapping, optional
        Endpoints and credentials; the environment by default.
    rate_cards : sequence of Path
        Folders with rate cards.
    time_limit_s : float
        For the whole; what is not there by then has failed.
    on_progress : callable
        Told how it goes.

    Raises
    ------
    StoreError
        Where the store cannot be made or opened; nothing is asked then.
    """
    engine.create()
    asked_at, start = utc_now(), time.monotonic()
    adapters = [load_provider(name) for name in providers]
    statuses = read_statuses(engine)
    market = Market.of(load_bundled().offers, read_cheapest(engine)[0])
    warnings = _clock_warnings(stamp_ahead(engine, asked_at), asked_at)
    finished: queue.SimpleQueue[SourceSummary] = queue.SimpleQueue()
    with spool_folder() as spool:
        request = Request(
            regions=tuple(regions),
            give_up_at=start + time_limit_s,
            rate_cards=tuple(rate_cards),
            spot_days=_spot_days(statuses, asked_at),
            settings=dict(os.environ if settings is None else settings),
        )
        for provider in adapters:
            folder = spool / provider.name
            folder.mkdir()
            run = _Run(engine, provider, replace(request, spool=folder), asked_at, statuses, market, on_progress)
            threading.Thread(target=lambda run=run: finished.put(run.whole()), name=provider.name, daemon=True).start()
        sources = _collected(finished, [provider.name for provider in adapters], start + time_limit_s + GRACE_S)
    if any(source.total("row_count") for source in sources):
        renew_spreads(engine)
    return RefreshSummary(
        asked_at=asked_at, sources=tuple(sources), warnings=warnings, duration_s=time.monotonic() - start
    )


def _clock_warnings(ahead: datetime | None, now: datetime) -> tuple[str, ...]:
    if ahead is None:
        return ()
    line = (
        f"the store was last written at {ahead:%Y-%m-%d %H:%M} UTC, ahead of this machine's clock, which says"
        f" {now:%Y-%m-%d %H:%M} UTC: one of the two was wrong; the new prices were stored anyway"
    )
    return (line,)


def _spot_days(statuses: Sequence[PartStatus], now: datetime) -> int:
    """Return how far back the spot history is asked for: 90 days, or since the oldest part that has answered before."""
    ages = [status.age_days(now) for status in statuses if status.part.startswith("spot/")]
    if not ages or None in ages:
        return 90
    return min(90, int(max(age for age in ages if age is not None)) + 2)


def _collected(finished: queue.SimpleQueue[SourceSummary], names: list[str], give_up_at: float) -> list[SourceSummary]:
    late = _failed("time_limit", "the time limit was reached")
    sources = {name: SourceSummary(provider=name, parts=(late,)) for name in names}
    with suppress(queue.Empty):
        for _ in names:
            source = finished.get(timeout=max(0.01, give_up_at - time.monotonic()))
            sources[source.provider] = source
    return list(sources.values())


def _failed(reason: str, message: str) -> PartResult:
    """Return that a whole provider failed."""
    return PartResult(answer=PartAnswer(part="*", status="failed", reason=reason, message=message))


@dataclass(slots=True)
class _Run:
    """One provider's way through a refresh, and what came of it so far."""

    engine: Engine
    provider: Provider
    request: Request
    asked_at: datetime
    statuses: Sequence[PartStatus]
    market: Market
    on_progress: Progress
    pages: list[RawPage] = field(default_factory=list)
    faults: list[PartFault] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def whole(self) -> SourceSummary:
        """Ask, read, check and store; whatever goes wrong becomes part of the summary."""
        start, trace = time.monotonic(), ""
        try:
            self._ask()
            self._read()
            self._check()
        except Exception as error:  # noqa: BLE001 - a surprise in one adapter must not cost the others, and is told
            trace = traceback.format_exc()
            self.offers.clear()
            self.pages.clear()
            self.faults.append(PartFault(part="*", reason="surprise", message=f"{type(error).__name__}: {error}"))
        try:
            self._show("storing")
            results = self._store()
        except StoreError as error:
            results = [_failed("store", str(error))]
        except Exception as error:  # noqa: BLE001 - as above
            trace = traceback.format_exc()
            results = [_failed("surprise", f"{type(error).__name__}: {error}")]
        self._show("done")
        return SourceSummary(
            provider=self.provider.name,
            parts=tuple(results),
            refused=tuple(self.refused),
            warnings=tuple(self.warnings),
            duration_s=time.monotonic() - start,
            trace=trace,
        )

    def _show(self, stage: str) -> None:
        self.on_progress(self.provider.name, stage, len(self.pages))

    def _ask(self) -> None:
        for answer in self.provider.fetch(self.request):
            if isinstance(answer, PartFault):
                self.faults.append(answer)
            else:
                self.pages.append(answer)
            self._show("asking")
        broken = {fault.part for fault in self.faults}
        self.pages = [page for page in self.pages if page.part not in broken]  # half a part is none

    def _read(self) -> None:
        self._show("reading")
        for row in self.provider.normalize(self.pages):
            if isinstance(row, PartFault):
                self.faults.append(row)
            elif isinstance(row, RefusedRow):
                self.refused.append(row)
            else:
                self.offers.append(row)
        self._drop_broken()

    def _check(self) -> None:
        judged = judge(self.offers, self.refused, self.market, today=self.asked_at.date())
        self.offers, self.refused = list(judged.offers), list(judged.refused)
        self.faults += judged.faults
        if not self.request.regions and not self.faults and self.pages:
            self._check_anchors()
        self._drop_broken()

    def _drop_broken(self) -> None:
        """Drop the offers of parts that failed."""
        broken = {fault.part for fault in self.faults}
        self.offers = [offer for offer in self.offers if offer.part not in broken]

    def _check_anchors(self) -> None:
        """Fail a full answer that lacks a well-known machine, unless the last one lacked it too."""
        anchors = self.provider.anchors
        if self.provider.name in answered_parts(self.engine):  # one that is gone is not asked for again
            anchors = tuple(held_types(self.engine, self.provider.name, anchors))
        missing = missing_anchors(self.offers, anchors)
        if not missing:
            return
        parts = sorted({offer.part for offer in self.offers} or {page.part for page in self.pages})
        if not self.offers:
            message = "no row came at all; an empty answer is never accepted"
            self.faults += [PartFault(part=part, reason="empty", message=message) for part in parts]
            return
        lack = f"a full answer without {', '.join(missing)}"
        unconfirmed = read_unconfirmed(self.engine, self.provider.name)
        if all(any(answer.reason == "anchor" for answer in unconfirmed.get(part, ())) for part in parts):
            self.warnings.append(f"{lack} came twice and is accepted: renamed, or no longer sold")
            return
        message = f"{lack} is not accepted until a second one says the same"
        self.faults += [PartFault(part=part, reason="anchor", message=message) for part in parts]

    def _store(self) -> list[PartResult]:
        by_provider: dict[str, list[Offer]] = defaultdict(list)
        for offer in self.offers:
            by_provider[offer.provider].append(offer)  # a rate card lists the offers of many
        answers = self._answers()
        results: list[PartResult] = []
        for name in sorted(by_provider.keys() | {self.provider.name}):
            offers = by_provider[name]
            if name != self.provider.name:
                parts = {offer.part: PartAnswer(part=offer.part) for offer in offers}
            elif name == "rate_card":
                parts = {part: answer for part, answer in answers.items() if answer.status != "ok"}
            else:
                parts = answers
            landing = Landing(
                provider=name,
                adapter_version=self.provider.version,
                asked_at=self.asked_at,
                parts=tuple(parts.values()),
                offers=offers,
                kept=[row.identity for row in self.refused],
            )
            if parts:
                results += land(self.engine, landing)
        return results

    def _answers(self) -> dict[str, PartAnswer]:
        """Return how each part answered; an empty one and one that shrank have failed."""
        counts = Counter(offer.part for offer in self.offers)
        refused = Counter(row.part for row in self.refused)
        unread = {row.part for row in self.refused if row.reason == UNREADABLE}
        held = {status.part: status for status in self.statuses if status.provider == self.provider.name}
        unconfirmed = read_unconfirmed(self.engine, self.provider.name)
        bundled = _bundled_counts(self.provider)
        answers: dict[str, PartAnswer] = {}
        for part in dict.fromkeys([*(page.part for page in self.pages), *counts]):
            known_count = held[part].row_count if part in held else 0
            if not counts[part]:
                known_count = known_count or bundled[part]
            answer = self._answer(part, counts[part], refused[part], known_count, unconfirmed.get(part, ()))
            answers[part] = replace(answer, is_whole=part not in unread)
            if answer.message and answer.status == "ok":
                self.warnings.append(f"{part}: {answer.message}")
        for fault in self.faults:
            for part in _meant(fault.part, held):
                answers[part] = PartAnswer(
                    part=part, status=fault.status, reason=fault.reason, message=fault.message, row_count=counts[part]
                )
        return answers

    def _answer(
        self, part: str, count: int, refused_count: int, known_count: int, unconfirmed: Iterable[Unconfirmed]
    ) -> PartAnswer:
        """Return how a part answered: fewer rows than are known are accepted after days, none never."""
        if not has_shrunk(count and count + refused_count, known_count):  # what is refused has come, and is kept
            return PartAnswer(part=part, row_count=count)
        if not count:
            message = f"no row came where {known_count} are known; an empty answer is never accepted"
            return PartAnswer(part=part, status="failed", reason="empty", message=message)
        lack = f"{count} rows came where {known_count} are known"
        earlier = [(answer.asked_at.date(), answer.row_count) for answer in unconfirmed if answer.reason == "shrunk"]
        if is_confirmed_shrink(count, earlier, self.asked_at.date()):
            message = f"{lack}, the same on {CONFIRMING_DAYS} days: accepted, the others are gone"
            return PartAnswer(part=part, reason="shrunk", message=message, row_count=count)
        message = f"{lack}; accepted when the same comes on {CONFIRMING_DAYS} days"
        return PartAnswer(part=part, status="failed", reason="shrunk", message=message, row_count=count)


def _bundled_counts(provider: Provider) -> Mapping[str, int]:
    """Return how many bundled list prices a part is known to have, where the adapter tells parts apart; others come and go."""
    if provider.part_of is None:
        return Counter()
    find = provider.part_of
    return Counter(
        find(offer)
        for offer in load_bundled().offers
        if offer.provider == provider.name and offer.purchase_option is PurchaseOption.ON_DEMAND
    )


def _meant(part: str, held: Iterable[str]) -> list[str]:
    """Return the known parts that a fault of many (``spot/*``) means; itself where none is known."""
    if "*" not in part:
        return [part]
    return sorted(name for name in held if fnmatchcase(name, part) and "*" not in name) or [part]
