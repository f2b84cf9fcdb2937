"""What the store knows of its sources: how each part answered, when, how old it is, and what it has told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

from pricing.clock import utc_now
from pricing.store.database import Engine
from pricing.store.late_rows import FULL, REFRESHED
from pricing.store.session import Session


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
    """

    provider: str
    part: str
    status: str
    reason: str
    message: str
    asked_at: datetime
    landed_at: datetime | None
    row_count: int

    def age_days(self, now: datetime) -> float | None:
        """Return the days since the part last answered in full; None if it never did."""
        return None if self.landed_at is None else (now - self.landed_at).total_seconds() / 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswer:
    """How one part of a source answered.

    Attributes
    ----------
    part : str
        Its name (``on_demand/us-east-1``).
    status : str
        ``ok``, ``failed`` or ``skipped``.
    reason, message : str
        Machine-readable cause, and what a reader is told.
    row_count : int
        Rows that were read; of a failed part too, since a shrunken answer is accepted when it comes twice.
    is_whole : bool
        False where some row could not be read: nobody knows what it was of, so nothing of the part is said to be gone.
    """

    part: str
    status: str = "ok"
    reason: str = ""
    message: str = ""
    row_count: int = 0
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An answer of a part that was not accepted.

    Attributes
    ----------
    reason : str
        ``shrunk``, ``anchor`` ...
    row_count : int
        Rows that it had.
    asked_at : datetime
        When it came.
    """

    reason: str
    row_count: int
    asked_at: datetime


LAST_ASKED: Final = "coalesce(max(case when asked_at <= ? then asked_at end), max(asked_at))"
"""The newest stamp that is not ahead of a moment; one that is ahead counts where there is no other."""


def end_of_day(day: date) -> datetime:
    """Return the last moment of a day, as the store counts time (UTC)."""
    return datetime.combine(day, time.max)


def observations(session: Session) -> str:
    """Return the table of the days that offers tell of themselves, empty for a store that is older than the table."""
    if session.rows("select 1 from information_schema.tables where table_name = 'observation'"):
        return "observation"
    return "(select 0 as offer_id, cast(null as timestamp) as told_at, cast(null as date) as observed_on where 1 = 0) n"


def _oldest_days(session: Session) -> dict[tuple[str, str], date]:
    """Return the oldest own day of each part's offers."""
    rows = session.rows(
        f"""select o.provider, o.part, min(x.observed_on)
        from (select offer_id, observed_on, row_number() over (partition by offer_id order by told_at desc) as place
              from {observations(session)}) x
        join offer o on o.offer_id = x.offer_id where x.place = 1 and x.observed_on is not null
        group by o.provider, o.part"""
    )
    return {(provider, part): day for provider, part, day in rows}


def newest_snapshot(engine: Engine) -> str:
    """Return a text that is another one after every refresh; empty for a store that holds nothing."""
    with engine.reading() as session:
        ((newest,),) = session.rows("select max(snapshot_id) from snapshot")
    return "" if newest is None else str(newest)


def answered_parts(engine: Engine, as_of: date | None = None) -> dict[str, set[str]]:
    """Return the parts of each provider whose source has told offers, by the end of a day or at any time."""
    moment = datetime.max if as_of is None else end_of_day(as_of)  # noqa: DTZ901 - the store's times have no zone
    with engine.reading() as session:
        rows = session.rows(
            f"""select distinct provider, part from snapshot
            where status = 'ok' and row_count > 0 and asked_at <= ? and {REFRESHED} and substr(part, 1, 5) <> 'card/'""",
            [moment],
        )
    parts: dict[str, set[str]] = {}
    for provider, part in rows:
        parts.setdefault(provider, set()).add(part)
    return parts


def listed_options(
    engine: Engine, answered: Mapping[str, Collection[str]], as_of: date | None = None
) -> set[tuple[str, str]]:
    """Return the provider and purchase option of every offer in the answered parts, up to the end of a day or at any time."""
    ever, values = "", list[datetime]()
    if as_of is not None:
        ever = "where offer_id in (select offer_id from price_change where seen_at <= ?)"
        values = [end_of_day(as_of)]
    with engine.reading() as session:
        rows = session.rows(f"select distinct provider, part, purchase_option from offer {ever}", values)
    return {(provider, option) for provider, part, option in rows if part in answered.get(provider, ())}


