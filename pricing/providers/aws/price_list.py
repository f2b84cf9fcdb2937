"""Reading EC2's price list files: hundreds of megabytes as they stream by, a few megabytes kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from pricing.providers.aws.asking import is_wanted_type

__all__ = ["is_wanted_product", "read_plan_rates", "read_price_list"]

BUFFER_BYTES: Final = 1 << 20

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
    import ijson

    wanted: dict[str, dict[str, Any]] = {}
    with path.open("rb", buffering=BUFFER_BYTES) as file:
        for sku, product in ijson.kvitems(file, "products", buf_size=BUFFER_BYTES):
            if is_wanted_product(product):
                wanted[sku] = {"product": product, "terms": {}}
    for kind in ("OnDemand", "Reserved"):
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            for sku, terms in ijson.kvitems(file, f"terms.{kind}", buf_size=BUFFER_BYTES):
                if sku in wanted:
                    wanted[sku]["terms"][kind] = terms
    yield from wanted.values()


def read_plan_rates(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Read a regional savings plan file, one plan at a time.

    Yields
    ------
    tuple of (dict, dict)
        The plan's product (its attributes name term and payment), and its terms with all rates.
    """
    import ijson

    with path.open("rb", buffering=BUFFER_BYTES) as file:
        products = {entry["sku"]: entry for entry in ijson.items(file, "products.item", buf_size=BUFFER_BYTES)}
    file_again: IO[bytes]
    with path.open("rb", buffering=BUFFER_BYTES) as file_again:
        for terms in ijson.items(file_again, "terms.savingsPlan.item", buf_size=BUFFER_BYTES):
            yield products[terms["sku"]], terms
