"""Writing: the answers of one provider enter the store, whole or not at all.

Each function is one step of the sentence in `land`, in SQL that both engines read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pricing.clock import utc_now
from pricing.facts.offers import Offer
from pricing.store.database import Engine
from pricing.store.late_rows import (
    IMPORTED,
    PARTIAL,
    drop_past,
    older_counts,
    partial_parts,
    set_older_aside,
    write_past,
)
from pricing.store.parts import PartAnswer
from pricing.store.rows import drop_stages, number_new_offers, stage
from pricing.store.session import Session

HELD_MOVE_SHARE: Final = 0.4
"""A move above this waits for a second fetch. Real list prices fell by 44 % (AWS P5, June 2025), so it waits, it is not refused."""

CONFIRMED_SHARE: Final = 0.05
"""How near the second reading must be to the held one; a spot market moves between two readings, so it gets `SPOT_CONFIRMED_SHARE`."""

SPOT_CONFIRMED_SHARE: Final = 0.4

MILESTONE_AFTER: Final = 3
"""Changes since the last milestone, in multiples of the current offers, after which all of them are written once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """One provider's answers of one refresh.

    Attributes
    ----------
    provider, adapter_version : str
        Who was asked, and by which reader.
    asked_at : datetime
        When the asking began (UTC without zone); the price holds from then on.
    parts : tuple of PartAnswer
        Every part that was asked, answered or not.
    offers : sequence of Offer
        Rows of the parts that answered.
    kept : sequence of str
        Identities whose new row was refused: what the store holds of them stays.
    is_import : bool
        Whether the rows come from a file: large moves are not held back then, nothing is said to be gone, and what is older
        than the store's own knowledge of an offer is added to the past (`pricing.store.late_rows`).
    """

    provider: str
    adapter_version: str = ""
    asked_at: datetime
    parts: tuple[PartAnswer, ...]
    offers: Sequence[Offer]
    kept: Sequence[str] = ()
    is_import: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What became of one part.

    Attributes
    ----------
    answer : PartAnswer
        How it answered.
    row_count, new_count, changed_count, gone_count : int
        Rows that came, that are new, that changed, that vanished.
    older_count, known_count : int
        Rows of an import that are older than what the store knows: added to the past, and known there already.
    outdated_count : int
        How many of the older ones differ from the price that stays in force.
    unlisted_count : int
        How many of the older ones are of offers that newer answers no longer tell.
    newest_at : datetime or None
        When the newest of what stays in force against them was seen.
    held : tuple of (str, float, float)
        Identity, price kept, and price held back until a second fetch confirms it.
    """

    answer: PartAnswer
    row_count: int = 0
    new_count: int = 0
    changed_count: int = 0
    gone_count: int = 0
    older_count: int = 0
    known_count: int = 0
    outdated_count: int = 0
    unlisted_count: int = 0
    newest_at: datetime | None = None
    held: tuple[tuple[str, float, float], ...] = ()

    @property
    def held_count(self) -> int:
        """Rows that wait for a second fetch."""
        return len(self.held)


def land(engine: Engine, landing: Landing) -> list[PartResult]:
    """Bring one provider's answers into the store, in one transaction.

    Parameters
    ----------
    engine : Engine
        The store; made if it is not there.
    landing : Landing
        What was asked and what came back. An identity must not come twice.

    Returns
    -------
    list of PartResult
        One for each part, in order. A part that another refresh, begun later, has landed already is ``superseded``.

    Raises
    ------
    StoreError
        Where nothing could be written; then nothing was.
    """
    with engine.writing() as session:
        late = _superseded(session, landing)
        _bring_back_stamps(session, landing)
        answered = [part.part for part in landing.parts if part.status == "ok" and part.part not in late]
        wanted = frozenset(answered)
        offers = [offer for offer in landing.offers if offer.part in wanted]
        stage(session, offers, [p.part for p in landing.parts if p.is_whole and p.part in wanted], landing.kept)
        number_new_offers(session)
        if landing.is_import:
            set_older_aside(session, landing.provider, landing.asked_at)
        _file_under_parts(session, landing)
        _write_days(session, landing)
        _hold_large_moves(session, landing)
        _write_changes(session, landing)
        if landing.is_import:
            write_past(session, landing.asked_at)
        _add_readings(session)
        _write_milestone(session, landing)
        results = _results(session, landing, late)
        _log(session, landing, results)
        drop_stages(session)
        if landing.is_import:
            drop_past(session)
    return results


def _superseded(session: Session, landing: Landing) -> set[str]:
    if landing.is_import:  # an import of older days adds to the past and does not touch the present
        return set()
    # A stamp ahead of the clock was written under a wrong one: it blocks nothing, and `stamp_ahead` names it.
    rows = session.rows(
        "select distinct part from snapshot where provider = ? and status = 'ok' and asked_at > ? and asked_at <= ?",
        [landing.provider, landing.asked_at, utc_now()],
    )
    return {part for (part,) in rows}


def _bring_back_stamps(session: Session, landing: Landing) -> None:
    """Date what was written under a clock that was ahead as just before this landing; the history keeps its stamps."""
    now, before = utc_now(), landing.asked_at - timedelta(seconds=1)
    if not landing.is_import:
        session.execute("update current_offer set changed_at = ? where changed_at > ?", [before, now])
        session.execute("update held_price set held_at = ? where held_at > ?", [before, now])


def _file_under_parts(session: Session, landing: Landing) -> None:
    # An adapter may sort its rows into other parts than its last release did. A file moves nothing out of a source's part:
    # the source could no longer say that it is gone.
    movable = "substr(o.part, 1, 7) = 'import/'" if landing.is_import else "1 = 1"
    session.execute(
        f"""update offer set part = (select s.part from staged s where s.offer_id = offer.offer_id)
        where offer_id in (select s.offer_id from staged s join offer o on o.offer_id = s.offer_id
                           where s.part <> o.part and {movable})"""
    )


def _write_days(session: Session, landing: Landing) -> None:
    """Write down the day of offers that are not of the day of the asking; those that are again have their part's."""
    session.execute(
        "delete from observation where told_at = ? and offer_id in (select offer_id from staged)", [landing.asked_at]
    )
    session.execute(
        """insert into observation
        select s.offer_id, ?, s.own_on
        from (select offer_id, case when ? or observed_on < ? then observed_on end as own_on from staged) s
        left join (select offer_id, observed_on, row_number() over (partition by offer_id order by told_at desc) as place
                   from observation where told_at <= ?) l on l.offer_id = s.offer_id and l.place = 1
        where coalesce(l.observed_on, date '0001-01-01') <> coalesce(s.own_on, date '0001-01-01')
        order by s.offer_id""",
        [landing.asked_at, landing.is_import, landing.asked_at.date(), landing.asked_at],
    )


