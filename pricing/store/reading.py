"""Questions to the store: offers of a day, one offer over time, what changed between two days."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final

from pricing.clock import utc_now
from pricing.identity import identity_key, identity_of
from pricing.offers import Offer
from pricing.store.answers import LAST_ASKED, end_of_day, observations
from pricing.store.engine import Engine, Session
from pricing.store.past import FULL
from pricing.store.rows import DESCRIPTION_COLUMNS, offers_of
from pricing.store.spreads import spreads

__all__ = [
    "OFFER_COLUMNS",
    "Change",
    "PriceAt",
    "changes_between",
    "count_offers",
    "held_identities",
    "history_of",
    "offer_rows",
    "read_cheapest",
    "read_offers",
]

FILTERS: Final = ("provider", "instance_type", "region", "zone", "accelerator", "purchase_option")
"""Columns by which offers can be asked for."""

OFFER_COLUMNS: Final = (
    *("identity", "provider", "part", "instance_type", "region", "zone", "purchase_option", "term_months", "payment"),
    *("offering_class", "minimum_hours", "zone_kind", "accelerator", "accelerator_stated", "accelerator_count"),
    *("accelerator_memory_gb", "vcpus", "memory_gib", "processor", "cpu_arch", "cancellable", "interruptible"),
    *("launchable", "launchable_note", "source", "adapter_version", "flags", "source_sku_ids", "price_parts"),
    *("price_usd_per_hour", "upfront_usd", "effective_on", "changed_at", "observed_on"),
    *("held_usd_per_hour", "price_median_usd_per_hour", "price_high_usd_per_hour"),
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
) -> list[tuple[Any, ...]]:
    """Return the offers of a day as rows, with the columns `OFFER_COLUMNS`.

    Parameters
    ----------
    engine : Engine
        The store.
    as_of : date, optional
        The end of this day (UTC); now without it.
    filters : mapping, optional
        Column (one of `FILTERS`) to allowed values.
    """
    with engine.reading() as session, _no_garbage_collected():
        return _described(session, session.rows(*_offers_query(session, as_of, *_conditions(filters))))


def _described(session: Session, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with what their descriptions say in place of its number: a few say it of all, and each is fetched once."""
    listed = ", ".join({str(row[DESCRIPTION_PLACE]) for row in rows}) or "0"
    told = session.rows(
        f"select description_id, {', '.join(DESCRIPTION_COLUMNS)} from description where description_id in ({listed})"
    )
    cells = {row[0]: row[1:] for row in told}
    first = DESCRIPTION_PLACE
    return [row[:first] + cells[row[first]] + row[first + 1 :] for row in rows]


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
        offers = offers_of(OFFER_COLUMNS, offer_rows(engine, as_of, filters))
    return _with_spreads(engine, offers, as_of)


def count_offers(engine: Engine, as_of: date | None = None) -> int:
    """Return how many offers the store knows now, or knew at the end of a day."""
    with engine.reading() as session:
        standing, values = _standing(session, as_of, "1 = 1", [])
        return int(session.rows(f"with {standing} select count(*) from standing", values)[0][0])


def read_cheapest(
    engine: Engine,
    place_of: Callable[[str, str], str] = lambda _provider, _region: "",
    as_of: date | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[Offer], dict[tuple[Any, ...], int]]:
    """Return the cheapest of offers that differ in price and place alone, and how many each stands for.

    Alike are offers of one machine of a seller that are bought and described alike, were last seen to hold on the same day,
    and lie in places that nobody tells apart.

    Parameters
    ----------
    engine, as_of, filters
        As for `offer_rows`.
    place_of : callable
        Provider and region to what is to be told apart: the region itself, its country, or one word for all (the default).

    Returns
    -------
    offers : list of Offer
        As `read_offers` returns them.
    counts : dict of tuple to int
        Identity (`pricing.identity.identity_key`) to the offers that it stands for, itself included.
    """
    with engine.reading() as session, _no_garbage_collected():
        regions = session.rows("select distinct provider, region from offer")
        if not regions:
            return [], {}
        places = [(provider, region, place_of(provider, region)) for provider, region in regions]
        rows = _described(session, session.rows(*_offers_query(session, as_of, *_conditions(filters), places=places)))
        offers = offers_of(OFFER_COLUMNS, [row[:-1] for row in rows])
    counts = {identity_key(offer): row[-1] for offer, row in zip(offers, rows, strict=True)}
    return _with_spreads(engine, offers, as_of), counts


