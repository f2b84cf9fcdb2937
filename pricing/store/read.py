"""Questions to the store: offers of a day, one offer over time, what changed between two days."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from pricing.clock import utc_now
from pricing.facts.offers import IDENTITY_COLUMNS, Offer, identity_key, identity_of
from pricing.store.database import Engine
from pricing.store.late_rows import FULL
from pricing.store.parts import LAST_ASKED, end_of_day, observations
from pricing.store.rows import DESCRIPTION_COLUMNS, offers_of
from pricing.store.session import Session
from pricing.store.spreads import spreads_query

FILTERS: Final = ("provider", "instance_type", "region", "zone", "accelerator", "purchase_option")
"""Columns by which offers can be asked for."""

OFFER_COLUMNS: Final = {
    **{name: f"o.{name}" for name in (*IDENTITY_COLUMNS, "part")},
    **{
        name: f"c.{name}"
        for name in ("description_id", "price_usd_per_hour", "upfront_usd", "effective_on", "observed_on")
    },
    **{name: f"t.{name}" for name in ("source_sku_ids", "price_parts")},
    **{name: f"w.{name}" for name in ("price_median_usd_per_hour", "price_high_usd_per_hour")},
}
"""What is read of each offer, and where it stands in `_offers_query`."""


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

    @property
    def what(self) -> str:
        """``new``, ``gone`` or ``changed``."""
        return "new" if self.before_usd_per_hour is None else "gone" if self.after_usd_per_hour is None else "changed"


def read_offers(
    engine: Engine, as_of: date | None = None, filters: Mapping[str, Sequence[str]] | None = None
) -> list[Offer]:
    """Return the offers of a day, each with the day on which it was last seen to hold.

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
        return _offers(session, as_of, filters)[0]


def _offers(
    session: Session,
    as_of: date | None,
    filters: Mapping[str, Sequence[str]] | None,
    places: Sequence[tuple[str, str, str]] = (),
) -> tuple[list[Offer], Sequence[int]]:
    """Return the offers of a day, and with places how many each stands for."""
    sql, values = _offers_query(session, as_of, *_conditions(filters), places=places)
    columns = session.columns(sql, values)
    cells = dict(zip((*OFFER_COLUMNS, "held_usd_per_hour", *(["alike_count"] if places else [])), columns, strict=True))
    listed = ", ".join(map(str, set(cells["description_id"]))) or "0"
    descriptions = session.rows(
        f"select description_id, {', '.join(DESCRIPTION_COLUMNS)} from description where description_id in ({listed})"
    )
    return offers_of(cells, {row[0]: row[1:] for row in descriptions}), cells.get("alike_count", ())


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
        As for `read_offers`.
    place_of : callable
        Provider and region to what is to be told apart: the region itself, its country, or one word for all (the default).

    Returns
    -------
    offers : list of Offer
        As `read_offers` returns them.
    counts : dict of tuple to int
        Identity (`pricing.facts.offers.identity_key`) to the offers that it stands for, itself included.
    """
    with engine.reading() as session, _no_garbage_collected():
        regions = session.rows("select distinct provider, region from offer")
        if not regions:
            return [], {}
        places = [(provider, region, place_of(provider, region)) for provider, region in regions]
        offers, counts = _offers(session, as_of, filters, places)
    return offers, dict(zip(map(identity_key, offers), counts, strict=True))


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
    held, spread, spread_values = "h.price_usd_per_hour", "spread", list[Any]()
    today = "left join held_price h on h.offer_id = c.offer_id"
    if as_of is not None:
        held, today = "null", ""
        spread, spread_values = spreads_query(session, end_of_day(as_of), "picked")
        spread = f"({spread})"
    return (
        f"""with {standing}, wanted as materialized (select c.* from standing c), dated as ({dated}), {picked}
        select {", ".join(OFFER_COLUMNS.values())}, {held}{", c.alike_count" if places else ""}
        from picked c join offer o on o.offer_id = c.offer_id
        join detail t on t.detail_id = c.detail_id {today} left join {spread} w on w.offer_id = c.offer_id""",
        [*standing_values, *dated_values, *picked_values, *spread_values],
    )


def history_of(engine: Engine, filters: Mapping[str, Sequence[str]], since: date | None = None) -> list[PriceAt]:
    """Return every price of the offers that match, oldest first.

    Parameters
    ----------
    engine : Engine
        The store.
    filters : mapping
        As for `read_offers`; an offer that is gone is found too, but not by its accelerator.
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
        identities = dict(session.rows(f"select o.offer_id, o.identity from offer o where {condition}", values))
        if not identities:
            return []
        listed = ", ".join(str(int(number)) for number in identities)
        rows = session.rows(
            f"""select offer_id, seen_at, price_usd_per_hour, 'refresh' from price_change
            where offer_id in ({listed}) and not is_repeat and seen_at >= ?
            union all
            select offer_id, read_at, price_usd_per_hour, 'source' from reading
            where offer_id in ({listed}) and read_at >= ?""",
            [first, first],
        )
    prices = [
        PriceAt(identity=identities[number], seen_at=when, price_usd_per_hour=price, basis=basis)
        for number, when, price, basis in rows
    ]
    return sorted(prices, key=lambda price: (price.identity, price.seen_at))


def changes_between(
    engine: Engine, before: date, after: date, filters: Mapping[str, Sequence[str]] | None = None
) -> list[Change]:
    """Return the offers whose price differs between the ends of two days, new and gone ones included."""
    with engine.reading() as session, _no_garbage_collected():
        old, new = (
            {identity_of(offer): offer for offer in _offers(session, day, filters)[0]} for day in (before, after)
        )
    changes = []
    for identity in sorted(old.keys() | new.keys()):
        was, now = old.get(identity), new.get(identity)
        offer = now or was
        if offer is None or (was and now and was.price_usd_per_hour == now.price_usd_per_hour):
            continue
        changes.append(
            Change(
                identity=identity,
                provider=offer.provider,
                instance_type=offer.instance_type,
                region=offer.zone or offer.region,
                purchase_option=offer.purchase_option.value,
                before_usd_per_hour=was.price_usd_per_hour if was else None,
                after_usd_per_hour=now.price_usd_per_hour if now else None,
            )
        )
    return changes
