"""Offers as rows of the store, and back."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, Final

from pricing.identity import IDENTITY_COLUMNS, identity_key, identity_of
from pricing.offers import Launchable, Offer, Payment, PricePart, PurchaseOption
from pricing.store.session import StagedColumn

DESCRIPTION_COLUMNS: Final = tuple(
    """
    zone_kind accelerator accelerator_stated accelerator_count accelerator_memory_gb vcpus memory_gib
    processor cpu_arch cancellable interruptible launchable launchable_note source adapter_version flags
""".split()
)
"""What many offers share, in the order of the table ``description``."""

_IDENTITY_TYPES: Final = ("text", "text", "text", "text", "text", "integer", "text", "text", "double precision")
_DESCRIPTION_TYPES: Final = (
    "text",
    "text",
    "text",
    "double precision",
    "double precision",
    "double precision",
    "double precision",
    "text",
    "text",
    "boolean",
    "boolean",
    "text",
    "text",
    "text",
    "text",
    "text",
)
_description = attrgetter(*DESCRIPTION_COLUMNS)
AS_STORED: Final = """
    provider instance_type region zone zone_kind accelerator accelerator_stated accelerator_count accelerator_memory_gb vcpus
    memory_gib processor cpu_arch term_months offering_class minimum_hours cancellable interruptible launchable_note
    price_usd_per_hour upfront_usd source adapter_version part
