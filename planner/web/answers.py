"""Answers to requests: planning is work for the processor, so it is done in processes of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass
from html import escape
from multiprocessing import get_context
from typing import TYPE_CHECKING

from planner.demand.models import known_model
from planner.errors import InputError
from planner.web.form import values_of_template
from pricing.catalog import Catalog
from pricing.clock import today
from pricing.errors import GpuplanError

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
OPTIONS_ON_THE_PAGE, OPTIONS_IN_A_FILE = 120, 500
"""Options that a form of the plan holds at most; those on the page are read by eye."""
LONGEST_WAIT_S = 2.5
"""How long a question waits for a process before its sender is told to come again."""
LONGEST_ANSWER_S = 30.0
"""A plan takes a fraction of a second; what takes longer than this hangs, and its process is replaced."""
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
    from pricing.loading import by_region, load

    _catalog[store_uri] = load(store_uri, place_of=by_region)


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
    from planner.report.markdown import markdown
    from planner.report.page.document import page
    from planner.report.values import json_text, options_csv
    from planner.report.view import plan_view
    from planner.report.workbook.file import workbook
    from planner.web.form import form as form_html

    try:
        record = _planned(store_uri, values, OPTIONS_ON_THE_PAGE if form == "page" else OPTIONS_IN_A_FILE)
    except GpuplanError as error:
        if form == "json":
            fault = {name: getattr(error, name) for name in ("code", "message", "hint", "where")}
            body = json.dumps({"schema_version": 1, "error": fault}, ensure_ascii=False)
            return Answer(MEND, MEDIA_TYPES["json"], body.encode())
        text = "\n".join(part for part in (f"{error.where}: " * bool(error.where) + error.message, error.hint) if part)
        return Answer(MEND, MEDIA_TYPES["html"], shell(form_html(values, fault=text), links).encode())
    if form == "xlsx":
        return Answer(200, MEDIA_TYPES["xlsx"], workbook(record))
    writers: dict[str, Callable[[PlanRecord], str]] = {
        "page": lambda record: page(record, around=form_html(values, is_planned=True), links=links),
        "html": page,
        "json": json_text,
        "csv": options_csv,
        "md": lambda record: markdown(plan_view(record)),
    }
    return Answer(200, MEDIA_TYPES.get(form, MEDIA_TYPES["html"]), writers[form](record).encode())


def shell(body: str, links: Mapping[str, str]) -> str:
    """Return a page around a form."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>gpuplan</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<link rel="stylesheet" href="{escape(links["page.css"], quote=True)}"></head>'
        f"<body><main><h1>Which GPU, how many, where, and rent or buy?</h1>{body}</main></body></html>\n"
    )


def _planned(store_uri: str | None, values: Mapping[str, str], top: int) -> PlanRecord:
    from planner.assumptions import default_assumptions
    from planner.demand.workload import Workload
    from planner.inputs.reading import validated
    from planner.plan import planned
    from planner.report.record import plan_record
    from planner.web.form import document_from, settings_from

    if store_uri not in _catalog:
        prepare(store_uri)
    assumptions = default_assumptions()
    settings = settings_from(values)
    if settings:
        assumptions = assumptions.override(settings, "the page")
    work = validated(document_from(values), Workload)
    if isinstance(work.model, str):
        # A path would be a file of the server's; the page knows models by name alone.
        work = work.model_copy(update={"model": _named_model(work.model)})
    plan = planned(work, _catalog[store_uri], assumptions, today())
    return plan_record(plan, top=top)


def _named_model(name: str) -> str:
    """Return the full name of a model; the page reads no files, so it does not offer to."""
    try:
        return known_model(name).name
    except GpuplanError as error:
        raise InputError(error.message, hint=error.hint.partition("; a config.json")[0], where=error.where) from None


