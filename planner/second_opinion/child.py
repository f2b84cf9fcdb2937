"""Child: asks aiconfigurator in a process of its own; a question comes on standard input, one line of JSON goes back.

Run by path, by whatever Python runs gpuplan, and it imports nothing of gpuplan: a crash, a hang or a flood of output
of the other program stays here. Its chatter goes to standard error; the answer's channel is kept aside before it is imported.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ENGINES = ("trtllm", "vllm", "sglang")
"""Asked in this order: the first that was measured on the system answers."""


def _ask(question: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the answer of the first engine that has one, else the reasons of all."""
    from aiconfigurator.cli.api import cli_estimate  # type: ignore[import-not-found,unused-ignore]

    reasons = []
    for engine in ENGINES:
        more: dict[str, Any] = {}
        if question["expert"]:
            # Every rank of attention holds a part of the experts, or all ranks split each of them.
            ranks = question["tensor"] * question["attention_data"]
            expert = max(1, question["expert"])
            more = {"moe_ep_size": expert, "moe_tp_size": ranks // expert, "moe_quant_mode": question["expert_format"]}
        try:
            found = cli_estimate(
                model,
                question["system"],
                mode="agg",
                backend_name=engine,
                isl=question["input_tokens"],
                osl=question["output_tokens"],
                prefix=question["cached_tokens"],
                batch_size=question["batch"],
                tp_size=question["tensor"],
                pp_size=question["pipeline"],
                attention_dp_size=question["attention_data"],
                gemm_quant_mode=question["matrix_format"],
                kvcache_quant_mode=question["cache_format"],
                **more,
            )
        except Exception as error:  # noqa: BLE001  whatever it refuses with is its reason
            reasons.append(f"{engine}: {type(error).__name__}: {error}")
            continue
        return {
            "engine": f"{engine} {found.backend_version}",
            "tokens_per_s_per_gpu": float(found.tokens_per_second_per_gpu),
            "ttft_ms": float(found.ttft),
            "tpot_ms": float(found.tpot),
            "warning": found.kv_cache_warning or "",
        }
    return {"refused": reasons}


def main() -> None:
    """Answer the question on standard input."""
    channel = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="gpuplan-") as folder:
        if question["config"]:
            (Path(folder) / "config.json").write_text(json.dumps(question["config"]), encoding="utf-8")
        try:
            from importlib.metadata import PackageNotFoundError, version

            answer = _ask(question, question["model"] or folder)
            try:
                answer["version"] = version("aiconfigurator")
            except PackageNotFoundError:
                answer["version"] = ""
        except ModuleNotFoundError as error:
            answer = {"missing": error.name or ""}
    with os.fdopen(channel, "w", encoding="utf-8") as reply:
        reply.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
