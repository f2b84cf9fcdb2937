"""What a bill says of accelerators, once it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from planner.notes import Note
from planner.usage.faults import Fault
from planner.usage.hours import HourTable
from planner.usage.skus import Sku

PLAN_WORD = "any (savings plan)"
"""The accelerator of what a savings plan did not use: it is tied to no machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit of a currency is worth.

    Attributes
    ----------
    usd : float
        US dollars.
    source : str
        Who says so.
    as_of : date or None
        Of the rate, where it was told.
    """

    usd: float
    source: str = "--rate"
    as_of: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NonUsage:
    """Charges that are not usage and are shown separately: credits, taxes, purchases, refunds, corrections.

    Attributes
    ----------
    category, charge_class : str
        The bill's own words.
    rows : int
        Charges.
    effective_usd, billed_usd : float
        Never to be added to each other.
    is_gpu : bool
        Whether the charge names an accelerator.
    """

    category: str
    charge_class: str
    rows: int
    effective_usd: float
    billed_usd: float
    is_gpu: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that does not add up in a bill, with its money.

    Attributes
    ----------
    code : str
        ``above_one_machine`` (hours above one machine's were cut, costs stayed), ``replaced_export`` (left out for a newer
        one), ``purchase_counted`` (cost that no use carries), ``purchase_not_counted`` (use carries it), ``split_allocation``
        (machines divided among owners), ``not_counted`` (speaks of accelerators, and none is known), ``no_list_price``,
        ``no_cost``.
    usd : float
        Effective cost that it is about.
    gpu_hours : float
        Hours that it is about; 0 where they are not known.
    rows : int
        Charges.
    is_counted : bool
        Whether the money is in the answer.
    items : tuple of str
        Which: SKUs, files.
    """

    code: str
    usd: float
    gpu_hours: float = 0.0
    rows: int = 0
    is_counted: bool = True
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a bill says of accelerators.

    Attributes
    ----------
    table : HourTable
        Words ``gpu``, ``instance_type``, ``account``, ``region``, ``provider``, ``option``, ``state`` (used or unused),
        ``tag``, ``commitment``, ``charge_class``, ``role`` (`planner.usage.charge_roles.role_of`); values ``gpu_hours``, ``effective_usd``, ``list_usd``,
        ``contracted_usd``, ``billed_usd``, ``unlisted_usd`` (effective cost of charges without a list price).
    rows, gpu_rows, unreadable_rows, copied_rows : int
        Of all files; of accelerators or their commitments; left out; exported more than once, and counted once.
    effective_usd : float
        Of the whole bill, use alone.
    apart : tuple of NonUsage
        What is no use.
    versions : tuple of str
        Of the specification.
    rates : mapping of str to Rate
        Those that were needed.
    skus : tuple of Sku
        What was found.
    first_hour, end_hour : int or None
        Of all use in the bill, of accelerators or not, since 1970: the time that the bill is of. None where no charge of
        use is of a day or less.
    faults : tuple of Fault
        What is missing from the answer.
    notes : tuple of Note
        What has to be known of it.
    checks : tuple of Check
        What does not add up in it.
    """

    table: HourTable
    rows: int
    gpu_rows: int
    unreadable_rows: int
    copied_rows: int
    effective_usd: float
    apart: tuple[NonUsage, ...]
    versions: tuple[str, ...]
    rates: Mapping[str, Rate]
    skus: tuple[Sku, ...]
    faults: tuple[Fault, ...]
    notes: tuple[Note, ...] = field(default=())
    checks: tuple[Check, ...] = field(default=())
    first_hour: int | None = None
    end_hour: int | None = None
