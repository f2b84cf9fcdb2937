"""The web app: one form, one page, downloads; nothing is kept and nothing is fetched."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from planner.report.formulas import models_script, script_named
from planner.report.page.document import ENGINE, asset, policy
from planner.web.answers import MEDIA_TYPES, BusyError, Planners, shell
from planner.web.form import KIND_WORDS, form, values_of_template
from planner.web.guard import LOOPBACK, Guard

MOST_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"
COME_AGAIN_S = 5


@cache
def _assets() -> dict[str, tuple[str, str]]:
    """Return the text and media type of everything that a page loads, by name."""
    scripts = {name: asset(name) for name in (*ENGINE, "page.js")}
    scripts |= {"page-once.js": models_script(once=True), "page-steady.js": models_script(once=False)}
    assets = {name: (text, "text/javascript; charset=utf-8") for name, text in scripts.items()}
    return {**assets, "page.css": (asset("page.css"), "text/css; charset=utf-8")}


@cache
def _links() -> dict[str, str]:
    """Return the address of each asset; it changes with the text, so that browsers may keep it for good."""
    return {
        name: f"assets/{name}?{hashlib.sha256(text.encode()).hexdigest()[:12]}" for name, (text, _) in _assets().items()
    }


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    text_and_type = _assets().get(name)
    if text_and_type is None:
        script = script_named(name)
        if script is None:
            return PlainTextResponse("no such file", 404)
        return Response(script, media_type="text/javascript; charset=utf-8", headers={"cache-control": "no-cache"})
    return Response(
        text_and_type[0], media_type=text_and_type[1], headers={"cache-control": "public, max-age=31536000, immutable"}
    )


async def _home(request: Request) -> Response:
    kind = request.query_params.get("kind", "serve")
    if kind not in KIND_WORDS:
        return PlainTextResponse("no such kind of work", 404)
    asked = dict(list(request.query_params.items())[:MOST_FIELDS])  # a link to a question brings its values
    values = asked if len(asked) > 1 else values_of_template(kind)
    return HTMLResponse(shell(form(values), _links()), headers={"cache-control": "no-cache"})


async def _health(request: Request) -> Response:
    planners: Planners = request.app.state.planners
    return PlainTextResponse(f"ok, {planners.waiting} waiting")


async def _fields(request: Request) -> dict[str, str] | Response:
    """Return the form of a request, or why it is none."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM_TYPE:
        return PlainTextResponse(f"a form was expected ({FORM_TYPE})", 415)
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        return PlainTextResponse("this is not a form in UTF-8, or it has too many fields", 400)
    return dict(pairs)


async def _answered(request: Request, kind: str, headers: dict[str, str]) -> Response:
    values = await _fields(request)
    if isinstance(values, Response):
        return values
    planners: Planners = request.app.state.planners
    try:
        answer = await planners.ask(kind, values)
    except BusyError:
        return PlainTextResponse("busy; come again", 503, headers={"retry-after": str(COME_AGAIN_S)})
    except Exception:
        # Answered here, inside the guard, so that this answer carries the rules for browsers too.
        logging.getLogger("uvicorn.error").exception("a bug of this program")
        return PlainTextResponse("a bug of this program; its log says where", 500)
    shown = headers if answer.status == 200 else {}
    return Response(answer.body, answer.status, {**shown, "cache-control": "no-store"}, media_type=answer.media_type)


async def _plan(request: Request) -> Response:
    return await _answered(request, "page", {})


async def _download(request: Request) -> Response:
    ending = request.path_params["ending"]
    if ending not in MEDIA_TYPES:
        return PlainTextResponse("no such form", 404)
    return await _answered(request, ending, {"content-disposition": f'attachment; filename="plan.{ending}"'})


def create_app(store_uri: str | None = None, *, hosts: Collection[str] = (), workers: int = 2) -> Starlette:
    """Return the web app.

    Parameters
    ----------
    store_uri : str, optional
        Where prices are kept; without it the store of this machine, or the prices of the package.
    hosts : collection of str
        Names under which the server is reached, besides those of this machine.
    workers : int
        Processes that plan.
    """

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        app.state.planners = Planners(store_uri, _links(), workers=workers)
        try:
            yield
        finally:
            app.state.planners.close()

    return Starlette(
        routes=[
            Route("/", _home),
            Route("/plan", _plan, methods=["POST"]),
            Route("/download/plan.{ending}", _download, methods=["POST"]),
            Route("/assets/{name:path}", _asset),
            Route("/health", _health),
        ],
        middleware=[Middleware(Guard, hosts={*LOOPBACK, *hosts}, policy=policy([], [], served=True))],
        lifespan=living,
    )
