#!/usr/bin/env python3
"""Makes the picture of the page in the README: plans an example, opens its page in Chromium, takes a picture.

Run by hand after the page has changed: scripts/make_screenshot.py [FILE.png]. Needs Debian's chromium and the developers'
environment (Playwright).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
WORKLOAD = ROOT / "examples" / "serve-llama-70b.yaml"
DAY = "2026-11-21"
WIDTH, HEIGHT = 1200, 1040


def main() -> int:
    """Write the picture and return the exit status."""
    from planner.cli import main as gpuplan

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine (apt-get install chromium)", file=sys.stderr)
        return 2
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "page.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "plan.html"
        asked = ["plan", str(WORKLOAD), "--as-of", DAY, "-o", str(page_file)]
        status = gpuplan(asked)
        if status:
            return status
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(page_file.as_uri())
            page.wait_for_selector("html[data-ready]")
            page.screenshot(path=target)
            browser.close()
    print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
