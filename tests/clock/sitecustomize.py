"""Child processes of the tests live on the tests' clock, too: Python imports this at its start, since the tests put it on its path."""

from __future__ import annotations

import os
import time

if __name__ == "sitecustomize" and "TEST_CLOCK_OFFSET_S" in os.environ:
    try:
        import time_machine
    except ImportError:  # an interpreter without the tests' packages, such as one of a database or of Spark
        pass
    else:
        time_machine.travel(time.time() + float(os.environ["TEST_CLOCK_OFFSET_S"]), tick=True).start()
