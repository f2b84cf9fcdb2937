"""Answers to requests: planning is work for the processor, so it is done in processes of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from multiprocessing import get_context
from typing import Any

from pricing.catalog import Catalog
from pricing.errors import GpuplanError

__all__ = ["MEDIA_TYPES", "Answer", "BusyError", "Planners", "answer"]

MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
OPTIONS_KEPT = {"page": 120}
"""Options that a form of the plan holds at most; those on the page are read by eye."""
OPTIONS_IN_A_FILE = 500
LONGEST_ANSWER_S = 30.0
"""A plan takes a fraction of a second; with all who may wait before it, some seconds."""
LOOK_EVERY_S = 60.0
"""How often the store is looked at for newer prices, at most."""
MEND = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and its HTTP status."""

    status: int
    media_type: str
    body: bytes


class BusyError(Exception):
    """More requests wait than will be answered in time."""


_catalog: dict[str | None, Catalog] = {}


def prepare(store_uri: str | None) -> None:
    """Read the prices once for each process."""
    from pricing.latest import load

    _catalog[store_uri] = load(store_uri, None)


def answer(store_uri: str | None, form: str, values: Mapping[str, str], links: Mapping[str, str]) -> Answer:
    """Plan the workload of a form, and write it.

    Parameters
    ----------
    store_uri : str or None
        Where prices are kept.
    form : str
        ``page`` for the page of the web app, else a key of `MEDIA_TYPES`.
    values : mapping of str to str
        The form's fields.
    links : mapping of str to str
        Addresses of scripts and styles, by asset.

    Returns
    -------
    Answer
        Also for input that has to be mended: a bad form is an answer, not an accident.
    """
    from planner.report.page import page
    from planner.report.view import plan_view
    from planner.web.form import form as form_html

    try:
        record = _planned(store_uri, values, OPTIONS_KEPT.get(form, OPTIONS_IN_A_FILE))
    except GpuplanError as error:
        if form == "json":
            told = {"code": error.code, "message": error.message, "hint": error.hint, "where": error.where}
            body = json.dumps({"schema_version": 1, "error": told}, ensure_ascii=False)
            return Answer(MEND, MEDIA_TYPES["json"], body.encode())
        fault = "\n".join(part for part in (f"{error.where}: " * bool(error.where) + error.message, error.hint) if part)
        return Answer(MEND, MEDIA_TYPES["html"], shell(form_html(values, fault=fault), links).encode())
    match form:
        case "page":
            text = page(record, around=form_html(values, is_planned=True), links=links)
        case "html":
            text = page(record)
        case "json":
            from planner.report.values import json_text

            text = json_text(record)
        case "csv":
            from planner.report.sheet import options_csv

            text = options_csv(record)
        case "md":
            from planner.report.document import markdown

            text = markdown(plan_view(record))
        case _:
            from planner.report.workbook import workbook

            return Answer(200, MEDIA_TYPES["xlsx"], workbook(record))
    return Answer(200, MEDIA_TYPES.get(form, MEDIA_TYPES["html"]), text.encode())


def shell(body: str, links: Mapping[str, str]) -> str:
    """Return a page around a form."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>gpuplan: rent or buy</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<link rel="stylesheet" href="{escape(links["page.css"], quote=True)}"></head>'
        f"<body><main><h1>Shall this GPU workload be rented or bought?</h1>{body}</main></body></html>\n"
    )


def _planned(store_uri: str | None, values: Mapping[str, str], top: int) -> dict[str, Any]:
    from planner.assumptions import default_assumptions
    from planner.demand.models import known_model
    from planner.demand.workload import Workload
    from planner.inputs import validated
    from planner.plan import make_plan
    from planner.report.record import plan_record
    from planner.report.values import plain
    from planner.web.fields import document_from, settings_from
    from pricing.free_tiers import free_tiers
    from pricing.token_prices import TokenPrice, token_prices

    if store_uri not in _catalog:
        prepare(store_uri)
    beliefs = default_assumptions()
    settings = settings_from(values)
    if settings:
        beliefs = beliefs.override(settings, "the page")
    work = validated(document_from(values), Workload)
    today = _today()
    hosted: tuple[TokenPrice, ...] = ()
    if isinstance(work.model, str):
        # A path would be a file of the server's; the page knows models by name alone.
        name = known_model(work.model).name
        work = work.model_copy(update={"model": name})
        if work.kind in {"serve", "batch", "embed"}:
            hosted = token_prices(name, today)
    plan = make_plan(work, _catalog[store_uri], beliefs, today=today, token_prices=hosted, free_tiers=free_tiers())
    return dict(plain(plan_record(plan, top=top)))


def newest_prices(store_uri: str | None) -> str | None:
    """Return what is different after a refresh; None where that cannot be told now (someone writes, or the server is away)."""
    from pricing.store.open import open_store
    from pricing.store.reading import newest_snapshot

    try:
        engine = open_store(store_uri)
        return newest_snapshot(engine) if engine.exists() else ""
    except GpuplanError:
        return None


def _today() -> date:
    return datetime.now().astimezone().date()


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, whatever they are doing."""
    processes = list((pool._processes or {}).values())  # noqa: SLF001 - there is no public way to end a hanging one
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