def _hold_large_moves(session: Session, landing: Landing) -> None:
    session.execute(
        f"""create temporary table moved as
        select s.offer_id, s.identity, s.part, s.price_usd_per_hour, c.price_usd_per_hour as current_usd_per_hour,
               c.upfront_usd as current_upfront_usd,
               case when h.offer_id is null then 0
                    when h.held_at >= ? then 0
                    when abs(s.price_usd_per_hour / h.price_usd_per_hour - 1)
                         <= case when s.purchase_option = 'spot' then {SPOT_CONFIRMED_SHARE} else {CONFIRMED_SHARE} end then 1
                    else 0 end as is_confirmed
        from staged s
        join current_offer c on c.offer_id = s.offer_id
        left join held_price h on h.offer_id = s.offer_id
        where abs(s.price_usd_per_hour / c.price_usd_per_hour - 1) > ?""",
        [landing.asked_at, float("inf") if landing.is_import else HELD_MOVE_SHARE],
    )
    session.execute("delete from held_price where offer_id in (select offer_id from staged)")
    session.execute(
        """insert into held_price select offer_id, price_usd_per_hour, ? from moved where is_confirmed = 0""",
        [utc_now()],
    )
    session.execute(
        """update staged set
            price_usd_per_hour = (select m.current_usd_per_hour from moved m where m.offer_id = staged.offer_id),
            upfront_usd = (select m.current_upfront_usd from moved m where m.offer_id = staged.offer_id)
        where offer_id in (select offer_id from moved where is_confirmed = 0)"""
    )


