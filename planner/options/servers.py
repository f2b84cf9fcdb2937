"""Servers that can be bought: quoted ones, and ones worked out from the price of their cards."""

from __future__ import annotations

from collections.abc import Iterator

from planner.assumptions import Assumptions
from planner.options.energy import machine_max_kw
from planner.options.owned import OwnableServer
from planner.supply.machines import Machine
from pricing.accelerators import Accelerator, accelerators
from pricing.dates import first_day
from pricing.ownership import ServerQuote, accelerator_quotes, derived_quote, server_quotes

__all__ = ["own_machine", "ownable_servers"]

CARDS_IN_A_SERVER = (1, 2, 4, 8)
CARDS_IN_A_WORKSTATION = (1, 2, 4)
FABRIC_ACCELERATORS = 8
"""From this many on a server has a switched fabric and a network card for each accelerator; a bridge joins pairs only."""
NETWORK_OF_OWN_CLUSTER = ("infiniband", 50.0)
"""400 Gb/s InfiniBand for each accelerator of a server with its own fabric, as in the makers' reference designs; the price
is in ``own.network_share``."""
NETWORK_OF_OWN_SERVERS = ("ethernet", 12.5)
"""One 100 Gb/s card in each server of loose cards."""


def _quotes() -> Iterator[ServerQuote]:
    """Return one quote for each accelerator and count: the newest street price of a whole server, else a derived one."""
    newest: dict[tuple[str, int], ServerQuote] = {}
    for quote in server_quotes():
        # A list price is no street price, and a baseboard is no server.
        if quote.price_kind != "street" or not quote.complete:
            continue
        key = (quote.accelerator, quote.accelerator_count)
        rival = newest.get(key)
        if rival is None or (quote.as_of, not quote.weak) > (rival.as_of, not rival.weak):
            newest[key] = quote
    yield from newest.values()
    known = accelerators()
    for card in accelerator_quotes():
        accelerator = known[card.accelerator]
        # Cards on a baseboard with a fabric of their own are not sold one by one.
        if card.condition != "new" or accelerator.name.endswith("-SXM") or accelerator.name in {"B200", "B300"}:
            continue
        counts = CARDS_IN_A_SERVER if accelerator.market_class == "datacenter" else CARDS_IN_A_WORKSTATION
        for number in counts:
            if (accelerator.name, number) not in newest:
                yield derived_quote(accelerator.name, number)


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


def ownable_servers(beliefs: Assumptions) -> tuple[OwnableServer, ...]:
    """Return what can be bought.

    Parameters
    ----------
    beliefs : Assumptions
        Tells the power of what surrounds an accelerator, where nobody states that of the server.
    """
    known = accelerators()
    servers = []
    for quote in _quotes():
        machine = own_machine(known[quote.accelerator], quote.accelerator_count)
        notes = [quote.notes] if quote.notes else []
        if quote.max_power_kw is not None:
            max_kw = quote.max_power_kw
        else:
            max_kw = machine_max_kw(machine, beliefs) or 0.0
            notes.append(f"highest draw worked out from the accelerators: {max_kw:.2f} kW")
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
