"""What a machine is made of, as an adapter finds it; the same for every purchase option for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pricing.offers import Offer, PurchaseOption
from pricing.providers.contract import SHAPE_ERRORS, Normalized, PartFault, RawPage, RefusedRow, offer_or_refusal

UNREADABLE: Final = "unreadable"
"""Reason of a row that could not be read: nobody knows what it was of, so nothing of its part counts as gone."""

MOST_ODD_ROWS: Final = 3
MOST_ODD_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """An instance type and its hardware, in the words of `pricing.offers.Offer`."""

    provider: str = ""
    instance_type: str = ""
    vcpus: float | None = None
    memory_gib: float | None = None
    processor: str = ""
    cpu_arch: str = ""
    accelerator: str | None = None
    accelerator_stated: str = ""
    accelerator_count: float = 0.0
    accelerator_memory_gb: float | None = None
    flags: tuple[str, ...] = ()

    def fields(self, *flags: str) -> dict[str, Any]:
        """Return the fields of an offer that it fills, with further flags."""
        more = tuple(dict.fromkeys((*self.flags, *(flag for flag in flags if flag))))
        return {name: getattr(self, name) for name in Hardware.__slots__} | {"flags": more}


def offer_on(page: RawPage, adapter_version: str, hardware: Hardware, *flags: str, **fields: Any) -> Offer | RefusedRow:
    """Return the offer of a machine that a page tells, or the refused row, with the page's part and day.

    It is on demand, at one price everywhere, and known to the source by its type's name, unless the fields say otherwise; spot is
    interruptible.
    """
    fields = {
        "region": "global",
        "purchase_option": PurchaseOption.ON_DEMAND,
        "source_sku_ids": (hardware.instance_type,),
        **hardware.fields(*flags),
        **fields,
    }
    fields.setdefault("interruptible", fields["purchase_option"] is PurchaseOption.SPOT)
    day = page.fetched_at.date()
    return offer_or_refusal(**fields, observed_on=day, adapter_version=adapter_version, part=page.part)


def guarded(part: str, rows: Callable[[], Iterable[Normalized]]) -> Iterator[Normalized]:
    """Read all rows of a part or none: an answer of another shape is a fault of the part, never half a catalog."""
    try:
        read = list(rows())
    except SHAPE_ERRORS as error:
        yield PartFault.of_shape(part, error)
        return
    yield from read


def each_row(
    part: str, rows: Iterable[Any], read: Callable[[Any], Iterable[Normalized] | None], of: str = ""
) -> Iterator[Normalized]:
    """Read the rows of a part one by one: an odd one costs itself and is told, many are a shape that the reader does not know.

    Parameters
    ----------
    part : str
        Whose rows they are.
    rows : iterable
        As the source tells them.
    read : callable
        One row to what is made of it; None where it is only noted.
    of : str
        What the rows are counted in, where a part has several lists of them.

    Raises
    ------
    Exception
        The first of `SHAPE_ERRORS`, where too many rows are odd for the part to be accepted.
    """
    made: list[list[Normalized]] = []
    odd: list[tuple[int, Exception]] = []
    for number, row in enumerate(rows, start=1):
        try:
            made.append(list(read(row) or ()))
        except SHAPE_ERRORS as error:
            odd.append((number, error))
    good = sum(map(bool, made)) or len(made)  # what is not sold, or not looked at, says nothing about the shape
    if odd and (len(odd) >= good or len(odd) > max(MOST_ODD_ROWS, MOST_ODD_SHARE * (good + len(odd)))):
        raise odd[0][1]
    for offers in made:
        yield from offers
    for number, fault in odd:
        message = f"it has another shape than this reader knows: {type(fault).__name__}: {fault}"
        yield RefusedRow(part, f"row {number} of {of or part}", UNREADABLE, message)


def read_parts(pages: Iterable[RawPage], rows: Callable[[list[RawPage]], Iterable[Normalized]]) -> Iterator[Normalized]:
    """Read the pages of each part together, `guarded`; a part in which nothing is sold is not accepted."""
    parts: dict[str, list[RawPage]] = {}
    for page in pages:
        parts.setdefault(page.part, []).append(page)
    for part, answered in parts.items():
        read = list(guarded(part, partial(rows, answered)))
        yield from read or [PartFault(part=part, reason="empty", message="the answer holds nothing that is sold")]


def read_pages(
    pages: Iterable[RawPage],
    rows: Callable[[RawPage], Iterable[Any]],
    read: Callable[[RawPage, Any], Iterable[Normalized]],
) -> Iterator[Normalized]:
    """Read the rows that each page holds, one by one (`each_row`), the pages of a part together (`read_parts`)."""

    def offers(pages_of_part: list[RawPage]) -> Iterator[Normalized]:
        for page in pages_of_part:
            yield from each_row(page.part, rows(page), partial(read, page))

    return read_parts(pages, offers)
