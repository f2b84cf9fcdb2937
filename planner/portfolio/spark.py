"""The same blocks on Spark: each goes to an executor as text and comes back as rows; the driver writes the parts.

The executors get this very program with the work, as a zip of its two packages; of others' packages they need numpy, pandas,
pyarrow, pydantic and PyYAML.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.portfolio.blocks import Block, PortfolioError, answers_of_record, work_rows, write_block
from planner.portfolio.market import Market
from planner.portfolio.reading import Row

if TYPE_CHECKING:
    from planner.engine.session import Engine


ROUND_BLOCKS = 64
"""Blocks handed over at once: what a driver that dies loses."""
PACKAGES = ("planner", "pricing")
NOT_NEEDED = ("assets", "__pycache__", "templates")
SCHEMA = "number long, answer string"


def _program() -> bytes:
    """Return the two packages as a zip."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            with resources.as_file(resources.files(package)) as folder:
                for file in sorted(Path(folder).rglob("*")):
                    inside = file.relative_to(folder)
                    if file.is_file() and not any(part in NOT_NEEDED for part in inside.parts):
                        archive.write(file, f"{package}/{inside.as_posix()}")
    return data.getvalue()


def answer_text(content: str, market: Market) -> str:
    """Return a block's answers as text; the block is text as well.

    Parameters
    ----------
    content : str
        The rows, as JSON.
    market : Market
        What they are planned against.
    """
    from planner.portfolio.blocks import record_of

    answers = work_rows([Row(**row) for row in json.loads(content)], market)
    return json.dumps({**record_of(answers), "rows": answers.rows}, default=str)


def _executor(program: str, digest: str, market: str) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return what an executor does: the program is unpacked once, then each block is worked out.

    Nothing of this module may be named inside: the function is sent by its value, to where this program is not installed.
    """

    def answered(frames: Iterator[Any]) -> Iterator[Any]:
        import base64 as text
        import io as memory
        import pickle as pickled
        import sys
        import tempfile
        import zipfile as zipped
        from pathlib import Path as Place

        import pandas as pd

        home = Place(tempfile.gettempdir()) / f"gpuplan-{digest}"
        if not home.is_dir():
            # Two executors of one machine may come here together: whoever is second leaves what the first has put there.
            spare = tempfile.mkdtemp(prefix="gpuplan-")
            zipped.ZipFile(memory.BytesIO(text.b64decode(program))).extractall(spare)
            try:
                Place(spare).rename(home)
            except OSError:
                import shutil

                shutil.rmtree(spare, ignore_errors=True)
        if str(home) not in sys.path:
            sys.path.insert(0, str(home))
        from planner.portfolio.spark import answer_text as answer

        against = pickled.loads(text.b64decode(market))  # noqa: S301  sent by our own driver
        for frame in frames:
            done = [answer(content, against) for content in frame["content"]]
            yield pd.DataFrame({"number": frame["number"], "answer": done})

    return answered


def run_on_spark(
    engine: Engine,
    blocks: Sequence[Block],
    market: Market,
    folder: Path,
    *,
    done: Callable[[Block], None],
) -> None:
    """Work blocks out on a Spark cluster; Spark itself does again what a lost executor had in hand.

    Parameters
    ----------
    engine : Engine
        Spark, of `planner.engine.session.connect`.
    blocks : sequence of Block
        The workloads.
    market : Market
        What they are planned against.
    folder : Path
        The working folder, on the driver.
    done : callable
        Gets each block.

    Raises
    ------
    PortfolioError
        The cluster could not do it.
    """
    import sys

    from pyspark import cloudpickle
    from pyspark.errors import PySparkException

    # By value: the executors do not have this module until the function has unpacked it.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    packed = _program()
    market.know_all_sellers(row.content for block in blocks for row in block.rows)
    do = _executor(
        base64.b64encode(packed).decode(),
        hashlib.sha256(packed).hexdigest()[:16],
        base64.b64encode(pickle.dumps(market)).decode(),
    )
    by_number = {block.number: block for block in blocks}
    try:
        for begin in range(0, len(blocks), ROUND_BLOCKS):
            some = blocks[begin : begin + ROUND_BLOCKS]
            sent: Any = engine.spark.createDataFrame(
                [(block.number, json.dumps([asdict(row) for row in block.rows])) for block in some],
                "number long, content string",
            )
            answers = sent.repartition(len(some), "number").mapInPandas(do, SCHEMA)
            for number, text in answers.toLocalIterator():
                answers = answers_of_record(json.loads(text))
                answers.rows = [_dated(row) for row in answers.rows]
                write_block(folder, int(number), answers)
                done(by_number[int(number)])
    except PySparkException as error:
        raise PortfolioError(
            f"the cluster could not do it: {engine.address.error_text(error)}",
            where="--engine",
            hint="its workers need numpy, pandas, pyarrow, pydantic and pyyaml; what is done is kept",
        ) from error
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that came as text with its date as one."""
    from datetime import date

    day = row.get("priced_on")
    return {**row, "priced_on": date.fromisoformat(day)} if day else row