def newest_prices(store_uri: str | None) -> str | None:
    """Return what is different after a refresh; None where that cannot be told now (someone writes, or the server is away)."""
    from pricing.store.database import open_store
    from pricing.store.parts import newest_snapshot

    try:
        engine = open_store(store_uri)
        return newest_snapshot(engine) if engine.exists() else ""
    except GpuplanError:
        return None


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
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Answer]] = {}
        self._made_on = today()
        self._looked_at = time.monotonic()
        self._prices = newest_prices(store_uri)
        self._looking: asyncio.Task[None] | None = None
        self._idle: asyncio.Queue[ProcessPoolExecutor] = asyncio.Queue()
        self._hire()

    def _hire(self) -> None:
        """Start with new processes; old ones that are busy end with what they do."""
        self._processes: set[ProcessPoolExecutor] = set()
        for _ in range(self.workers):
            self._add()

    def _add(self) -> None:
        # A pool of one for each, so that ending one that hangs ends nobody else's work. A fresh interpreter, since a fork
        # would copy the server's threads and sockets.
        process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        # A first plan that nobody asked for: prices and modules are read before anyone waits.
        process.submit(answer, self.store_uri, "page", values_of_template("serve"), self.links)
        self._processes.add(process)
        self._idle.put_nowait(process)

    def _replace(self, process: ProcessPoolExecutor) -> None:
        """End a process that hangs or was killed; a new one takes its place."""
        _end(process)
        if process in self._processes:
            self._processes.remove(process)
            self._add()

    def _release(self, process: ProcessPoolExecutor) -> None:
        """Give a process that is done to the next who waits; one that has older prices ends."""
        if process in self._processes:
            self._idle.put_nowait(process)
        else:
            process.shutdown(wait=False)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            _end(process)

    @property
    def waiting(self) -> int:
        """Questions that are being worked out or wait for it."""
        return len(self._asked)

    async def ask(self, form: str, values: Mapping[str, str]) -> Answer:
        """Return an answer.

        Raises
        ------
        BusyError
            Too many wait already.
        """
        self._renew()
        key = json.dumps([form, sorted(values.items())])
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        if key not in self._asked:
            if self.waiting >= self.most_waiting:
                raise BusyError
            self._asked[key] = asyncio.create_task(self._remembered(key, form, values))
        return await asyncio.shield(self._asked[key])  # of several who ask the same, one may leave

    async def _remembered(self, key: str, form: str, values: Mapping[str, str]) -> Answer:
        processes = self._processes
        try:
            result = await self._run(form, values)
        finally:
            del self._asked[key]
        if result.status == 200 and processes is self._processes:  # else it may come from older prices
            self._answers[key] = result
            while len(self._answers) > self.remembered:
                self._answers.popitem(last=False)
        return result

    def _renew(self) -> None:
        """Start anew on a new day (free tiers and tokens go by date), and look now and then whether the store has new prices."""
        if self._made_on != today():
            self._start_anew()
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            # Beside the requests: a refresh that writes may keep the store for a while.
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        prices = await asyncio.to_thread(newest_prices, self.store_uri)
        if prices is not None and prices != self._prices:
            self._prices = prices
            self._start_anew()

    def _start_anew(self) -> None:
        """Let new processes read the prices; who waits already gets an answer from the old ones."""
        self._made_on = today()
        self._answers.clear()
        while not self._idle.empty():
            self._idle.get_nowait().shutdown(wait=False)
        self._hire()

    async def _run(self, form: str, values: Mapping[str, str]) -> Answer:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            try:
                async with asyncio.timeout(LONGEST_WAIT_S):
                    process = await self._idle.get()
            except TimeoutError:
                raise BusyError from None
            try:
                work = loop.run_in_executor(process, answer, self.store_uri, form, dict(values), self.links)
                result = await asyncio.wait_for(work, LONGEST_ANSWER_S)
            except BrokenExecutor:  # killed (by the kernel, say): its work is done again by a new one, once
                self._replace(process)
            except (TimeoutError, asyncio.CancelledError) as error:
                self._replace(process)
                if isinstance(error, TimeoutError):
                    raise BusyError from None
                raise
            except Exception:
                self._release(process)
                raise
            else:
                self._release(process)
                return result
        raise BusyError
