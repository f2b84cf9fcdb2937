"""Offers as rows of the store and back, and as temporary tables from which a few statements write all of them."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

from pricing.facts.offers import IDENTITY_COLUMNS, Launchable, Offer, Payment, PricePart, PurchaseOption, identity_of
from pricing.store.session import Session, StagedColumn

DESCRIPTION_COLUMNS: Final = tuple(
    """
    zone_kind accelerator accelerator_stated accelerator_count accelerator_memory_gb vcpus memory_gib
    processor cpu_arch cancellable interruptible launchable launchable_note source adapter_version flags
""".split()
)
"""What many offers share, in the order of the table ``description``."""

OWN_COLUMNS: Final = ("part", "price_usd_per_hour", "upfront_usd", "effective_on", "observed_on", "source_sku_ids", "price_parts")  # fmt: skip
"""What each offer has for itself, beside its identity."""

_SQL_TYPES: Final = {
    **dict.fromkeys(("accelerator_count", "accelerator_memory_gb", "vcpus", "memory_gib"), "double precision"),
    **dict.fromkeys(("minimum_hours", "price_usd_per_hour", "upfront_usd"), "double precision"),
    **dict.fromkeys(("cancellable", "interruptible"), "boolean"),
    **dict.fromkeys(("effective_on", "observed_on"), "date"),
    "term_months": "integer",
    "read_at": "timestamp",
}
"""Types of columns that are no text."""


EXPORTED: Final = tuple(dict.fromkeys((OWN_COLUMNS[0], *IDENTITY_COLUMNS, *OWN_COLUMNS, *DESCRIPTION_COLUMNS)))
"""The fields of an offer that a row of an export holds."""


def staged(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, StagedColumn]:
    """Turn rows on their side: a column for each name, of the store's type."""
    columns = zip(*rows, strict=True) if rows else repeat(())
    return {name: _column(name, values) for name, values in zip(names, columns, strict=False)}


def staged_offers(names: Sequence[str], offers: Iterable[Offer]) -> dict[str, StagedColumn]:
    """Return fields of offers as columns."""
    return staged(names, list(map(attrgetter(*names), offers)))


def _column(name: str, values: Sequence[Any]) -> StagedColumn:
    kind = _SQL_TYPES.get(name, "text")
    if name in {"price_usd_per_hour", "upfront_usd"}:
        # Sources quote at most six decimals; a sum of parts differs in the sixteenth from day to day, and is no change.
        import numpy as np

        return kind, np.round(np.asarray(values, dtype=float), 8).tolist()
    return kind, list(map(_text, values)) if kind == "text" else values


def _text(value: str | tuple[Any, ...] | None) -> str | None:
    if not isinstance(value, tuple):
        return None if value is None else str(value)
    if not value or isinstance(value[0], str):
        return " ".join(value)
    parts = [[part.name, part.sku_id, part.quantity, round(part.price_usd_per_hour, 8)] for part in value]
    return json.dumps(parts, separators=(",", ":"))


def fingerprints(offers: Iterable[Offer]) -> tuple[list[str], dict[str, StagedColumn]]:
    """Return the fingerprint of each offer's description, and the distinct descriptions as columns."""
    by_description: dict[tuple[Any, ...], str] = {}
    keys: list[str] = []
    for description in map(attrgetter(*DESCRIPTION_COLUMNS), offers):
        if description not in by_description:
            by_description[description] = hashlib.blake2b(repr(description).encode(), digest_size=12).hexdigest()
        keys.append(by_description[description])
    rows = [(key, *description) for description, key in by_description.items()]
    return keys, staged(("fingerprint", *DESCRIPTION_COLUMNS), rows)


def offers_of(cells: Mapping[str, Sequence[Any]], descriptions: Mapping[int, Sequence[Any]]) -> list[Offer]:
    """Build offers from columns of the store.

    The rows were checked when they landed, so the slots are filled directly: ten times as fast as one object after the other,
    which is what lets a plan read a hundred thousand offers.

    Parameters
    ----------
    cells : mapping of str to sequence
        Columns by name, as `pricing.store.read` asks for them.
    descriptions : mapping of int to sequence
        Number of a description to its cells, which are `DESCRIPTION_COLUMNS`: a few say it of all.
    """
    numbers = cells["description_id"]
    if not numbers:
        return []
    offers: list[Offer] = [Offer.__new__(Offer) for _ in numbers]
    described = dict(zip(DESCRIPTION_COLUMNS, zip(*descriptions.values(), strict=True), strict=True))
    for name in Offer.__slots__:
        values: Iterable[Any]
        if name == "price_history":
            values = repeat(())
        elif name in described:
            by_number = dict(zip(descriptions, map(_CONVERTERS.get(name, _same), described[name]), strict=True))
            values = map(by_number.__getitem__, numbers)
        elif name in _CONVERTERS:
            values = _converted(_CONVERTERS[name], cells[name])
        else:
            values = cells[name]
        if name == "flags":
            values = (
                flags if held is None else (*flags, "move_held_back")
                for flags, held in zip(values, cells["held_usd_per_hour"], strict=True)
            )
        deque(map(getattr(Offer, name).__set__, offers, values), maxlen=0)
    return offers


def _converted(convert: Callable[[Any], Any], values: Sequence[Any]) -> Iterable[Any]:
    """Convert a column that repeats few different cells: each once."""
    by_cell = {value: convert(value) for value in set(values)}
    return map(by_cell.__getitem__, values)


def _same(value: Any) -> Any:  # noqa: ANN401 - a cell of any type
    return value


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _parts_of(text: str) -> tuple[PricePart, ...]:
    parts = json.loads(text) if text else []
    return tuple(
        PricePart(name=name, sku_id=sku, quantity=quantity, price_usd_per_hour=price)
        for name, sku, quantity, price in parts
    )


def _day(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value


_CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "purchase_option": PurchaseOption,
    "payment": Payment,
    "launchable": Launchable,
    "price_parts": _parts_of,
    "source_sku_ids": _words,
    "flags": _words,
    "effective_on": _day,
    "observed_on": _day,
}
"""Fields of an offer that are not in a row of the store as they are, to what reads their cells."""


def offer_of(row: Mapping[str, Any]) -> Offer:
    """Build an offer from a row that holds the `EXPORTED` columns."""
    return Offer(**{name: _CONVERTERS.get(name, _same)(row[name]) for name in EXPORTED})


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
