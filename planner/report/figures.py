"""Figures as text for people: rounded alike in every sentence and table."""

from __future__ import annotations

import math

from pricing.clock import HOURS_PER_MONTH


def significant(value: float, digits: int = 3) -> float:
    """Round to so many significant digits.

    Examples
    --------
    >>> significant(28345.6), significant(0.012345)
    (28300.0, 0.0123)
    """
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def decimal(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits at least, whole from there on, and never with an exponent.

    Examples
    --------
    >>> decimal(39300.4), decimal(-1.5), decimal(5e-05), decimal(50.0)
    ('39,300', '-1.5', '0.00005', '50')
    """
    return f"{round(value) if abs(value) >= 10**digits else significant(value, digits):,.12f}".rstrip("0").rstrip(".")


def usd(value: float | None) -> str:
    """Write money: three significant digits at least, whole dollars from 100 on, cents below, where need be more below a dollar.

    Examples
    --------
    >>> usd(28345.6), usd(12.5), usd(0.9), usd(0.0123456), usd(0.0), usd(None)
    ('28,346', '12.50', '0.90', '0.0123', '0', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:,.2f}"
    whole, _, cents = f"{significant(value):.10f}".rstrip("0").partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"


def usd_by_stage(first_usd_per_month: float, first_months: float, then_usd_per_month: float) -> str:
    """Write what a month costs at first, and then.

    Examples
    --------
    >>> usd_by_stage(14.0, 4.04, 15139.6)
    '14.00 USD a month for 4.0 months, then 15,140'
    """
    return f"{usd(first_usd_per_month)} USD a month for {months_text(first_months)}, then {usd(then_usd_per_month)}"


def months_text(months: float) -> str:
    """Write months; as a shorter span of time what is less than one.

    Examples
    --------
    >>> months_text(4.04), months_text(1.0), months_text(0.01), months_text(4.3e-7)
    ('4.0 months', '1.0 months', '7.3 h', '1 s')
    """
    return f"{months:.1f} months" if months >= 1 else duration(months * HOURS_PER_MONTH)


def count(value: float | None) -> str:
    """Write a count: whole where it is whole, else a slice with its digits.

    Examples
    --------
    >>> count(8.0), count(0.125), count(12345.0), count(None)
    ('8', '0.125', '12,345', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{significant(value, 4):,.10g}"


def percent(share: float | None) -> str:
    """Write a share of 0..1 in percent.

    Examples
    --------
    >>> percent(0.375), percent(0.0042), percent(-0.0), percent(None)
    ('38 %', '0.42 %', '0 %', '-')
    """
    if share is None or not math.isfinite(share):
        return "-"
    size = abs(share) * 100
    return f"{share * 100 + 0.0:.0f} %" if size >= 10 or size == 0 else f"{significant(share * 100, 2):g} %"


def duration(hours: float | None) -> str:
    """Write a span of time in the unit that a person would use.

    Examples
    --------
    >>> duration(0.01), duration(0.5), duration(7.25), duration(100), duration(None)
    ('36 s', '30 min', '7.2 h', '4.2 days', '-')
    >>> duration(1 / 3600), duration(1e-7)
    ('1 s', 'less than 1 s')
    """
    if hours is None or not math.isfinite(hours):
        return "-"
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s" if hours * 3600 >= 0.5 or hours <= 0 else "less than 1 s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    if hours < 72:
        return f"{hours:.1f} h"
    if hours < 24 * 365 * 2:
        return f"{hours / 24:,.1f} days"
    return f"{hours / 8760:,.1f} years"


def bytes_text(size: float | None) -> str:
    """Write bytes in GB of 1e9 (TB above a thousand).

    Examples
    --------
    >>> bytes_text(70.6e9), bytes_text(1.2e12), bytes_text(3.4e6)
    ('70.6 GB', '1.20 TB', '0.0034 GB')
    """
    if size is None or not math.isfinite(size):
        return "-"
    return f"{size / 1e12:.2f} TB" if size >= 1e12 else f"{significant(size / 1e9):g} GB"


def machines_text(instance_count: int, instance_type: str, accelerator_count: float, accelerator: str | None) -> str:
    """Write what is rented or bought: machines, and the accelerators in them where the machine's own name does not tell.

    Examples
    --------
    >>> machines_text(2, "p5.48xlarge", 8, "H100-SXM")
    '2 x p5.48xlarge (16 H100-SXM)'
    >>> machines_text(4, "B200 (per GPU, from)", 1, "B200"), machines_text(1, "c8g.4xlarge", 0, None)
    ('4 x B200', '1 x c8g.4xlarge')
    >>> machines_text(2, "8x-B200-server", 8, "B200")
    '2 servers with 8 B200'
    """
    if accelerator and instance_type.endswith("-server"):
        return f"{instance_count:,} server{'s' if instance_count > 1 else ''} with {count(accelerator_count)} {accelerator}"
    name = instance_type.partition(" (per GPU")[0]
    is_told = accelerator is not None and accelerator_count == 1 and _letters(accelerator) in _letters(name)
    inside = f" ({count(instance_count * accelerator_count)} {accelerator})" if accelerator and not is_told else ""
    return f"{instance_count:,} x {name}{inside}"


def gpus_text(instance_count: int, instance_type: str, accelerator_count: float, accelerator: str | None) -> str:
    """Write what is rented with the accelerators first, as people say it; machines where there are none, or only a part of one.

    Examples
    --------
    >>> gpus_text(2, "p5.48xlarge", 8, "H100-SXM"), gpus_text(11, "gpu-mi300x1-192gb", 1, "MI300X")
    ('16 x H100-SXM (2 x p5.48xlarge)', '11 x MI300X (gpu-mi300x1-192gb)')
    >>> gpus_text(4, "B200 (per GPU, from)", 1, "B200"), gpus_text(1, "NVIDIA RTX A4000 PCIe", 1, "RTX A4000")
    ('4 x B200', '1 x NVIDIA RTX A4000 PCIe')
    """
    gpus = instance_count * accelerator_count
    if (
        not accelerator
        or gpus < 1
        or gpus != int(gpus)
        or _letters(instance_type).removeprefix("nvidia").startswith(_letters(accelerator))
    ):
        return machines_text(instance_count, instance_type, accelerator_count, accelerator)
    inside = instance_type if gpus == instance_count else f"{instance_count:,} x {instance_type}"
    return f"{count(gpus)} x {accelerator} ({inside})"


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
