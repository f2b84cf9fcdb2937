"""Rows that come late: a file tells an older day than the store already knows.

The rule, offer by offer: a price of a file is *older* where the store knows something newer of that very offer. That is a
later change of its own, or a later answer of the part that holds it. Where no source answers for the part (a file's rows
without one), the provider's newest refresh, which does not tell the offer, says that it is not sold now. An older price is
added to its day and holds until the newer knowledge begins; the present is not touched. All other rows take effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    from pricing.store.session import Session


IMPORTED: Final = "import"
"""Reason in the log of an import that brought all that the store holds of a part."""

PARTIAL: Final = "import_partial"
"""Reason in the log of an import that brought some rows of a part: it does not make the others any younger."""

FULL: Final = f"reason <> '{PARTIAL}'"
"""Condition on ``snapshot``: an answer that dates its whole part."""

REFRESHED: Final = f"reason not in ('{IMPORTED}', '{PARTIAL}')"
"""Condition on ``snapshot``: a source itself was asked, so that what it did not tell is not sold."""

PRICE: Final = "price_usd_per_hour, upfront_usd, effective_on"


def set_older_aside(session: Session, provider: str, moment: datetime) -> None:
    """Move the rows of ``staged`` that tell an older day than the store knows into ``older``.

    Parameters
    ----------
    session : Session
        With the table ``staged`` of an import.
    provider : str
        Whose offers they are.
    moment : datetime
        The day that the file tells, as the store counts time.
    """
    # A repeated row behind the moment would say the price that the file corrects; its milestone falls anyway.
    session.execute(
        "delete from price_change where is_repeat and seen_at >= ? and offer_id in (select offer_id from staged)",
        [moment],
    )
    refreshed = session.rows(
        f"select max(asked_at) from snapshot where provider = ? and status = 'ok' and asked_at > ? and {REFRESHED}",
        [provider, moment],
    )[0][0]
    session.execute(
        f"""create temporary table told_since as
        select part, min(asked_at) as first_at, max(asked_at) as last_at,
               min(case when {REFRESHED} then asked_at end) as first_refresh_at,
               max(case when {REFRESHED} then asked_at end) as last_refresh_at
        from snapshot where provider = ? and status = 'ok' and asked_at > ? group by part""",
        [provider, moment],
    )
    _last_before(session, "price_until", "<=", moment)
    _last_before(session, "price_before", "<", moment)
    session.execute(
        """create temporary table older as
        with later as (
            select offer_id, min(seen_at) as next_at, max(seen_at) as last_at from price_change
            where seen_at > ? and offer_id in (select offer_id from staged) group by offer_id),
        placed as (
            select s.*, l.next_at, l.last_at as last_change_at,
                   u.price_usd_per_hour as held_usd_per_hour, u.upfront_usd as held_upfront_usd,
                   u.effective_on as held_effective_on, b.price_usd_per_hour as before_usd_per_hour,
                   b.upfront_usd as before_upfront_usd,
                   case when u.price_usd_per_hour is not null then k.first_at
                        when substr(o.part, 1, 7) = 'import/' then cast(? as timestamp)
                        else k.first_refresh_at end as told_at,
                   case when u.price_usd_per_hour is not null then k.last_at
                        when substr(o.part, 1, 7) = 'import/' then cast(? as timestamp)
                        else k.last_refresh_at end as last_told_at
            from staged s join offer o on o.offer_id = s.offer_id
            left join later l on l.offer_id = s.offer_id
            left join price_until u on u.offer_id = s.offer_id
            left join price_before b on b.offer_id = s.offer_id
            left join told_since k on k.part = o.part)
        select p.*, least(coalesce(next_at, told_at), coalesce(told_at, next_at)) as until_at,
               greatest(coalesce(last_change_at, last_told_at), coalesce(last_told_at, last_change_at)) as newest_at,
               case when held_usd_per_hour = price_usd_per_hour and held_upfront_usd = upfront_usd then 1 else 0 end as is_known
        from placed p where next_at is not null or told_at is not null""",
        [moment, refreshed, refreshed],
    )
    session.execute("delete from staged where offer_id in (select offer_id from older)")


def _last_before(session: Session, name: str, sign: str, moment: datetime) -> None:
    """Make a table of the last price of each arriving offer before a moment, or until it."""
    session.execute(
        f"""create temporary table {name} as
        select offer_id, {PRICE} from (
            select offer_id, {PRICE}, row_number() over (partition by offer_id order by seen_at desc) as place
            from price_change where seen_at {sign} ? and offer_id in (select offer_id from staged)) x where place = 1""",
        [moment],
    )


def write_past(session: Session, moment: datetime) -> None:
    """Add the prices and terms of ``older`` to their day; from the next newer knowledge on all is as it was before."""
    # A file's price replaces what an earlier import told of the same moment.
    session.execute(
        "delete from price_change where seen_at = ? and offer_id in (select offer_id from older where is_known = 0)",
        [moment],
    )
    session.execute(
        """insert into price_change
        select offer_id, ?, price_usd_per_hour, upfront_usd, effective_on, false from older
        where is_known = 0 and (before_usd_per_hour is null or before_usd_per_hour <> price_usd_per_hour
                                or before_upfront_usd <> upfront_usd) order by offer_id""",
        [moment],
    )
    session.execute(
        """insert into price_change
        select offer_id, told_at, held_usd_per_hour, coalesce(held_upfront_usd, 0), held_effective_on, false from older
        where is_known = 0 and told_at is not null and (next_at is null or next_at > told_at) order by offer_id"""
    )
    _write_past_terms(session, moment)


def _write_past_terms(session: Session, moment: datetime) -> None:
    session.execute(
        """create temporary table older_terms as
        with until_then as (
            select offer_id, description_id, detail_id,
                   row_number() over (partition by offer_id order by seen_at desc) as place
            from terms_change where seen_at <= ? and offer_id in (select offer_id from older)),
        later as (
            select offer_id, min(seen_at) as next_at from terms_change
            where seen_at > ? and offer_id in (select offer_id from older) group by offer_id)
        select o.offer_id, o.description_id, o.detail_id, o.until_at, l.next_at,
               u.description_id as held_description_id, u.detail_id as held_detail_id
        from older o left join until_then u on u.offer_id = o.offer_id and u.place = 1
        left join later l on l.offer_id = o.offer_id
        where u.offer_id is null or u.description_id <> o.description_id or u.detail_id <> o.detail_id""",
        [moment, moment],
    )
    session.execute(
        "delete from terms_change where seen_at = ? and offer_id in (select offer_id from older_terms)", [moment]
    )
    session.execute(
        "insert into terms_change select offer_id, ?, description_id, detail_id from older_terms order by offer_id",
        [moment],
    )
    session.execute(
        """insert into terms_change select offer_id, until_at, held_description_id, held_detail_id from older_terms
        where held_description_id is not null and (next_at is null or next_at > until_at) order by offer_id"""
    )
    session.execute("drop table older_terms")


def older_counts(session: Session) -> dict[str, dict[str, Any]]:
    """Return the counts of the rows in ``older`` for each part of the file, under the names of `PartResult`."""
    names = ("older_count", "known_count", "outdated_count", "unlisted_count", "newest_at")
    rows = session.rows(
        """select p.part, sum(1 - p.is_known), sum(p.is_known),
            sum(case when c.price_usd_per_hour <> p.price_usd_per_hour or c.upfront_usd <> p.upfront_usd then 1 else 0 end),
            sum(case when c.offer_id is null then 1 else 0 end), max(p.newest_at)
        from older p left join current_offer c on c.offer_id = p.offer_id group by p.part"""
    )
    return {
        part: dict(zip(names, (*(int(count) for count in counts), newest), strict=True))
        for part, *counts, newest in rows
    }


def partial_parts(session: Session, provider: str) -> set[str]:
    """Return the parts of which the store holds offers that the arriving file does not tell: the file does not date them."""
    rows = session.rows(
        """select distinct o.part from current_offer c join offer o on o.offer_id = c.offer_id
        where o.provider = ? and not exists (select 1 from arriving a where a.identity = o.identity)""",
        [provider],
    )
    return {part for (part,) in rows}


def drop_past(session: Session) -> None:
    """Drop the tables that `set_older_aside` made."""
    for table in ("told_since", "price_until", "price_before", "older"):
        session.execute(f"drop table {table}")