class Planners:
    """Processes that plan, with a memory of the latest answers and a bound on those who wait.

    Parameters
    ----------
    store_uri : str or None
        Where prices are kept.
    links : mapping of str to str
        Addresses of scripts and styles.
    workers : int
        Processes.
    most_waiting : int
        Requests that may wait; more are told to come again.
    remembered : int
        Answers kept, since many people try the same numbers.
    """

    def __init__(
        self,
        store_uri: str | None,
        links: Mapping[str, str],
        *,
        workers: int = 2,
        most_waiting: int = 200,
        remembered: int = 200,
    ) -> None:
        self.store_uri, self.links = store_uri, dict(links)
        self.workers, self.most_waiting, self.remembered = workers, most_waiting, remembered
        self.waiting = 0
        self._known: OrderedDict[str, Answer] = OrderedDict()
        self._made_on = _today()
        self._looked_at = time.monotonic()
        self._prices = newest_prices(store_uri)
        self._looking: asyncio.Task[None] | None = None
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        # A fresh interpreter for each: a fork would copy the server's threads and sockets.
        return ProcessPoolExecutor(
            self.workers, mp_context=get_context("spawn"), initializer=prepare, initargs=(self.store_uri,)
        )

    def close(self) -> None:
        """End the processes."""
        _end(self._pool)

    async def ask(self, form: str, values: Mapping[str, str]) -> Answer:
        """Return an answer.

        Raises
        ------
        BusyError
            Too many wait already.
        """
        self._renew()
        key = json.dumps([form, sorted(values.items())])
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if self.waiting >= self.most_waiting:
            raise BusyError
        self.waiting += 1
        pool = self._pool
        try:
            found = await self._run(form, values)
        finally:
            self.waiting -= 1
        if found.status == 200 and pool is self._pool:  # else it may come from older prices
            self._known[key] = found
            while len(self._known) > self.remembered:
                self._known.popitem(last=False)
        return found

    def _renew(self) -> None:
        """Start anew on a new day (free tiers and tokens go by date), and look now and then whether the store has new prices."""
        if self._made_on != _today():
            self._start_anew()
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            # Beside the requests: a refresh that writes may keep the store for a while.
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        found = await asyncio.to_thread(newest_prices, self.store_uri)
        if found is not None and found != self._prices:
            self._prices = found
            self._start_anew()

    def _start_anew(self) -> None:
        """Let new processes read the prices; who waits already gets an answer from the old ones."""
        self._made_on = _today()
        self._known.clear()
        old, self._pool = self._pool, self._new_pool()
        old.shutdown(wait=False)

    async def _run(self, form: str, values: Mapping[str, str]) -> Answer:
        loop = asyncio.get_running_loop()
        for attempt in range(2):
            pool = self._pool
            try:
                work = loop.run_in_executor(pool, answer, self.store_uri, form, dict(values), self.links)
                return await asyncio.wait_for(work, LONGEST_ANSWER_S)
            except TimeoutError:
                # A process that hangs is not coming back: everyone gets new ones.
                if pool is self._pool:
                    self._pool = self._new_pool()
                    _end(pool)
                raise BusyError from None
            except BrokenExecutor:
                # A process was killed (by the kernel, say): its work is done again by a new one, once.
                if pool is self._pool:
                    self._pool = self._new_pool()
                if attempt:
                    raise
        raise AssertionError
