"""Times as people of one country write them (``10/31/2026 1:00 PM``, ``31.10.2026 13:00``, ``31-Oct-2026``), as ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from planner.usage.headers import folded

MONTH_FIRST, DAY_FIRST = "month first", "day first"
CLOCK = r"(?:[T, ]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?: ?(?P<half>[AP])\.?M\.?)?)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d))?"
NUMBERS = re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<second_number>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){CLOCK}", re.IGNORECASE)  # fmt: skip
NAMES = (
    re.compile(rf"(?P<day>\d{{1,2}})[ -](?P<month>[A-Z]{{3}})[a-z]*[ ,-]+(?P<year>\d{{4}}){CLOCK}", re.IGNORECASE),
    re.compile(rf"(?P<month>[A-Z]{{3}})[a-z]*\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){CLOCK}", re.IGNORECASE),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
TIME_COLUMN = re.compile(r"date|time|period(?:start|end)$|window(?:start|end)$|^(?:start|end|hour|ts|until)$")
BILLING_PERIOD = ("billingperiodstart", "billingperiodend")


def time_places(header: Sequence[str]) -> list[int]:
    """Return which columns hold times, by their names."""
    return [place for place, name in enumerate(header) if TIME_COLUMN.search(folded(name))]


def is_spelled(cell: str) -> bool:
    """Say whether a cell is a time that is not written as ISO 8601.

    Examples
    --------
    >>> is_spelled("10/31/2026"), is_spelled("Oct 31, 2026"), is_spelled("2026-10-31T00:00:00Z")
    (True, True, False)
    """
    return any(pattern.fullmatch(cell.strip()) for pattern in (NUMBERS, *NAMES))


def order_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, str]:
    """Return whether a table's dates begin with the month or the day, and its first date that could be either.

    A number above 12 is a day; dates with points begin with the day; and a billing period lasts from one month to the next.

    Returns
    -------
    str, str
        `MONTH_FIRST`, `DAY_FIRST`, or nothing where no row tells.

    Examples
    --------
    >>> order_of(["Date"], [["10/01/2026"], ["10/31/2026"]]), order_of(["Date"], [["10/01/2026"]])
    (('month first', '10/01/2026'), ('', '10/01/2026'))
    """
    places = time_places(header)
    names = [folded(name) for name in header]
    period = [names.index(name) for name in BILLING_PERIOD if name in names]
    doubtful = ""
    for row in rows:
        numbers = {place: NUMBERS.fullmatch(row[place].strip()) for place in places if place < len(row)}
        for place, match in numbers.items():
            if match is None:
                continue
            doubtful = doubtful or row[place].strip()
            first, second = int(match["first"]), int(match["second_number"])
            if first > 12 or match["mark"] == ".":
                return DAY_FIRST, doubtful
            if second > 12:
                return MONTH_FIRST, doubtful
        begin, end = (numbers.get(place) for place in period) if len(period) == 2 else (None, None)
        if begin and end and (begin["first"] == end["first"]) != (begin["second_number"] == end["second_number"]):
            return (DAY_FIRST if begin["first"] == end["first"] else MONTH_FIRST), doubtful
    return "", doubtful


def iso_time(cell: str, order: str) -> str:
    """Return a time as ISO 8601; what is none, or none of that order, as it stands.

    Examples
    --------
    >>> iso_time("10/31/2026 1:05 PM", MONTH_FIRST), iso_time("31.10.2026", DAY_FIRST), iso_time("31-Oct-2026 UTC", "")
    ('2026-10-31T13:05:00', '2026-10-31T00:00:00', '2026-10-31T00:00:00+00:00')
    """
    text = cell.strip()
    match = next((whole for pattern in (NUMBERS, *NAMES) if (whole := pattern.fullmatch(text))), None)
    if match is None:
        return cell
    said = match.groupdict()
    try:
        if "first" in said:
            numbers = (int(said["first"]), int(said["second_number"]))
            month, day = numbers if order == MONTH_FIRST else numbers[::-1]
        else:
            month, day = MONTHS.index(said["month"].lower()) + 1, int(said["day"])
        hour = int(said["hour"] or 0)
        if said["half"]:
            hour = hour % 12 + (12 if said["half"].upper() == "P" else 0)
        time = datetime(int(said["year"]), month, day, hour, int(said["minute"] or 0), int(said["second"] or 0))  # noqa: DTZ001  its zone follows
    except ValueError:
        return cell
    zone = (said["zone"] or "").upper()
    return time.isoformat() + ("+00:00" if zone in {"Z", "UTC", "GMT"} else zone)
