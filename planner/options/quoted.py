"""Private quotes: prices that a seller gave to the user alone, as offers and servers of today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from planner.assumptions import Assumptions
from planner.demand.have import Quote
from planner.errors import InputError
from planner.options.energy import machine_max_kw
from planner.options.owned import OwnableServer
from planner.options.servers import own_machine
from pricing.accelerator_rows import Accelerator
from pricing.accelerators import resolve
from pricing.dates import Dropped
from pricing.errors import PricingError
from pricing.offers import TERM_MONTHS, Launchable, Offer, PurchaseOption


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What quotes hold today.

    Attributes
    ----------
    offers : tuple of Offer
        Machines by the hour, flagged ``private_quote``.
    most_accelerators : dict of (str, str) to float
        How many accelerators are quoted, by provider and instance type; of those that say it.
    servers : tuple of OwnableServer
        Servers to buy.
    dropped : tuple of Dropped
        How many have expired.
    """

    offers: tuple[Offer, ...]
    most_accelerators: dict[tuple[str, str], float]
    servers: tuple[OwnableServer, ...]
    dropped: tuple[Dropped, ...]


def quoted(quotes: tuple[Quote, ...], assumptions: Assumptions, today: date) -> Quoted:
    """Return quotes as offers and servers; those that have expired are counted.

    Parameters
    ----------
    quotes : tuple of Quote
        As stated.
    assumptions : Assumptions
        What a euro is worth, and what surrounds an accelerator draws.
    today : date
        The caller's today.

    Raises
    ------
    InputError
        Accelerators that nothing is known of; all of them at once.
    """
    offers, servers, most, faults = [], [], {}, []
    valid = [(number, quote) for number, quote in enumerate(quotes, 1) if quote.expires >= today]
    for number, quote in valid:
        try:
            accelerator, _ = resolve(quote.gpu)
        except PricingError as error:
            faults.append(f"have.quotes.{number - 1}.gpu: {error.message}" + (f" ({error.hint})" if error.hint else ""))
            continue
        usd = (
            {"USD": 1.0, "EUR": assumptions["money.usd_per_eur"]}[quote.currency]
            if quote.usd_per_unit is None
            else quote.usd_per_unit
        )
        name = f"quote {number}: {quote.count} x {accelerator.name}"
        if quote.price_per_server is not None:
            servers.append(_server(quote, name, accelerator, quote.price_per_server * usd, assumptions, today))
            continue
        assert quote.price_per_gpu_hour is not None
        offer = Offer(
            provider=quote.provider,
            instance_type=name,
            region=quote.country or "global",
            accelerator=accelerator.name,
            accelerator_stated=quote.gpu,
            accelerator_count=float(quote.count),
            purchase_option=PurchaseOption(quote.purchase),
            term_months=TERM_MONTHS.get(PurchaseOption(quote.purchase), 0),
            launchable=Launchable.YES,
            price_usd_per_hour=quote.price_per_gpu_hour * quote.count * usd,
            source=_source(quote),
            observed_on=today,
            flags=("private_quote", *(["joined_infiniband"] if quote.interconnect == "infiniband" else [])),
        )
        offers.append(offer)
        if quote.max_gpus is not None:
            most[offer.provider, offer.instance_type] = float(quote.max_gpus)
    if faults:
        raise InputError("\n  ".join(faults), where="have")
    expired = len(quotes) - len(valid)
    dropped = (Dropped(expired, "private quotes that have expired"),) if expired else ()
    return Quoted(offers=tuple(offers), most_accelerators=most, servers=tuple(servers), dropped=dropped)


def _server(
    quote: Quote, name: str, accelerator: Accelerator, price_usd: float, assumptions: Assumptions, today: date
) -> OwnableServer:
    machine = own_machine(accelerator, quote.count)
    return OwnableServer(
        machine=machine, name=f"{name} by {quote.provider}", price_usd=price_usd, max_kw=machine_max_kw(machine, assumptions) or 0.0,
        priced_on=today, source=_source(quote), is_quoted=True,
    )  # fmt: skip


def _source(quote: Quote) -> str:
    price = quote.price_per_gpu_hour or quote.price_per_server or 0.0
    unit = "GPU-hour" if quote.price_per_gpu_hour else "server"
    return f"private quote: {quote.provider}, {price:.6g} {quote.currency}/{unit}, {quote.expires}"
