"""Questions to the store: offers of a day, one offer over time, what changed between two days."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final

from pricing.clock import utc_now
from pricing.identity import identity_of
from pricing.offers import Offer
from pricing.store.answers import LAST_ASKED, end_of_day, own_days
from pricing.store.engine import Engine, Session
from pricing.store.past import FULL
from pricing.store.rows import offers_of
from pricing.store.spreads import spreads

__all__ = [
    "OFFER_COLUMNS",
    "Change",
    "PriceAt",
    "changes_between",
    "cheapest_rows",
    "history_of",
    "offer_rows",
    "read_offers",
]

FILTERS: Final = ("provider", "instance_type", "region", "zone", "accelerator", "purchase_option")
"""Columns by which offers can be asked for."""

OFFER_COLUMNS: Final = (
    *("identity", "provider", "part", "instance_type", "region", "zone", "purchase_option", "term_months", "payment"),
    *("offering_class", "minimum_hours", "zone_kind", "accelerator", "accelerator_stated", "accelerator_count"),
    *("accelerator_memory_gb", "vcpus", "memory_gib", "processor", "cpu_arch", "cancellable", "interruptible"),
    *("launchable", "launchable_note", "source", "adapter_version", "flags", "source_sku_ids", "price_parts"),
    *("price_usd_per_hour", "upfront_usd", "effective_on", "changed_at", "held_usd_per_hour"),
    *("price_median_usd_per_hour", "price_high_usd_per_hour"),
)
"""Names of the columns that `offer_rows` returns, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAt:
    """A price from one moment on; None says that the offer was gone."""

    identity: str
    seen_at: datetime
    price_usd_per_hour: float | None
    basis: str
    """``refresh`` where this program saw it, ``source`` where the provider told it of its past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One offer on two days; a price of None says that it was not there."""

    identity: str
    provider: str
    instance_type: str
    region: str
    purchase_option: str
    before_usd_per_hour: float | None
    after_usd_per_hour: float | None

    @property
    def change_share(self) -> float | None:
        """The move as a share of the earlier price."""
        if self.before_usd_per_hour is None or self.after_usd_per_hour is None:
            return None
        return self.after_usd_per_hour / self.before_usd_per_hour - 1


def offer_rows(
    engine: Engine, as_of: date | None = None, filters: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[tuple[Any, ...]], dict[tuple[str, str], datetime], dict[str, date]]:
    """Return the offers of a day as rows, when each part was last seen to hold, and the day of offers that tell their own.

    Parameters
    ----------
    engine : Engine
        The store.
    as_of : date, optional
        The end of this day (UTC); now without it.
    filters : mapping, optional
        Column (one of `FILTERS`) to allowed values.

    Returns
    -------
    rows : list of tuple
        With the columns `OFFER_COLUMNS`.
    landed : dict of (provider, part) to datetime
        When the part last answered in full, up to that day.
    observed : dict of str to date
        Identity to the offer's own day.
    """
    moment = None if as_of is None else end_of_day(as_of)
    condition, values = _conditions(filters)
    with engine.reading() as session:
        landed = {
            (provider, part): when
            for provider, part, when in session.rows(
                f"""select provider, part, {LAST_ASKED} from snapshot where status = 'ok' and asked_at <= ? and {FULL}
                group by provider, part""",  # noqa: S608 - constants
                [utc_now(), moment or datetime.max],  # noqa: DTZ901 - the store's times have no zone
            )
        }
        rows = session.rows(*_offers_query(session, moment, condition, values))
        observed = own_days(session, moment)
    return rows, landed, observed


def read_offers(
    engine: Engine, as_of: date | None = None, filters: Mapping[str, Sequence[str]] | None = None
) -> list[Offer]:
    """Return the offers of a day, each with the day on which it was last seen to hold.

    Parameters
    ----------
    engine, as_of, filters
        As for `offer_rows`.
    """
    with _no_garbage_collected():
        rows, landed, observed = offer_rows(engine, as_of, filters)
        offers = offers_of(OFFER_COLUMNS, rows, landed, observed)
    if as_of is None:
        return offers
    told = spreads(engine, end_of_day(as_of))
    return [
        replace(offer, price_median_usd_per_hour=spread[0], price_high_usd_per_hour=spread[1])
        if (spread := told.get(identity_of(offer)))
        else offer
        for offer in offers
    ]


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Pause the collector: it would look at hundreds of thousands of new objects again and again, none of which is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _conditions(filters: Mapping[str, Sequence[str]] | None) -> tuple[str, list[Any]]:
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []
    for column, allowed in (filters or {}).items():
        if column not in FILTERS:
            raise ValueError(f"offers cannot be asked for by {column}")
        table = "d" if column == "accelerator" else "o"
        parts.append(f"{table}.{column} in ({', '.join('?' for _ in allowed)})")
        values.extend(allowed)
    return " and ".join(parts), values


_SHOWN = ", ".join(
    [
        *(f"o.{name}" for name in OFFER_COLUMNS[:11]),
        *(f"d.{name}" for name in OFFER_COLUMNS[11:27]),
        "t.source_sku_ids",
        "t.price_parts",
    ]
)


