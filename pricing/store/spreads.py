"""How far prices moved: median and high percentile over time of each offer's last months."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from pricing.clock import utc_now
from pricing.store.database import Engine
from pricing.store.session import Session

HISTORY_DAYS: Final = 90
"""Window of the median and the high percentile: what EC2 itself tells of the past."""

HIGH_SHARE: Final = 0.9


_SPREADS = """with told as (
        select offer_id, read_at as seen_at, price_usd_per_hour as price from reading where read_at <= ? {among}
        union all
        select offer_id, seen_at, price_usd_per_hour from price_change where seen_at <= ? and seen_at >= ? {among}),
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


def spreads_query(session: Session, end: datetime, among: str = "") -> tuple[str, list[Any]]:
    """Return the query of the median and the 90th percentile over time of each offer's price, and its values.

    Each price weighs as long as it held. Offers with one price alone in the window are left out: they have no spread.

    Parameters
    ----------
    session : Session
        A transaction on the store.
    end : datetime
        End of the window of `HISTORY_DAYS`.
    among : str, optional
        A table whose ``offer_id`` are the offers to look at; all without it.
    """
    start = end - timedelta(days=HISTORY_DAYS)
    # The price at the window's start is found from the last milestone on; rows before it add nothing.
    first = session.rows("select max(set_at) from milestone where set_at <= ?", [start])[0][0]
    values = [end, end, first or datetime(1970, 1, 1), start, start, end, HIGH_SHARE]  # noqa: DTZ001 - the store's times have no zone
    return _SPREADS.format(among=f"and offer_id in (select offer_id from {among})" if among else ""), values


def renew_spreads(engine: Engine, now: datetime | None = None) -> None:
    """Write the median and the 90th percentile of each current offer down, for readers in a hurry."""
    with engine.writing() as session:
        session.execute("delete from spread")
        sql, values = spreads_query(session, now or utc_now())
        session.execute(f"insert into spread select * from ({sql}) r", values)