def _write_changes(session: Session, landing: Landing) -> None:
    session.execute(
        """create temporary table priced as
        select s.offer_id, s.part, s.price_usd_per_hour, s.upfront_usd, s.effective_on,
               case when c.offer_id is null then 1 else 0 end as is_new
        from staged s left join current_offer c on c.offer_id = s.offer_id
        where c.offer_id is null or c.price_usd_per_hour <> s.price_usd_per_hour or c.upfront_usd <> s.upfront_usd"""
    )
    session.execute(
        """create temporary table retermed as
        select s.offer_id, s.description_id, s.detail_id
        from staged s left join current_offer c on c.offer_id = s.offer_id
        where c.offer_id is null or c.description_id <> s.description_id or c.detail_id <> s.detail_id"""
    )
    # Gone is only what its own part, answering in full, no longer tells.
    session.execute(
        """create temporary table gone as
        select c.offer_id, o.part from current_offer c join offer o on o.offer_id = c.offer_id
        where o.provider = ? and o.part in (select part from answered)
          and not exists (select 1 from staged s where s.offer_id = c.offer_id)
          and not exists (select 1 from kept k where k.identity = o.identity)""",
        [landing.provider],
    )
    if landing.is_import:
        session.execute("delete from gone")
        # A corrected file of a day replaces what the first one told: two prices of one moment have no order.
        session.execute(
            "delete from price_change where seen_at = ? and offer_id in (select offer_id from priced)",
            [landing.asked_at],
        )
        session.execute(
            "delete from terms_change where seen_at = ? and offer_id in (select offer_id from retermed)",
            [landing.asked_at],
        )
    session.execute(
        """insert into price_change
        select offer_id, ?, price_usd_per_hour, upfront_usd, effective_on, false from priced order by offer_id""",
        [landing.asked_at],
    )
    session.execute(
        "insert into price_change select offer_id, ?, null, 0, null, false from gone order by offer_id",
        [landing.asked_at],
    )
    session.execute(
        "insert into terms_change select offer_id, ?, description_id, detail_id from retermed order by offer_id",
        [landing.asked_at],
    )
    session.execute(
        """create temporary table renewed as
        select s.offer_id, s.price_usd_per_hour, s.upfront_usd, s.effective_on, s.description_id, s.detail_id,
               case when p.offer_id is null then c.changed_at else cast(? as timestamp) end as changed_at,
               case when p.offer_id is null then c.effective_on else s.effective_on end as held_from
        from staged s left join current_offer c on c.offer_id = s.offer_id left join priced p on p.offer_id = s.offer_id
        where p.offer_id is not null or c.description_id <> s.description_id or c.detail_id <> s.detail_id""",
        [landing.asked_at],
    )
    session.execute(
        """delete from current_offer
        where offer_id in (select offer_id from renewed) or offer_id in (select offer_id from gone)"""
    )
    session.execute(
        """insert into current_offer
        select offer_id, price_usd_per_hour, upfront_usd, held_from, description_id, detail_id, changed_at
        from renewed order by offer_id"""
    )


def _add_readings(session: Session) -> None:
    session.execute(
        """insert into reading
        select o.offer_id, a.read_at, max(a.price_usd_per_hour)
        from arriving_reading a join offer o on o.identity = a.identity
        left join (select offer_id, max(read_at) as last_at from reading group by offer_id) r on r.offer_id = o.offer_id
        where r.last_at is null or a.read_at > r.last_at
        group by o.offer_id, a.read_at order by o.offer_id, a.read_at"""
    )


