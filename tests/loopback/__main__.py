"""``python -m tests.loopback``: run the clouds until interrupted, and print the settings for a shell."""

from __future__ import annotations

import time

from tests.loopback.clouds import Clouds

with Clouds() as clouds:
    for name, value in clouds.settings().items():
        print(f"export {name}={value}", flush=True)  # noqa: T201 - what it is for
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
