"""Servers that can be bought: published quotes, prices worked out from those of their cards, and the user's own quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from planner.assumptions import Assumptions
from planner.demand.have import Quote
from planner.errors import InputError
from planner.notes import Note, NoteCode
from planner.options.energy import machine_max_kw
from planner.options.owned import OwnableServer
from planner.supply.machines import Machine
from pricing.errors import PricingError
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import accelerators, resolve
from pricing.facts.dates import EVERY_DAY, Dropped, Window, first_day
from pricing.facts.offers import TERM_MONTHS, Launchable, Offer, PurchaseOption
from pricing.facts.ownership import AcceleratorQuote, ServerQuote, accelerator_quotes, derived_quote, server_quotes

CARDS_IN_A_SERVER = (1, 2, 4, 8)
CARDS_IN_A_WORKSTATION = (1, 2, 4)
FABRIC_ACCELERATORS = 8
"""From this many on a server has a switched fabric and a network card for each accelerator; a bridge joins pairs only."""
NETWORK_OF_OWN_CLUSTER = ("infiniband", 50.0)
"""400 Gb/s InfiniBand for each accelerator of a server with its own fabric, as in the makers' reference designs; the price
is in ``own.network_share``."""
NETWORK_OF_OWN_SERVERS = ("ethernet", 12.5)
"""One 100 Gb/s card in each server of loose cards."""


def _day(quote: ServerQuote | AcceleratorQuote) -> date:
    return first_day(quote.as_of)


def dropped_prices(window: Window) -> tuple[Dropped, ...]:
    """Return how many prices of servers and of cards may not be used, and why."""
    return (
        *window.split(server_quotes(), _day, "server prices")[1],
        *window.split(accelerator_quotes(), _day, "prices of single accelerators")[1],
    )


def _quotes(window: Window) -> Iterator[tuple[ServerQuote, Sequence[Note]]]:
    """Return one quote, and what speaks for caution, for each accelerator and count: the newest firm price, else the newest of the others, else a derived one."""
    newest: dict[tuple[str, int], ServerQuote] = {}
    cards = window.split(accelerator_quotes(), _day, "")[0]
    quotes = [quote for quote in window.split(server_quotes(), _day, "")[0] if quote.is_for_sale]
    for quote in sorted(quotes, key=lambda quote: (quote.is_firm, quote.day, not quote.weak, -quote.price_usd)):
        newest[quote.accelerator, quote.accelerator_count] = quote
    for key, chosen in newest.items():
        asked = [quote for quote in quotes if (quote.accelerator, quote.accelerator_count) == key]
        yield chosen, tuple(_cautions(chosen, asked))
    by_name = accelerators()
    for accelerator in dict.fromkeys(by_name[card.accelerator] for card in cards):
        # Cards on a baseboard with a fabric of their own are not sold one by one.
        if accelerator.name.endswith("-SXM") or accelerator.name in {"B200", "B300"}:
            continue
        counts = CARDS_IN_A_SERVER if accelerator.market_class == "datacenter" else CARDS_IN_A_WORKSTATION
        for number in counts:
            if (accelerator.name, number) not in newest:
                yield derived_quote(accelerator.name, number, cards), ()


def _cautions(chosen: ServerQuote, asked: Sequence[ServerQuote]) -> Iterator[Note]:
    """Say where a price is not firm, and where others have asked for another one since."""
    if not chosen.is_firm and chosen.price_kind != "derived":
        yield Note(NoteCode.NO_FIRM_PRICE, (chosen.price_low_usd, chosen.price_high_usd))
    later = max((quote for quote in asked if quote.day > chosen.day), key=lambda quote: quote.day, default=None)
    if later is not None and not later.price_low_usd <= chosen.price_usd <= later.price_high_usd:
        figures = (later.price_low_usd, later.price_high_usd, later.as_of, later.source)
        yield Note(NoteCode.ASKED_SINCE, figures)


def own_machine(accelerator: Accelerator, number: int) -> Machine:
    """Return a box of so many accelerators, joined to others as its maker would join it."""
    has_fabric = accelerator.scale_up_count >= FABRIC_ACCELERATORS and number >= FABRIC_ACCELERATORS
    network, each_way = NETWORK_OF_OWN_CLUSTER if has_fabric else NETWORK_OF_OWN_SERVERS
    return Machine(
        accelerator=accelerator,
        accelerator_count=float(number),
        network=network,
        network_gb_per_s_each_way=each_way * number if has_fabric else each_way,
    )


def ownable_servers(assumptions: Assumptions, window: Window = EVERY_DAY) -> tuple[OwnableServer, ...]:
    """Return what can be bought, at the newest price of each server.

    Parameters
    ----------
    assumptions : Assumptions
        Tells the power of what surrounds an accelerator, where nobody states that of the server.
    window : Window
        The days whose prices may be used.
    """
    by_name = accelerators()
    servers = []
    for quote, cautions in _quotes(window):
        machine = own_machine(by_name[quote.accelerator], quote.accelerator_count)
        said = (*((Note(NoteCode.AS_STATED, (quote.notes,)),) if quote.notes else ()), *cautions)
        notes = [Note(NoteCode.TOGETHER, said)] if said else []
        if quote.max_power_kw is not None:
            max_kw = quote.max_power_kw
        else:
            max_kw = machine_max_kw(machine, assumptions) or 0.0
            notes.append(Note(NoteCode.POWER_FROM_ACCELERATORS, (max_kw,)))
        servers.append(
            OwnableServer(
                machine=machine,
                name=f"{quote.accelerator_count}x-{quote.accelerator.replace(' ', '-')}-server",
                price_usd=quote.price_usd,
                max_kw=max_kw,
                priced_on=first_day(quote.as_of),
                source=quote.source,
                notes=tuple(notes),
            )
        )
    return tuple(servers)


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