def _write_milestone(session: Session, landing: Landing) -> None:
    # A milestone that lacks a row written into its past would hide it.
    session.execute("delete from milestone where set_at >= ?", [landing.asked_at])
    changes = session.rows(
        "select count(*) from price_change where not is_repeat and seen_at > coalesce((select max(set_at) from milestone), timestamp '1970-01-01')"
    )[0][0]
    current = session.rows("select count(*) from current_offer")[0][0]
    first = not session.rows("select set_at from milestone limit 1")
    if current == 0 or changes < current * (MILESTONE_AFTER + (1 if first else 0)):
        return
    latest = session.rows("select max(seen_at) from price_change")[0][0]
    if latest > landing.asked_at:
        return
    session.execute("insert into milestone values (?)", [landing.asked_at])
    session.execute(
        """insert into price_change
        select offer_id, ?, price_usd_per_hour, upfront_usd, effective_on, true from current_offer
        where changed_at < ? order by offer_id""",
        [landing.asked_at, landing.asked_at],
    )


def _results(session: Session, landing: Landing, late: set[str]) -> list[PartResult]:
    counted = {
        "row_count": "staged",
        "new_count": "priced where is_new = 1",
        "changed_count": "priced where is_new = 0",
        "gone_count": "gone",
    }
    counts: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, rows in counted.items():
        for part, count in session.rows(f"select part, count(*) from {rows} group by part"):
            counts[part][name] = count
    for part, older in (older_counts(session) if landing.is_import else {}).items():
        counts[part] |= older
        counts[part]["row_count"] = counts[part].get("row_count", 0) + older["older_count"] + older["known_count"]
    held: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for part, *move in session.rows(
        "select part, identity, current_usd_per_hour, price_usd_per_hour from moved where is_confirmed = 0 order by identity"
    ):
        held[part].append((move[0], move[1], move[2]))
    results = []
    for answer in landing.parts:
        part = answer.part
        if answer.status == "ok" and part in late:
            message = "another refresh, begun later, landed this part first"
            superseded = PartAnswer(part=part, status="superseded", reason="superseded", message=message)
            results.append(PartResult(answer=superseded))
        elif answer.status != "ok":
            results.append(PartResult(answer=answer, row_count=answer.row_count))
        else:
            results.append(PartResult(answer=answer, held=tuple(held[part]), **counts[part]))
    return results


def _log(session: Session, landing: Landing, results: Sequence[PartResult]) -> None:
    first = session.rows("select coalesce(max(snapshot_id), 0) from snapshot")[0][0] + 1
    partial = partial_parts(session, landing.provider) if landing.is_import else set()

    def reason(answer: PartAnswer) -> str:
        if not landing.is_import:
            return answer.reason
        return PARTIAL if answer.part in partial else IMPORTED

    answers = [result.answer for result in results]
    counts = ("row_count", "new_count", "changed_count", "gone_count", "held_count")
    session.stage(
        "logged",
        {
            "snapshot_id": ("integer", list(range(first, first + len(results)))),
            "provider": ("text", [landing.provider] * len(results)),
            "part": ("text", [answer.part for answer in answers]),
            "asked_at": ("timestamp", [landing.asked_at] * len(results)),
            "landed_at": ("timestamp", [utc_now()] * len(results)),
            "status": ("text", [answer.status for answer in answers]),
            "reason": ("text", [reason(answer) for answer in answers]),
            "message": ("text", [answer.message for answer in answers]),
            **{name: ("integer", [getattr(result, name) for result in results]) for name in counts},
            "adapter_version": ("text", [landing.adapter_version] * len(results)),
        },
    )
    session.execute("insert into snapshot select * from logged")
