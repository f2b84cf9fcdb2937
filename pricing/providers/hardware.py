"""What a machine is made of: as an adapter finds it, or as the bundled facts know it where a source tells a price alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from pricing.facts.instances import accelerator_of, instance_accelerator, memory_agrees
from pricing.facts.offers import Offer, PurchaseOption
from pricing.providers.contract import SHAPE_ERRORS, Normalized, PartFault, RawPage, RefusedRow, offer_or_refusal
from pricing.tables import read_facts

UNREADABLE: Final = "unreadable"
"""Reason of a row that could not be read: nobody knows what it was of, so nothing of its part counts as gone."""

MOST_ODD_ROWS: Final = 3
MOST_ODD_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """An instance type and its hardware, in the words of `pricing.facts.offers.Offer`."""

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


@cache
def known_hardware(provider: str) -> Mapping[str, Hardware]:
    """Return the hardware of the instance types that the package ships prices of."""
    return {
        offer.instance_type: Hardware(
            **{name: getattr(offer, name) for name in Hardware.__slots__ if name != "flags"},
            flags=tuple(flag for flag in offer.flags if flag in {"form_factor_unknown", "accelerator_unknown"}),
        )
        for offer in read_facts(Offer, "offers.csv")
        if offer.provider == provider
    }


def hardware_of(  # noqa: PLR0913 - what a source may state
    provider: str,
    instance_type: str,
    *,
    vcpus: float | None = None,
    memory_gib: float | None = None,
    processor: str = "",
    cpu_arch: str = "",
    stated: str = "",
    count: float = 0.0,
    memory_gb: float | None = None,
) -> Hardware:
    """Return the hardware with its accelerator under the canonical name; an unknown one is kept as stated.

    What the source leaves out comes from the published shape of the instance type, then from the bundled facts. A slice is
    always counted as published: price lists count it as none or as a whole one.

    Parameters
    ----------
    provider, instance_type : str
        The provider's own names.
    vcpus, memory_gib, processor, cpu_arch
        Of the host; where the bundled facts name the chip of this instance type, theirs is more exact than any source's.
    stated : str
        The accelerator as the source names it; empty for a CPU-only instance.
    count : float
        How many; a fraction where a slice is sold.
    memory_gb : float or None
        Memory of one accelerator, or of the slice, 1e9 bytes.
    """
    shape = instance_accelerator(provider, instance_type)
    bundled = known_hardware(provider).get(instance_type, Hardware())
    host = {
        "provider": provider,
        "instance_type": instance_type,
        "vcpus": vcpus or (shape and shape.vcpus) or bundled.vcpus,
        "memory_gib": memory_gib or (shape and shape.memory_gib) or bundled.memory_gib,
        "processor": bundled.processor or processor,
        "cpu_arch": cpu_arch or bundled.cpu_arch,
    }
    published = (shape and shape.accelerator_count) or 0.0
    count = published if 0 < published < 1 else count or published or bundled.accelerator_count
    if not count:
        return Hardware(**host)  # type: ignore[arg-type]  # a part of Hardware's fields
    published_gb = (shape and shape.accelerator_memory_gb) or None
    disagrees = bool(published and published_gb and memory_gb and not memory_agrees(published_gb, memory_gb))
    memory_gb = published_gb if disagrees else memory_gb or published_gb
    name, flags = accelerator_of(provider, instance_type, stated, memory_gb, min(count, 1.0))
    if name is None and bundled.accelerator is not None:
        name, flags = bundled.accelerator, bundled.flags
    return Hardware(
        **host,  # type: ignore[arg-type]  # the same
        accelerator=name,
        accelerator_stated=stated or (shape and shape.accelerator) or bundled.accelerator_stated or "unknown",
        accelerator_count=count,
        accelerator_memory_gb=memory_gb,
        flags=(*flags, "memory_disagrees") if disagrees else flags,
    )