""".split()
"""Fields of an offer that are in a row of the store as they are."""
_stored = itemgetter(*AS_STORED)


@dataclass(slots=True)
class OfferColumns:
    """Offers turned on their side: what a landing stages.

    Attributes
    ----------
    stage : mapping of str to StagedColumn
        One row per offer.
    descriptions : mapping of str to StagedColumn
        One row per distinct description.
    offers_by_identity : mapping of str to Offer
        For the rows that turn out to be new.
    readings : mapping of str to StagedColumn
        Earlier prices that the sources told.
    """

    stage: dict[str, StagedColumn]
    descriptions: dict[str, StagedColumn]
    readings: dict[str, StagedColumn]
    offers_by_identity: dict[str, Offer] = field(default_factory=dict)

    def identities(self, wanted: Sequence[str]) -> dict[str, StagedColumn]:
        """Return the identity columns of some offers, to be numbered and added."""
        picked = [identity_key(self.offers_by_identity[identity]) for identity in wanted]
        columns: dict[str, StagedColumn] = {
            "identity": ("text", list(wanted)),
            "part": ("text", [self.offers_by_identity[identity].part for identity in wanted]),
        }
        by_column = list(zip(*picked, strict=True)) if picked else [()] * len(IDENTITY_COLUMNS)
        for name, kind, values in zip(IDENTITY_COLUMNS, _IDENTITY_TYPES, by_column, strict=True):
            columns[name] = (kind, [str(value) for value in values] if kind == "text" else values)
        return columns


def columns_of(offers: Sequence[Offer]) -> OfferColumns:
    """Turn offers into columns; offers that share a description share its row."""
    fingerprints: dict[tuple[Any, ...], str] = {}
    identities: list[str] = []
    keys: list[str] = []
    for offer in offers:
        identities.append(identity_of(offer))
        description = _description(offer)
        key = fingerprints.get(description)
        if key is None:
            key = hashlib.blake2b(repr(description).encode(), digest_size=12).hexdigest()
            fingerprints[description] = key
        keys.append(key)
    readings = [
        (identity, when, price)
        for identity, offer in zip(identities, offers, strict=True)
        for when, price in offer.price_history
    ]
    rows = [(key, *(_plain(value) for value in description)) for description, key in fingerprints.items()]
    names = ("fingerprint", *DESCRIPTION_COLUMNS)
    kinds = ("text", *_DESCRIPTION_TYPES)
    by_column: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return OfferColumns(
        stage={
            "identity": ("text", identities),
            "part": ("text", [offer.part for offer in offers]),
            "price_usd_per_hour": ("double precision", _rounded([offer.price_usd_per_hour for offer in offers])),
            "upfront_usd": ("double precision", _rounded([offer.upfront_usd for offer in offers])),
            "effective_on": ("date", [offer.effective_on for offer in offers]),
            "observed_on": ("date", [offer.observed_on for offer in offers]),
            "fingerprint": ("text", keys),
            "source_sku_ids": ("text", [" ".join(offer.source_sku_ids) for offer in offers]),
            "price_parts": ("text", [_parts_text(offer.price_parts) for offer in offers]),
        },
        descriptions={name: (kind, values) for name, kind, values in zip(names, kinds, by_column, strict=True)},
        readings={
            "identity": ("text", [row[0] for row in readings]),
            "read_at": ("timestamp", [row[1] for row in readings]),
            "price_usd_per_hour": ("double precision", _rounded([row[2] for row in readings])),
        },
        offers_by_identity=dict(zip(identities, offers, strict=True)),
    )


def _rounded(prices: Sequence[float]) -> list[float]:
    # Sources quote at most six decimals; a sum of parts differs in the sixteenth from day to day, and is no change.
    import numpy as np

    rounded: list[float] = np.round(np.asarray(prices, dtype=float), 8).tolist()
    return rounded


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value) if isinstance(value, str) else value


def _parts_text(parts: tuple[PricePart, ...]) -> str:
    if not parts:
        return ""
    return json.dumps(
        [[part.name, part.sku_id, part.quantity, round(part.price_usd_per_hour, 8)] for part in parts],
        separators=(",", ":"),
    )


def offers_of(cells: Mapping[str, Sequence[Any]], descriptions: Mapping[int, Sequence[Any]]) -> list[Offer]:
    """Build offers from columns of the store.

    The rows were checked when they landed, so the slots are filled directly: ten times as fast as one object after the other,
    which is what lets a plan read a hundred thousand offers.

    Parameters
    ----------
    cells : mapping of str to sequence
        Columns by name, as `pricing.store.reading` asks for them.
    descriptions : mapping of int to sequence
        Number of a description to its cells, which are `DESCRIPTION_COLUMNS`: a few say it of all.
    """
    numbers = cells["description_id"]
    if not numbers:
        return []
    offers: list[Offer] = [Offer.__new__(Offer) for _ in numbers]
    described: dict[str, Sequence[Any]] = dict(
        zip(DESCRIPTION_COLUMNS, zip(*descriptions.values(), strict=True), strict=True)
    )
    described["launchable"] = tuple(map(Launchable, described["launchable"]))
    described["flags"] = tuple(tuple(flags.split()) for flags in described["flags"])
    converted: dict[str, Iterable[Any]] = {
        **{name: cells[name] for name in Offer.__slots__ if name in cells},
        **{
            name: map(dict(zip(descriptions, column, strict=True)).__getitem__, numbers)
            for name, column in described.items()
        },
        "purchase_option": _each(PurchaseOption, cells["purchase_option"]),
        "payment": _each(Payment, cells["payment"]),
        "price_parts": _each(_parts_of, cells["price_parts"]),
        "source_sku_ids": _each(_words, cells["source_sku_ids"]),
        "effective_on": _each(_day, cells["effective_on"]),
        "observed_on": _each(_day, cells["observed_on"]),
        "price_history": repeat(()),
    }
    converted["flags"] = (
        flags if held is None else (*flags, "move_held_back")
        for flags, held in zip(converted["flags"], cells["held_usd_per_hour"], strict=True)
    )
    for name in Offer.__slots__:
        deque(map(getattr(Offer, name).__set__, offers, converted[name]), maxlen=0)
    return offers


def _each(convert: Callable[[Any], Any], values: Sequence[Any]) -> Iterable[Any]:
    known = {value: convert(value) for value in set(values)}
    return map(known.__getitem__, values)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _parts_of(text: str) -> tuple[PricePart, ...]:
    parts = json.loads(text) if text else []
    return tuple(
        PricePart(name=name, sku_id=sku, quantity=quantity, price_usd_per_hour=price)
        for name, sku, quantity, price in parts
    )


def offer_of(row: Mapping[str, Any], observed_on: date, flags: Sequence[str] = ()) -> Offer:
    """Build an offer from a row of the store.

    Parameters
    ----------
    row : mapping
        The columns of ``offer``, ``description``, ``detail`` and a price, by name.
    observed_on : date
        The day on which the row's part was last seen to hold.
    flags : sequence of str
        To be added to the row's own.
    """
    return Offer(
        **dict(zip(AS_STORED, _stored(row), strict=True)),
        purchase_option=PurchaseOption(row["purchase_option"]),
        payment=Payment(row["payment"]),
        launchable=Launchable(row["launchable"]),
        price_parts=_parts_of(row["price_parts"]),
        source_sku_ids=tuple(row["source_sku_ids"].split()),
        effective_on=_day(row["effective_on"]),
        observed_on=observed_on,
        flags=(*row["flags"].split(), *flags),
    )


def _day(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value
