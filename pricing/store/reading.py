"""Questions to the store: offers of a day, one offer over time, what changed, how old each part is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from pricing.clock import utc_now
from pricing.identity import identity_of
from pricing.offers import Offer
from pricing.store.engine import Engine, Session
from pricing.store.past import FULL, REFRESHED
from pricing.store.rows import offers_of

__all__ = [
    "HISTORY_DAYS",
    "Change",
    "PartStatus",
    "PriceAt",
    "changes_between",
    "cheapest_rows",
    "end_of_day",
    "history_of",
    "newest_snapshot",
    "offer_rows",
    "read_offers",
    "read_statuses",
    "renew_spreads",
    "spreads",
]

HISTORY_DAYS: Final = 90
"""Window of the median and the high percentile: what EC2 itself tells of the past."""

HIGH_SHARE: Final = 0.9

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
class PartStatus:
    """How old one part is, and whether its last asking went well.

    Attributes
    ----------
    provider, part : str
        Whose, and which.
    status, reason, message : str
        Of the last asking.
    asked_at : datetime
        When it was last asked.
    landed_at : datetime or None
        When it last answered in full; None if it never did.
    row_count : int
        Rows that it holds now.
    answered_count : int
        Rows that the last asking brought, believed or not.
    """

    provider: str
    part: str
    status: str
    reason: str
    message: str
    asked_at: datetime
    landed_at: datetime | None
    row_count: int
    answered_count: int = 0

    def age_days(self, now: datetime) -> float | None:
        """Return the days since the part last answered in full; None if it never did."""
        return None if self.landed_at is None else (now - self.landed_at).total_seconds() / 86_400


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


def end_of_day(day: date) -> datetime:
    """Return the last moment of a day, as the store counts time (UTC)."""
    return datetime.combine(day, time.max)


def offer_rows(
    engine: Engine, as_of: date | None = None, filters: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[tuple[Any, ...]], dict[tuple[str, str], datetime]]:
    """Return the offers of a day as rows, and when each part was last seen to hold.

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
    """
    moment = None if as_of is None else end_of_day(as_of)
    condition, values = _conditions(filters)
    with engine.reading() as session:
        landed = {
            (provider, part): when
            for provider, part, when in session.rows(
                f"""select provider, part, max(asked_at) from snapshot where status = 'ok' and asked_at <= ? and {FULL}
                group by provider, part""",  # noqa: S608 - constant
                [moment or datetime.max],  # noqa: DTZ901 - the store's times have no zone
            )
        }
        rows = session.rows(*_offers_query(session, moment, condition, values))
    return rows, landed


def read_offers(
    engine: Engine, as_of: date | None = None, filters: Mapping[str, Sequence[str]] | None = None
) -> list[Offer]:
    """Return the offers of a day, each with the day on which it was last seen to hold.

    Parameters
    ----------
    engine, as_of, filters
        As for `offer_rows`.
    """
    rows, landed = offer_rows(engine, as_of, filters)
    offers = offers_of(OFFER_COLUMNS, rows, landed)
    if as_of is None:
        return offers
    told = spreads(engine, end_of_day(as_of))
    return [
        replace(offer, price_median_usd_per_hour=spread[0], price_high_usd_per_hour=spread[1])
        if (spread := told.get(identity_of(offer)))
        else offer
        for offer in offers
    ]


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


def newest_snapshot(engine: Engine) -> str:
    """Return a text that is another one after every refresh; empty for a store that holds nothing."""
    with engine.reading() as session:
        ((newest,),) = session.rows("select max(snapshot_id) from snapshot")
    return "" if newest is None else str(newest)


def read_statuses(engine: Engine) -> list[PartStatus]:
    """Return how each part was last asked, and when it last answered in full."""
    with engine.reading() as session:
        # An import is no asking where a source is asked too: it must not hide that the last one failed.
        rows = session.rows(
            f"""select s.provider, s.part, s.status, s.reason, s.message, s.asked_at, k.landed_at,
                coalesce(n.row_count, 0), s.row_count
            from (select *, row_number() over (
                      partition by provider, part
                      order by case when {REFRESHED} then 0 else 1 end,
                               case when {REFRESHED} then null else asked_at end desc, snapshot_id desc) as place
                  from snapshot where status <> 'superseded') s
            left join (select provider, part, max(asked_at) as landed_at from snapshot where status = 'ok' and {FULL}
                       group by provider, part) k on k.provider = s.provider and k.part = s.part
            left join (select o.provider, o.part, count(*) as row_count from current_offer c
                       join offer o on o.offer_id = c.offer_id group by o.provider, o.part) n
                   on n.provider = s.provider and n.part = s.part
            where s.place = 1 order by s.provider, s.part"""  # noqa: S608 - constants
        )
    statuses = [
        PartStatus(
            provider=provider, part=part, status=status, reason=reason, message=message, asked_at=asked,
            landed_at=landed, row_count=held, answered_count=answered,
        )
        for provider, part, status, reason, message, asked, landed, held, answered in rows
    ]  # fmt: skip
    # A fault of parts that nobody knew by name yet is over once one of them has answered.
    answered_at: dict[str, datetime] = {}
    for each in statuses:
        if each.landed_at is not None:
            answered_at[each.provider] = max(each.landed_at, answered_at.get(each.provider, each.landed_at))
    return [
        each
        for each in statuses
        if "*" not in each.part or each.asked_at >= answered_at.get(each.provider, datetime.min)  # noqa: DTZ901
    ]


_SPREADS = """with told as (
        select offer_id, read_at as seen_at, price_usd_per_hour as price from reading where read_at <= ?
        union all
        select offer_id, seen_at, price_usd_per_hour from price_change where seen_at <= ? and seen_at >= ?),
    spans as (
        select offer_id, price, case when seen_at < ? then cast(? as timestamp) else seen_at end as begins,
               lead(seen_at, 1, cast(? as timestamp)) over (partition by offer_id order by seen_at) as ends
        from told),
    held as (
        select offer_id, price, sum(extract(epoch from (ends - begins))) as seconds from spans
        where ends > begins and price is not null group by offer_id, price),
    ranked as (
        select offer_id, price, sum(seconds) over (partition by offer_id order by price)
               / sum(seconds) over (partition by offer_id) as share from held)
    select offer_id, min(case when share >= 0.5 then price end) as price_median_usd_per_hour,
           min(case when share >= ? then price end) as price_high_usd_per_hour
    from ranked group by offer_id having count(*) > 1"""


def _spread_parameters(session: Session, end: datetime, days: int) -> list[Any]:
    start = end - timedelta(days=days)
    # The price at the window's start is found from the last milestone on; rows before it add nothing.
    first = session.rows("select max(set_at) from milestone where set_at <= ?", [start])[0][0]
    return [end, end, first or datetime(1970, 1, 1), start, start, end, HIGH_SHARE]  # noqa: DTZ001 - the store's times have no zone


def spreads(engine: Engine, now: datetime | None = None, days: int = HISTORY_DAYS) -> dict[str, tuple[float, float]]:
    """Return the median and the 90th percentile over time of each offer's price, by identity.

    Each price weighs as long as it held. Offers with one price alone in the window are left out: they have no spread.

    Parameters
    ----------
    engine : Engine
        The store.
    now : datetime, optional
        End of the window.
    days : int
        Length of the window.
    """
    with engine.reading() as session:
        rows = session.rows(
            f"""select o.identity, r.price_median_usd_per_hour, r.price_high_usd_per_hour
            from ({_SPREADS}) r join offer o on o.offer_id = r.offer_id""",  # noqa: S608 - constant
            _spread_parameters(session, now or utc_now(), days),
        )
    return {identity: (median, high) for identity, median, high in rows}


def renew_spreads(engine: Engine, now: datetime | None = None) -> None:
    """Write the median and the 90th percentile of each current offer down, for readers in a hurry."""
    with engine.writing() as session:
        session.execute("delete from spread")
        session.execute(
            f"insert into spread select * from ({_SPREADS}) r",  # noqa: S608 - constant
            _spread_parameters(session, now or utc_now(), HISTORY_DAYS),
        )


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