def held_identities(engine: Engine, identities: Sequence[str], as_of: date | None = None) -> set[str]:
    """Return which of some offers the store holds a price of, by their identities."""
    with engine.reading() as session:
        standing, values = _standing(
            session, as_of, "o.identity in (select unnest(cast(? as text[])))", [list(identities)]
        )
        rows = session.rows(
            f"with {standing} select o.identity from standing s join offer o on o.offer_id = s.offer_id",
            values,
        )
    return {identity for (identity,) in rows}


def _with_spreads(engine: Engine, offers: list[Offer], as_of: date | None) -> list[Offer]:
    """Return offers with the spread of their prices before a day of the past; today's came with them."""
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


DESCRIPTION_PLACE: Final = OFFER_COLUMNS.index(DESCRIPTION_COLUMNS[0])
"""Where the columns of a description stand among `OFFER_COLUMNS`."""

_SHOWN = ", ".join(
    [
        *(f"o.{name}" for name in OFFER_COLUMNS[:DESCRIPTION_PLACE]),
        "c.description_id",
        "t.source_sku_ids",
        "t.price_parts",
        *(f"c.{name}" for name in OFFER_COLUMNS[29:34]),
    ]
)


def _standing(session: Session, as_of: date | None, condition: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the query of the prices in force, now or at the end of a day, as the table ``standing``, and its values."""
    if as_of is None:
        return (
            f"""standing as (
                select c.* from current_offer c join offer o on o.offer_id = c.offer_id
                join description d on d.description_id = c.description_id where {condition})""",
            list(values),
        )
    moment = end_of_day(as_of)
    # The terms of a day are the last of all those before it: an offer that ever fitted is looked at, and then judged by them.
    ever = f"""and offer_id in (select x.offer_id from terms_change x join offer o on o.offer_id = x.offer_id
                join description d on d.description_id = x.description_id where {condition})"""
    start = session.rows("select max(set_at) from milestone where set_at <= ?", [moment])[0][0] or datetime(1970, 1, 1)  # noqa: DTZ001  the same as in every column: UTC
    return (
        f"""terms as (
            select offer_id, description_id, detail_id,
                   row_number() over (partition by offer_id order by seen_at desc) as place
            from terms_change where seen_at <= ? {ever if values else ""}),
        fitting as (
            select x.offer_id, x.description_id, x.detail_id from terms x join offer o on o.offer_id = x.offer_id
            join description d on d.description_id = x.description_id where x.place = 1 and {condition}),
        price as (
            select offer_id, price_usd_per_hour, upfront_usd, effective_on, seen_at,
                   row_number() over (partition by offer_id order by seen_at desc, is_repeat) as place
            from price_change where seen_at <= ? and seen_at >= ? and offer_id in (select offer_id from fitting)),
        standing as (
            select p.offer_id, p.price_usd_per_hour, p.upfront_usd, p.effective_on, x.description_id, x.detail_id,
                   p.seen_at as changed_at
            from price p join fitting x on x.offer_id = p.offer_id
            where p.place = 1 and p.price_usd_per_hour is not null)""",
        [moment, *values, *values, moment, start],
    )


def _dated(session: Session, as_of: date | None, source: str) -> tuple[str, list[Any]]:
    """Return the query of ``source`` with the day on which each price was last seen to hold, and its values.

    That is the offer's own day, where it tells one; else that of its part's last full answer, or of a file that brought one
    row of the part since.
    """
    moment = datetime.max if as_of is None else end_of_day(as_of)  # noqa: DTZ901 - the store's times have no zone
    return (
        f"""select s.*, coalesce(y.observed_on, cast(
                case when l.landed_at > s.changed_at then l.landed_at else s.changed_at end as date)) as observed_on
            from {source} s join offer o on o.offer_id = s.offer_id
            left join (select provider, part, {LAST_ASKED} as landed_at from snapshot
                       where status = 'ok' and asked_at <= ? and {FULL} group by provider, part) l
                on l.provider = o.provider and l.part = o.part
            left join (select offer_id, observed_on, row_number() over (partition by offer_id order by told_at desc) as place
                       from {observations(session)}
                       where told_at <= ? and offer_id in (select offer_id from {source})) y
                on y.offer_id = s.offer_id and y.place = 1""",
        [utc_now(), moment, moment],
    )


_ALIKE: Final = "provider, instance_type, purchase_option, term_months, description_id, observed_on, place_told"
_CHEAPEST: Final = f"""alike as (
            select d.offer_id, d.price_usd_per_hour, d.description_id, d.observed_on, o.provider, o.instance_type,
                   o.purchase_option, o.term_months, o.region, p.place_told
            from dated d join offer o on o.offer_id = d.offer_id
            join (values {{places}}) as p (provider, region, place_told)
                on p.provider = o.provider and p.region = o.region),
        lowest as (select {_ALIKE}, min(price_usd_per_hour) as price_usd_per_hour, count(*) as alike_count
                   from alike group by {_ALIKE}),
        cheapest as materialized (select * from (
            select a.offer_id, observed_on, n.alike_count,
                   row_number() over (partition by {_ALIKE} order by a.region, a.offer_id) as place
            from alike a join lowest n using ({_ALIKE}, price_usd_per_hour)) x where place = 1),
        picked as materialized (
            select w.*, x.observed_on, x.alike_count from wanted w join cheapest x on x.offer_id = w.offer_id)"""
"""Of offers that are alike the cheapest, by the lowest price of each sort: a third of the work of ranking all of them."""


def _offers_query(
    session: Session,
    as_of: date | None,
    condition: str,
    values: Sequence[Any],
    *,
    places: Sequence[tuple[str, str, str]] = (),
) -> tuple[str, list[Any]]:
    """Return the query of offers; with places, of the cheapest of those that are alike."""
    standing, standing_values = _standing(session, as_of, condition, values)
    dated, dated_values = _dated(session, as_of, "wanted")
    picked, picked_values = "picked as materialized (select * from dated)", list[str]()
    if places:
        picked = _CHEAPEST.format(places=", ".join("(?, ?, ?)" for _ in places))
        picked_values = [cell for row in places for cell in row]
    held = "h.price_usd_per_hour, w.price_median_usd_per_hour, w.price_high_usd_per_hour"
    today = "left join held_price h on h.offer_id = c.offer_id left join spread w on w.offer_id = c.offer_id"
    if as_of is not None:
        held, today = ", ".join(["cast(null as double precision)"] * 3), ""
    return (
        f"""with {standing}, wanted as materialized (select c.* from standing c), dated as ({dated}), {picked}
        select {_SHOWN}, {held}{", c.alike_count" if places else ""}
        from picked c join offer o on o.offer_id = c.offer_id
        join detail t on t.detail_id = c.detail_id {today}""",
        [*standing_values, *dated_values, *picked_values],
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
            " and o.offer_id in (select x.offer_id from terms_change x join description d"
            f" on d.description_id = x.description_id where d.accelerator in ({marks}))"
        )
        values.extend(allowed)
    first = datetime.combine(since or date(1970, 1, 1), time.min)
    with engine.reading() as session:
        found = dict(session.rows(f"select o.offer_id, o.identity from offer o where {condition}", values))
        if not found:
            return []
        listed = ", ".join(str(int(number)) for number in found)
        rows = session.rows(
            f"""select offer_id, seen_at, price_usd_per_hour, 'refresh' from price_change
            where offer_id in ({listed}) and not is_repeat and seen_at >= ?
            union all
            select offer_id, read_at, price_usd_per_hour, 'source' from reading
            where offer_id in ({listed}) and read_at >= ?""",
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
    old = {row[key]: row for row in offer_rows(engine, before, filters)}
    new = {row[key]: row for row in offer_rows(engine, after, filters)}
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