def _offers_query(
    session: Session, moment: datetime | None, condition: str, values: list[Any], limit: int | None = None
) -> tuple[str, list[Any]]:
    """Return the query of offers, now or at a moment; with a limit the cheapest are picked before anything else is read."""
    cheapest = "" if limit is None else f" order by c.price_usd_per_hour, c.offer_id limit {int(limit)}"
    if moment is None:
        return (
            f"""with picked as (
                select c.* from current_offer c join offer o on o.offer_id = c.offer_id
                join description d on d.description_id = c.description_id where {condition}{cheapest})
            select {_SHOWN}, c.price_usd_per_hour, c.upfront_usd, c.effective_on, c.changed_at,
                h.price_usd_per_hour, w.price_median_usd_per_hour, w.price_high_usd_per_hour
            from picked c join offer o on o.offer_id = c.offer_id
            join description d on d.description_id = c.description_id
            join detail t on t.detail_id = c.detail_id
            left join held_price h on h.offer_id = c.offer_id
            left join spread w on w.offer_id = c.offer_id{cheapest}""",  # noqa: S608 - names are ours, values are parameters
            values,
        )
    start = session.rows("select max(set_at) from milestone where set_at <= ?", [moment])[0][0] or datetime(1970, 1, 1)  # noqa: DTZ001
    return (
        f"""with terms as (
            select offer_id, description_id, detail_id,
                   row_number() over (partition by offer_id order by seen_at desc) as place
            from terms_change where seen_at <= ?),
        fitting as (
            select x.offer_id, x.description_id, x.detail_id from terms x join offer o on o.offer_id = x.offer_id
            join description d on d.description_id = x.description_id where x.place = 1 and {condition}),
        price as (
            select offer_id, price_usd_per_hour, upfront_usd, effective_on, seen_at,
                   row_number() over (partition by offer_id order by seen_at desc, is_repeat) as place
            from price_change where seen_at <= ? and seen_at >= ? and offer_id in (select offer_id from fitting)),
        picked as (
            select * from price c where c.place = 1 and c.price_usd_per_hour is not null{cheapest})
        select {_SHOWN}, c.price_usd_per_hour, c.upfront_usd, c.effective_on, c.seen_at,
            cast(null as double precision), cast(null as double precision), cast(null as double precision)
        from picked c join offer o on o.offer_id = c.offer_id
        join fitting x on x.offer_id = c.offer_id
        join description d on d.description_id = x.description_id
        join detail t on t.detail_id = x.detail_id{cheapest}""",  # noqa: S608 - as above
        [moment, *values, moment, start],
    )


def history_of(engine: Engine, filters: Mapping[str, Sequence[str]], since: date | None = None) -> list[PriceAt]:
    """Return every price of the offers that match, oldest first.

    Parameters
    ----------
    engine : Engine
        The store.
    filters : mapping
        As for `offer_rows`; an offer that is gone is found too, but not by its accelerator.
    since : date, optional
        The first day.
    """
    wanted = {name: allowed for name, allowed in filters.items() if name != "accelerator"}
    condition, values = _conditions(wanted)
    if allowed := filters.get("accelerator"):
        marks = ", ".join("?" for _ in allowed)
        condition += (
            " and o.offer_id in (select x.offer_id from terms_change x join description d"  # noqa: S608 - parameter marks
            f" on d.description_id = x.description_id where d.accelerator in ({marks}))"
        )
        values.extend(allowed)
    first = datetime.combine(since or date(1970, 1, 1), time.min)
    with engine.reading() as session:
        found = dict(session.rows(f"select o.offer_id, o.identity from offer o where {condition}", values))  # noqa: S608 - as above
        if not found:
            return []
        listed = ", ".join(str(int(number)) for number in found)
        rows = session.rows(
            f"""select offer_id, seen_at, price_usd_per_hour, 'refresh' from price_change
            where offer_id in ({listed}) and not is_repeat and seen_at >= ?
            union all
            select offer_id, read_at, price_usd_per_hour, 'source' from reading
            where offer_id in ({listed}) and read_at >= ?""",  # noqa: S608 - numbers
            [first, first],
        )
    prices = [
        PriceAt(identity=found[number], seen_at=when, price_usd_per_hour=price, basis=basis)
        for number, when, price, basis in rows
    ]
    return sorted(prices, key=lambda price: (price.identity, price.seen_at))


def changes_between(
    engine: Engine, before: date, after: date, filters: Mapping[str, Sequence[str]] | None = None
) -> list[Change]:
    """Return the offers whose price differs between the ends of two days, new and gone ones included."""
    key, price = OFFER_COLUMNS.index("identity"), OFFER_COLUMNS.index("price_usd_per_hour")
    old = {row[key]: row for row in offer_rows(engine, before, filters)[0]}
    new = {row[key]: row for row in offer_rows(engine, after, filters)[0]}
    changes = []
    for identity in sorted(old.keys() | new.keys()):
        was, now = old.get(identity), new.get(identity)
        row = now or was
        if row is None or (was and now and was[price] == now[price]):
            continue
        cells = dict(zip(OFFER_COLUMNS, row, strict=True))
        changes.append(
            Change(
                identity=identity,
                provider=cells["provider"],
                instance_type=cells["instance_type"],
                region=cells["zone"] or cells["region"],
                purchase_option=cells["purchase_option"],
                before_usd_per_hour=was[price] if was else None,
                after_usd_per_hour=now[price] if now else None,
            )
        )
    return changes


def cheapest_rows(
    engine: Engine, filters: Mapping[str, Sequence[str]], as_of: date | None = None, limit: int = 50
) -> list[tuple[Any, ...]]:
    """Return the cheapest offers that match, with the columns `OFFER_COLUMNS`, without reading all the others.

    Parameters
    ----------
    engine, as_of, filters
        As for `offer_rows`.
    limit : int
        How many.
    """
    moment = None if as_of is None else end_of_day(as_of)
    condition, values = _conditions(filters)
    with engine.reading() as session:
        rows: list[tuple[Any, ...]] = session.rows(*_offers_query(session, moment, condition, values, limit))
    return rows
