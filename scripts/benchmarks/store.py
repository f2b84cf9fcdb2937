"""The store over three years of daily refreshes of 200,000 offers: storing one, the newest, an old day, one offer's past."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

OFFERS = 200_000
REGIONS = 60
ACCELERATORS = ("H100-SXM", "H200-SXM", "B200", "A100-80GB-SXM", "A100-40GB-SXM", "L4", "L40S", "A10", "T4", "MI300X", "V100-16GB-SXM",
                "A10G", "GB200", "RTX 4090")  # fmt: skip
SPOT_SHARE = 0.4
SPOT_CHANGES_SHARE_PER_DAY = 0.10
LIST_CHANGES_SHARE_PER_DAY = 0.001
REAL_DAYS = 10
DAYS = 1095
FIRST = datetime(2023, 11, 21, 3, 17)  # noqa: DTZ001 - as the store keeps time


def offers_of_one_day() -> list[Any]:
    """Return 200,000 offers, 40 % of them spot, spread over 60 regions and 14 accelerators."""
    from pricing.facts.offers import Offer, PurchaseOption

    prices = random.Random(1)  # noqa: S311 - figures for a benchmark
    return [
        Offer(
            provider="aws",
            instance_type=f"k{number % 400}.large",
            region=f"region-{number % REGIONS}",
            zone=f"z{number // 1200}",
            zone_kind="zone",
            accelerator=ACCELERATORS[number % 400 % len(ACCELERATORS)],
            accelerator_stated="as stated",
            accelerator_count=8.0,
            vcpus=192.0,
            memory_gib=2048.0,
            purchase_option=PurchaseOption.SPOT if number < OFFERS * SPOT_SHARE else PurchaseOption.ON_DEMAND,
            price_usd_per_hour=round(prices.uniform(0.5, 90.0), 4),
            source="benchmark",
            source_sku_ids=() if number < OFFERS * SPOT_SHARE else (f"SKU{number:012d}",),
            effective_on=date(2023, 11, 1),
            observed_on=date(2023, 11, 21),
            part=f"part/{number % REGIONS}",
        )
        for number in range(OFFERS)
    ]


def _moved(offers: list[Any], dice: random.Random) -> list[int]:
    """Move the prices of one day, and return the places of the offers that moved."""
    places: list[int] = []
    spot = int(len(offers) * SPOT_SHARE)
    for first, last, share in ((0, spot, SPOT_CHANGES_SHARE_PER_DAY), (spot, len(offers), LIST_CHANGES_SHARE_PER_DAY)):
        for number in dice.sample(range(first, last), int((last - first) * share)):
            # Around one level, as real prices go; a random walk of three years would end at nothing.
            price = round(offers[number].price_usd_per_hour * dice.choice((0.9, 1 / 0.9)), 4)
            offers[number] = replace(offers[number], price_usd_per_hour=min(max(price, 0.2), 200.0))
            places.append(number)
    return places


def fill(path: Path, days: int) -> list[tuple[float, float]]:
    """Make a store of some days, and return the seconds (clock, processor) that each of the last landings took.

    The first day and the last ten are landed as a refresh lands them. The days between are written straight into the tables,
    as landings would have left them: a landing writes what changed, and what changed is known here.
    """
    from pricing.facts.offers import identity_of
    from pricing.store.database import DuckDbEngine
    from pricing.store.parts import PartAnswer
    from pricing.store.write import Landing, _write_milestone, land

    engine, offers = DuckDbEngine(path), offers_of_one_day()
    parts = tuple(PartAnswer(part=f"part/{number}") for number in range(REGIONS))

    def landing(day: int) -> Landing:
        return Landing(provider="aws", asked_at=FIRST + timedelta(days=day), parts=parts, offers=offers)

    land(engine, landing(0))
    dice = random.Random(2)  # noqa: S311 - figures for a benchmark
    with engine.reading() as session:
        numbers = dict(session.rows("select identity, offer_id from offer"))
    number_of = [numbers[identity_of(offer)] for offer in offers]
    for day in range(1, days - REAL_DAYS):
        moved, at = _moved(offers, dice), FIRST + timedelta(days=day)
        with engine.writing() as session:
            columns = {
                "offer_id": ("integer", [number_of[place] for place in moved]),
                "price": ("double precision", [offers[place].price_usd_per_hour for place in moved]),
            }
            session.stage("moved", columns)
            session.execute(
                "insert into price_change select offer_id, ?, price, 0, null, false from moved order by 1", [at]
            )
            session.execute(
                """create temporary table renewed as select c.offer_id, m.price, c.upfront_usd, c.effective_on, c.description_id,
                c.detail_id from moved m join current_offer c on c.offer_id = m.offer_id"""
            )
            session.execute("delete from current_offer where offer_id in (select offer_id from moved)")
            session.execute("insert into current_offer select *, cast(? as timestamp) from renewed", [at])
            session.execute(
                """insert into snapshot select snapshot_id + ?, provider, part, ?, ?, status, reason, message, row_count, 0, 0, 0, 0,
                adapter_version from snapshot where snapshot_id <= ?""",
                [day * REGIONS, at, at, REGIONS],
            )
            _write_milestone(session, landing(day))
    seconds = []
    for day in range(max(1, days - REAL_DAYS), days):
        _moved(offers, dice)
        start, busy = time.perf_counter(), time.process_time()
        land(engine, landing(day))
        seconds.append((time.perf_counter() - start, time.process_time() - busy))
    return seconds


def _taken(run: Callable[[], object], times: int = 7) -> str:
    """Return the median time of a call, by the clock and by the processor: the second bears a busy machine."""
    clock_ms, processor_ms = [], []
    for _ in range(times):
        start, busy = time.perf_counter(), time.process_time()
        run()
        clock_ms.append((time.perf_counter() - start) * 1e3)
        processor_ms.append((time.process_time() - busy) * 1e3)
    return f"{statistics.median(clock_ms):.0f} ms (CPU {statistics.median(processor_ms):.0f})"


def questions(path: Path, days: int) -> Iterator[tuple[str, str, str]]:
    """Ask a filled store, the opening and closing of the file included, and yield what was measured, the figure, the goal."""
    from pricing.loading import load
    from pricing.store.database import DuckDbEngine
    from pricing.store.read import history_of, read_offers

    engine = DuckDbEngine(path)
    h100 = {"accelerator": ["H100-SXM"]}
    yield "opening and closing the file", _taken(lambda: _opened(engine)), ""
    yield (
        "offers of a GPU now, as objects",
        _taken(lambda: read_offers(engine, filters=h100)),
        "20 ms and the opening",
    )
    for share in (0.1, 0.5, 0.99):
        day = (FIRST + timedelta(days=int(days * share))).date()
        taken = _taken(partial(read_offers, engine, day, h100))
        yield (
            f"offers of a GPU as on day {int(days * share)}, as objects with their spreads",
            taken,
            "60 ms and the opening",
        )
    first = read_offers(engine, filters=h100)[0]
    one = {name: [str(getattr(first, name))] for name in ("instance_type", "region", "zone", "purchase_option")}
    yield "one offer's past", _taken(lambda: history_of(engine, one)), "20 ms and the opening"
    yield (
        "all prices as a plan without constraints reads them",
        _taken(lambda: load(str(path), place_of=lambda _provider, _region: ""), 3),
        "1.5 s with the plan",
    )
    yield "all 200,000 offers as objects", _taken(lambda: read_offers(engine), 3), ""


def _opened(engine: Any) -> None:  # noqa: ANN401 - any engine
    with engine.reading():
        pass


def measure() -> Iterator[tuple[str, str, str]]:
    """Fill a store of three years and ask it; yield what was measured, the figure, the goal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.duckdb"
        seconds = fill(path, DAYS)
        yield f"{DAYS} days of {OFFERS:,} offers on disk", f"{path.stat().st_size / 1e6:.0f} MB", "100 MB"
        clock_s, processor_s = (statistics.median(column) for column in zip(*seconds, strict=True))
        yield "storing one refresh, median of ten", f"{clock_s:.2f} s (CPU {processor_s:.2f})", "1 s"
        yield from questions(path, DAYS)


if __name__ == "__main__":
    for line in measure():
        print(*line, sep="  |  ", flush=True)