def _aged(landed: datetime | None, oldest: date | None) -> datetime | None:
    """Return when a part was last seen to hold; one whose offers tell their own day is as old as the oldest of them."""
    if landed is None or oldest is None:
        return landed
    return min(landed, datetime.combine(oldest, time(12)))


def read_unconfirmed(engine: Engine, provider: str) -> dict[str, list[Unconfirmed]]:
    """Return what each part of a provider answered without being accepted since it last answered in full."""
    with engine.reading() as session:
        rows = session.rows(
            """select s.part, s.reason, s.row_count, s.asked_at from snapshot s
            left join (select part, max(snapshot_id) as last_id from snapshot where status = 'ok' and provider = ?
                       group by part) k on k.part = s.part
            where s.provider = ? and s.status = 'failed' and (k.last_id is null or s.snapshot_id > k.last_id)""",
            [provider, provider],
        )
    unconfirmed: dict[str, list[Unconfirmed]] = {}
    for part, *answer in rows:
        unconfirmed.setdefault(part, []).append(Unconfirmed(*answer))
    return unconfirmed


def held_types(engine: Engine, provider: str, names: Sequence[str]) -> list[str]:
    """Return which of some instance types the store holds prices of."""
    with engine.reading() as session:
        rows = session.rows(
            "select distinct o.instance_type from current_offer c join offer o on o.offer_id = c.offer_id where o.provider = ?",
            [provider],
        )
    held = {name for (name,) in rows}
    return [name for name in names if name in held]


def stamp_ahead(engine: Engine, now: datetime) -> datetime | None:
    """Return the newest stamp of the store that is ahead of a moment, unless its part has landed again since; None without one."""
    with engine.reading() as session:
        ((newest,),) = session.rows(
            """select max(asked_at) from (select asked_at, row_number() over (
                   partition by provider, part order by snapshot_id desc) as place from snapshot) s
            where place = 1 and asked_at > ?""",
            [now],
        )
    return newest  # type: ignore[no-any-return]  # a column of the database


def read_statuses(engine: Engine) -> list[PartStatus]:
    """Return how each part was last asked, and when it last answered in full."""
    now = utc_now()
    with engine.reading() as session:
        # An import is no asking where a source is asked too: it must not hide that the last one failed.
        rows = session.rows(
            f"""select s.provider, s.part, s.status, s.reason, s.message, s.asked_at, k.landed_at,
                coalesce(n.row_count, 0)
            from (select *, row_number() over (
                      partition by provider, part
                      order by case when {REFRESHED} then 0 else 1 end, case when asked_at > ? then 1 else 0 end,
                               case when {REFRESHED} then null else asked_at end desc, snapshot_id desc) as place
                  from snapshot where status <> 'superseded') s
            left join (select provider, part, {LAST_ASKED} as landed_at from snapshot where status = 'ok' and {FULL}
                       group by provider, part) k on k.provider = s.provider and k.part = s.part
            left join (select o.provider, o.part, count(*) as row_count from current_offer c
                       join offer o on o.offer_id = c.offer_id group by o.provider, o.part) n
                   on n.provider = s.provider and n.part = s.part
            where s.place = 1 order by s.provider, s.part""",
            [now, now],
        )
        oldest = _oldest_days(session)
    statuses = [
        PartStatus(
            provider=provider, part=part, status=status, reason=reason, message=message, asked_at=asked,
            landed_at=_aged(landed, oldest.get((provider, part))), row_count=held,
        )
        for provider, part, status, reason, message, asked, landed, held in rows
    ]  # fmt: skip
    # A fault of parts that nobody knew by name yet is over once one of them has answered.
    answered_at: dict[str, datetime] = {}
    for status in statuses:
        if status.landed_at is not None:
            answered_at[status.provider] = max(status.landed_at, answered_at.get(status.provider, status.landed_at))
    return [
        status
        for status in statuses
        if "*" not in status.part or status.asked_at >= answered_at.get(status.provider, datetime.min)  # noqa: DTZ901  the store's times are UTC without saying so
    ]
