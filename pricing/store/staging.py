"""Staging: the rows of a landing in temporary tables, so that a few statements bring all of them into the store."""

from __future__ import annotations

from collections.abc import Sequence

from pricing.identity import IDENTITY_COLUMNS, identity_of
from pricing.offers import Offer
from pricing.store.rows import DESCRIPTION_COLUMNS, OWN_COLUMNS, fingerprints, staged, staged_offers
from pricing.store.session import Session


def stage(session: Session, offers: Sequence[Offer], whole: Sequence[str], kept: Sequence[str]) -> None:
    """Put offers, the parts that answered in full and the identities that stay into temporary tables."""
    by_identity = {identity_of(offer): offer for offer in offers}
    if len(by_identity) != len(offers):
        raise ValueError("an identity comes twice; the gates let none through")
    keys, descriptions = fingerprints(offers)
    arriving = {"identity": ("text", list(by_identity)), "fingerprint": ("text", keys)}
    session.stage("arriving", arriving | staged_offers(OWN_COLUMNS, offers))
    session.stage("arriving_description", descriptions)
    readings = [(identity, *reading) for identity, offer in by_identity.items() for reading in offer.price_history]
    session.stage("arriving_reading", staged(("identity", "read_at", "price_usd_per_hour"), readings))
    session.stage("answered", {"part": ("text", list(whole))})
    session.stage("kept", {"identity": ("text", list(kept))})
    unknown = session.rows(
        "select a.identity from arriving a left join offer o on o.identity = a.identity where o.identity is null"
    )
    new = sorted(identity for (identity,) in unknown)
    newcomers = staged_offers(("part", *IDENTITY_COLUMNS), [by_identity[identity] for identity in new])
    session.stage("newcomer", {"identity": ("text", new)} | newcomers)


def number_new_offers(session: Session) -> None:
    """Give numbers to offers, descriptions and details that the store has not seen, and join them as ``staged``."""
    session.execute(
        f"""insert into offer (offer_id, identity, part, {", ".join(IDENTITY_COLUMNS)})
        select (select coalesce(max(offer_id), 0) from offer) + row_number() over (order by identity),
               identity, part, {", ".join(IDENTITY_COLUMNS)} from newcomer"""
    )
    session.execute(
        f"""insert into description (description_id, fingerprint, {", ".join(DESCRIPTION_COLUMNS)})
        select (select coalesce(max(description_id), 0) from description) + row_number() over (order by a.fingerprint),
               a.fingerprint, {", ".join(f"a.{name}" for name in DESCRIPTION_COLUMNS)}
        from arriving_description a left join description d on d.fingerprint = a.fingerprint
        where d.fingerprint is null"""
    )
    session.execute(
        """insert into detail (detail_id, source_sku_ids, price_parts)
        select (select max(detail_id) from detail) + row_number() over (order by a.source_sku_ids, a.price_parts),
               a.source_sku_ids, a.price_parts
        from (select distinct source_sku_ids, price_parts from arriving) a
        left join detail d on d.source_sku_ids = a.source_sku_ids and d.price_parts = a.price_parts
        where d.detail_id is null"""
    )
    session.execute(
        """create temporary table staged as
        select o.offer_id, o.identity, a.part, a.price_usd_per_hour, a.upfront_usd, a.effective_on,
               d.description_id, t.detail_id, o.purchase_option, a.observed_on
        from arriving a
        join offer o on o.identity = a.identity
        join description d on d.fingerprint = a.fingerprint
        join detail t on t.source_sku_ids = a.source_sku_ids and t.price_parts = a.price_parts"""
    )


def drop_stages(session: Session) -> None:
    """Drop what a landing made."""
    for table in (
        *("arriving", "arriving_description", "arriving_reading", "answered", "kept", "newcomer"),
        *("staged", "moved", "priced", "retermed", "gone", "logged"),
    ):
        session.execute(f"drop table {table}")
    session.execute("drop table if exists renewed")
