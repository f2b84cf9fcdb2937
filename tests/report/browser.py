"""A real browser for the tests of page and web app: Debian's Chromium, driven by Playwright, without any network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

__all__ = ["CHROMIUM", "OUTPUT", "Seen", "needs_chromium", "opened"]

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
OUTPUT = Path(__file__).parents[2] / "test-output"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")


@dataclass
class Seen:
    """What a page asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opened(
    address: str, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
) -> Iterator[Seen]:
    """Open an address; every request that is neither a file nor loopback is cut off and noted."""
    OUTPUT.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        # Chromium refuses to run as root inside its own sandbox, which is how containers run it.
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        try:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                java_script_enabled=script,
            )
            seen = Seen(page)
            page.on("request", lambda request: seen.requests.append(request.url))
            page.on("pageerror", lambda error: seen.complaints.append(str(error)))
            page.on(
                "console",
                lambda message: seen.complaints.append(message.text) if message.type in {"error", "warning"} else None,
            )
            page.route(
                lambda url: not url.startswith(("file:", "http://127.0.0.1", "data:", "blob:")),
                lambda route: route.abort(),
            )
            page.goto(address)
            yield seen
        finally:
            browser.close()
