"""Reading EC2's price list files: hundreds of megabytes as they stream by, a few megabytes kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

BUFFER_BYTES: Final = 1 << 20

_ACCELERATED: Final = re.compile(r"^(p\d|g\d|gr\d|u-p\d|trn\d|inf\d|dl\d)[a-z0-9-]*(\.|$)")
_HOSTS: Final = re.compile(r"^[cmr][78][a-z]*\.(?!metal)")


def is_wanted_type(name: str) -> bool:
    """Return whether an instance type has an accelerator, or is of a CPU family that is compared with.

    Examples
    --------
    >>> [is_wanted_type(name) for name in ("p5.48xlarge", "u-p6e-gb200x36", "c8g.4xlarge", "t3.micro", "r8i.metal-48xl")]
    [True, True, True, False, False]
    """
    return is_accelerated_type(name) or bool(_HOSTS.match(name))


def is_accelerated_type(name: str) -> bool:
    """Return whether an instance type's name is of a family with accelerators."""
    return bool(_ACCELERATED.match(name))


_WANTED: Final = {
    "operatingSystem": ("Linux",),
    "tenancy": ("Shared",),
    # Files say "NA" or nothing where no database is on the image.
    "preInstalledSw": ("NA", ""),
    # Others are reservations at 0.00, which win every sort.
    "capacitystatus": ("Used",),
    "licenseModel": ("No License required", ""),
    # Capacity Block rows cost 0, or the operating system's fee alone; older files do not know the attribute.
    "marketoption": ("OnDemand", ""),
}


def is_wanted_product(product: Mapping[str, Any]) -> bool:
    """Return whether a product of the list is a plain Linux instance on shared hardware."""
    attributes = product.get("attributes", {})
    if not product.get("productFamily", "").startswith("Compute Instance"):
        return False
    if not is_wanted_type(attributes.get("instanceType", "")):
        return False
    return all(attributes.get(name, "") in allowed for name, allowed in _WANTED.items())


def read_price_list(path: Path) -> Iterator[dict[str, Any]]:
    """Read a regional file, product by product, in the shape in which the pricing API answers.

    Parameters
    ----------
    path : Path
        ``index.json`` of one region. Products stand before terms, as in every file that was seen.

    Yields
    ------
    dict
        ``{"product": ..., "terms": {"OnDemand": ..., "Reserved": ...}}`` of the wanted products.

    Raises
    ------
    ValueError
        Where the file breaks off or is no price list.
    """
    wanted: dict[str, dict[str, Any]] = {}
    count = 0
    for sku, product in _members(path, "products"):
        count += 1
        if is_wanted_product(product):
            wanted[sku] = {"product": product, "terms": {}}
    if not count:
        raise ValueError("it lists no product")
    for kind in ("OnDemand", "Reserved"):
        for sku, terms in _members(path, f"terms.{kind}"):
            if sku in wanted:
                wanted[sku]["terms"][kind] = terms
    yield from wanted.values()


def distil_price_list(path: Path, target: Path) -> None:
    """Write what is read of a regional price list, a product a line: gigabytes become megabytes.

    Raises
    ------
    ValueError
        Where the file breaks off or is no price list.
    """
    _write_lines(read_price_list(path), target)


def distil_plan_list(path: Path, target: Path) -> None:
    """Write what is read of a regional savings plan file, a plan a line: its product, and its terms with the rates of wanted types.

    Raises
    ------
    ValueError
        Where the file breaks off or is no savings plan file.
    """
    products = {entry.get("sku"): entry for entry in _items(path, "products.item")}
    if not products:
        raise ValueError("it lists no plan")
    plans = (
        [
            products.get(terms.get("sku"), {}),
            terms | {"rates": [rate for rate in terms.get("rates", [{}]) if _may_be_wanted(rate)]},
        ]
        for terms in _items(path, "terms.savingsPlan.item")
    )
    _write_lines(plans, target)


def read_lines(path: Path) -> Iterator[Any]:
    """Read what was distilled."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _may_be_wanted(rate: Mapping[str, Any]) -> bool:
    """Tell whether a rate is for a wanted instance type, or names none (the reader reports that)."""
    text = rate.get("discountedUsageType")
    usage = re.search(r"(?:^|-)BoxUsage:(\S+)$", str(text))
    return text is None or (usage is not None and is_wanted_type(usage.group(1)))


def _write_lines(entries: Iterable[Any], target: Path) -> None:
    with target.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)


def _members(path: Path, prefix: str) -> Iterator[tuple[str, Any]]:
    import ijson

    yield from _walked(path, lambda file: ijson.kvitems(file, prefix, buf_size=BUFFER_BYTES, use_float=True))


def _items(path: Path, prefix: str) -> Iterator[Any]:
    import ijson

    yield from _walked(path, lambda file: ijson.items(file, prefix, buf_size=BUFFER_BYTES, use_float=True))


def _walked(path: Path, walk: Callable[[IO[bytes]], Iterable[Any]]) -> Iterator[Any]:
    from ijson.common import JSONError

    with path.open("rb", buffering=BUFFER_BYTES) as file:
        try:
            yield from walk(file)
        except JSONError as error:
            raise ValueError(f"it is no JSON or breaks off: {error}") from error
