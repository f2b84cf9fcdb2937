"""Engine command lines: what vLLM or SGLang is started with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from planner.demand.formats import CACHE_FORMATS, Precision
from planner.fact_rows import fact_rows
from planner.intake.draft import Draft

ALIASES = {
    "tp": "tensor-parallel-size", "tp-size": "tensor-parallel-size", "pp-size": "pipeline-parallel-size", "dp-size": "data-parallel-size", "dp": "data-parallel-size",
    "model-path": "model", "context-length": "max-model-len", "max-running-requests": "max-num-seqs", "q": "quantization", "pp": "pipeline-parallel-size",
}  # fmt: skip
PARALLEL = ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size")
FORMATS = {
    "bfloat16": "bf16", "half": "fp16", "float16": "fp16", "float32": "fp32", "float": "fp32", "bitsandbytes": "nf4", "modelopt": "fp8", "modelopt_fp8": "fp8", "modelopt_fp4": "nvfp4",
    "nvfp4_online": "nvfp4", "fp8_per_tensor": "fp8", "fp8_per_block": "fp8", "fp8_per_channel": "fp8", "w8a8_fp8": "fp8", "w8a8_int8": "int8",
    "int8_per_channel_weight_only": "int8", "auto_awq": "awq", "auto_gptq": "gptq", "gpt_oss_mxfp4": "mxfp4",
}  # fmt: skip
STARTS = re.compile(
    r"(?:\bvllm\s+serve\b|\bvllm\.entrypoints\.openai\.api_server\b|\bsglang\.launch_server\b|\bsglang\s+serve\b)"
)


class EngineOption(NamedTuple):
    """What an engine's option takes: nothing, an integer, a number, text, or one of some choices."""

    engine: str
    option: str
    takes: str
    choices: tuple[str, ...]


@cache
def engine_options() -> Mapping[tuple[str, str], EngineOption]:
    """Return the options of each engine that are written or read here, and all that take no value.

    Examples
    --------
    >>> engine_options()["vllm", "--max-num-seqs"].takes, engine_options()["sglang", "--is-embedding"].takes
    ('integer', 'nothing')
    """
    return {
        (row["engine"], row["option"]): EngineOption(
            row["engine"], row["option"], row["takes"], tuple(row["choices"].split())
        )
        for row in fact_rows("engine_options")
    }


def engine_words(text: str) -> list[str] | None:
    r"""Return the words of the first engine's command line in a text; None where there is none.

    Examples
    --------
    >>> engine_words("set -e\nvllm serve Qwen/Qwen3-32B -tp 2 &")
    ['vllm', 'serve', 'Qwen/Qwen3-32B', '-tp', '2']
    """
    joined = re.sub(r"\\\r?\n", " ", text)
    start = STARTS.search(joined)
    if start is None:
        return None
    line = re.split(r"[\r\n]|(?<!\S)(?:&&|\|\||[;&|#])(?=\s|$)", joined[start.start() :], maxsplit=1)[0]
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def draft_of_engine(words: Sequence[str], machines: str = "") -> Draft:
    """Return what an engine's command line says of the work.

    Parameters
    ----------
    words : sequence of str
        The command line.
    machines : str
        What it runs on today, where that is known.
    """
    options, plain = _options(words)
    model = options.get("model") or next((word for word in plain if word not in {"vllm", "serve"}), None)
    is_embedding = "is-embedding" in options or options.get("task", options.get("runner")) in {
        "embed",
        "embedding",
        "pooling",
    }
    shared: dict[str, object] = {"model": model} if model and "$" not in model else {}
    stated = options.get("quantization") or options.get("dtype", "auto")
    formats = {precision_format.value for precision_format in Precision}
    precision = FORMATS.get(stated, stated.removesuffix("_marlin"))
    remarks = []
    if precision in formats:
        shared["precision"] = precision
    elif stated != "auto":
        remarks.append(f"Its weight format {stated!r} has no name here; precision is left open.")
    cache = options.get("kv-cache-dtype", "auto").partition("_e")[0]
    if cache in CACHE_FORMATS:
        shared["kv_precision"] = cache
    gpus = _degrees(options)
    remarks.append(f"Runs today with {', '.join(f'{name} {count}' for name, count in gpus.items()) or 'one GPU'}.")
    if limit := options.get("max-model-len"):
        remarks.append(f"Longest request today: {limit} tokens.")
    if machines:
        remarks.append(machines)
    return Draft("embed" if is_embedding else "serve", shared, {}, tuple(remarks))


def _options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options of a command line with their values, and the other words."""
    options: dict[str, str] = {}
    plain: list[str] = []
    rest = list(words)
    switches = {option.option.lstrip("-") for option in engine_options().values() if option.takes == "nothing"}
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = name.replace("_", "-")
        if not equals and name not in switches and not name.startswith("no-"):
            value = rest.pop(0) if rest and not rest[0].startswith("-") else ""
        options[ALIASES.get(name, name)] = value
    return options, [word for word in plain if "python" not in word and not STARTS.search(word)]


def _degrees(options: Mapping[str, str]) -> dict[str, int]:
    return {
        name.removesuffix("-size").replace("-", " "): int(options[name])
        for name in PARALLEL
        if options.get(name, "").isdigit() and int(options[name]) > 1
    }
