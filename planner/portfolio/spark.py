"""The same blocks on Spark: each goes to an executor as text and comes back as rows; the driver writes the parts."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.portfolio.blocks import Block, Report, landed, report_of, work_rows
from planner.portfolio.market import Market
from planner.portfolio.pools import Pool
from planner.portfolio.reading import Row

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

__all__ = ["run_on_spark"]

ROUND_BLOCKS = 64
"""Blocks handed over at once: what a driver that dies loses."""
SCHEMA = "number long, answer string"


def _answered(market_text: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Return what an executor does with its blocks; everything it needs is in the text."""

    def answered(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import time

        import pandas as pd

        market: Market = pickle.loads(base64.b64decode(market_text))  # noqa: S301  sent by our own driver
        for frame in frames:
            numbers, texts = [], []
            for number, content in zip(frame["number"], frame["content"], strict=True):
                started = time.process_time()
                answers = work_rows([Row(**row) for row in json.loads(content)], market)
                report = asdict(report_of(int(number), answers, time.process_time() - started))
                for pool in report["pools"].values():
                    pool["gpus_by_hour"] = [float(value) for value in pool["gpus_by_hour"]]
                numbers.append(int(number))
                texts.append(json.dumps({"report": report, "rows": answers.rows}, default=str))
            yield pd.DataFrame({"number": numbers, "answer": texts})

    return answered


def run_on_spark(
    session: SparkSession,
    blocks: Sequence[Block],
    market: Market,
    folder: Path,
    *,
    done: Callable[[Block, Report], None],
) -> None:
    """Work blocks out on a Spark cluster; Spark itself does again what a lost executor had in hand.

    Parameters
    ----------
    session : SparkSession
        Of `planner.engine.connect`; its executors need this package and what it imports.
    blocks : sequence of Block
        The workloads.
    market : Market
        What they are planned against.
    folder : Path
        The working folder, on the driver.
    done : callable
        Gets each block and its report.
    """
    import numpy as np

    text = base64.b64encode(pickle.dumps(market)).decode()
    by_number = {block.number: block for block in blocks}
    for begin in range(0, len(blocks), ROUND_BLOCKS):
        some = blocks[begin : begin + ROUND_BLOCKS]
        sent: Any = session.createDataFrame(
            [(block.number, json.dumps([asdict(row) for row in block.rows])) for block in some],
            "number long, content string",
        )
        answered = sent.repartition(len(some), "number").mapInPandas(_answered(text), SCHEMA)
        for number, answer in answered.toLocalIterator():
            found = json.loads(answer)
            record = found["report"]
            pools = {
                key: Pool(**{**pool, "gpus_by_hour": np.array(pool["gpus_by_hour"])})
                for key, pool in record.pop("pools").items()
            }
            report = Report(**record, pools=pools)
            landed(folder, report, [_dated(row) for row in found["rows"]])
            done(by_number[int(number)], report)


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    from datetime import date

    day = row.get("priced_on")
    return {**row, "priced_on": date.fromisoformat(day)} if day else row
