"""``gpuplan web``: the same planner as a local page."""

from __future__ import annotations

import errno
import socket

import click

from planner.commands.options import store_option
from pricing.commands.console import CommandLineError, Talk, common_options

MOST_AT_ONCE = 500


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, envvar="GPUPLAN_HOST", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    envvar="GPUPLAN_PORT",
    help="0 takes a free one.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    envvar="GPUPLAN_ALLOW_HOST",
    help="A name under which browsers reach this server, if not localhost (repeatable).",
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that plan.")
@store_option
@common_options
def web(host: str, port: int, hosts: tuple[str, ...], workers: int, store_uri: str | None, talk: Talk) -> None:
    """Serve the planner as a web page: a form, sliders, and the plan to download in every format.

    By default it listens on this machine only; it stores nothing and fetches nothing.
    """
    import uvicorn

    from planner.web.app import create_app
    from planner.web.guard import LOOPBACK, PatientProtocol

    if host not in LOOPBACK and not hosts:
        raise CommandLineError(
            f"{host} can be reached from elsewhere, and by which name is not known",
            where="--host",
            hint="add --allow-host NAME for each name that browsers will use; there is no login, so put a proxy in front",
        )
    config = uvicorn.Config(
        create_app(store_uri, hosts=hosts, workers=workers),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=32 * 1024,
        ws="none",
        http=PatientProtocol,
    )
    server = uvicorn.Server(config)
    listening = _bound(host, port)
    listening.listen(MOST_AT_ONCE)  # before anyone is told the address
    shown = f"[{host}]" if ":" in host else host
    talk.say(f"gpuplan is at http://{shown}:{listening.getsockname()[1]}/ (stop with Ctrl+C)")
    server.run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, or say why there is none."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandLineError(
            f"port {port} of {host} is in use by another program" if in_use else f"cannot listen on {host}: {reason}",
            hint=f"choose another one: --port {port + 1 if port < 65535 else 0}"
            if in_use
            else "name an address of this machine: --host 127.0.0.1",
            where="--port" if in_use else "--host",
        ) from None
    return bound
