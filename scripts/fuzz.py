"""Feed every door of the program malformed input, in-process: scripts/fuzz.py COUNT SEED [--door NAME] [--keep FOLDER].

Deterministic by its seed. Each case is one command line over files that were made from valid ones by breaking them: a key dropped or
renamed, a value of another type, a number beyond reason, text in another encoding, bytes flipped, a file that is none. It passes if
the exit status is a documented one, a failure says one thing, nothing warns, and time and memory stay bounded. Cases that fail are
kept in a folder with the command that repeats them; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import csv
import gzip
import io
import json
import multiprocessing
import os
import random
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
STATUSES = {0, 2, 3, 4, 5, 6, 7, 130}
LONGEST_S = 20
LONGEST_MESSAGE = 20_000
MOST_BYTES = 4 << 30
CASES_A_WORKER = 200
Rng = random.Random


@dataclass
class Case:
    """A command line with its files and environment."""

    words: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    links: dict[str, str] = field(default_factory=dict)


# Values and text that real people and broken programs write.
ODD_NUMBERS: list[Any] = [
    0, -1, 1, 2, -0.0, 1e-300, 1e308, -1e308, 10**30, 10**400, 2**31, 2**63, 2**64, float("nan"), float("inf"), float("-inf"), 0.1, 1e9,
]  # fmt: skip
ODD_TEXT = [
    "", " ", "0", "-1", "08", "010", "1e999", "nan", "inf", "~", "null", "true", "yes", "x" * 300, "y" * 20_000, "\x00", "\x1b]0;t\x07", "\u202e",
    "Größe", "日本", "😀", "../x", "/dev/zero", "/dev/null", "folder/", "~", "a*b?[c]", "{x}", "%s%n", "$(id)", "'; drop table x; --", "=1+1",
    "2026-13-45", "0001-01-01", "9999-12-31", "2026-02-30T25:61:61Z", "h100", "Apple M3 Ultra", "llama-3.1-8b", "-2024" * 2000, "10k", "1T",
]  # fmt: skip
ODD_VALUES: list[Any] = [None, True, False, [], {}, [1], ["a", None], {"a": 1}, [[[[]]]], *ODD_NUMBERS, *ODD_TEXT]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside a value."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 4)):
            yield from places(value[index], (*path, index))


def broken_value(value: Any, rng: Rng) -> Any:
    """Return a copy of nested values with one to three things wrong in it."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        paths = list(places(value))
        if not paths:
            return rng.choice(ODD_VALUES)
        *parents, last = rng.choice(paths)
        holder = value
        for step in parents:
            holder = holder[step]
        match rng.randrange(6):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[rng.choice((f"{last}s", str(last)[:-1], str(last).upper(), "", "x" * 300))] = holder.pop(last)
            case 2 if isinstance(holder, dict):
                holder[rng.choice(ODD_TEXT)] = rng.choice(ODD_VALUES)
            case 3:
                holder[last] = nested(rng.choice((3, 60)), rng)
            case _:
                holder[last] = rng.choice(ODD_VALUES)
    return value


def nested(depth: int, rng: Rng) -> Any:
    """Return lists or mappings inside each other."""
    value: Any = 1
    for _ in range(depth):  # deeper ones are written as text, by `broken_text`
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def broken_text(text: str, rng: Rng) -> bytes:
    """Return text as bytes with something wrong in its letters or its encoding."""
    match rng.randrange(14):
        case 0:
            return text.encode("utf-16")
        case 1:
            return ("Größe\n" + text).encode("latin-1", errors="replace")
        case 2:
            return b"\xef\xbb\xbf" + text.encode()
        case 3:
            return text.replace("\n", "\r").encode()
        case 4:
            return text.replace("\n", "\r\n").encode()
        case 5:
            return text[: rng.randrange(len(text) + 1)].encode()
        case 6:
            return b""
        case 7:
            return (rng.choice(("[", "{", "- ", "a: ")) * rng.choice((10, 3000, 50_000))).encode()
        case 8:
            at = rng.randrange(len(text) + 1)
            return (text[:at] + rng.choice(ODD_TEXT) + text[at:]).encode("utf-8", errors="replace")
        case 9:
            lines = text.splitlines(keepends=True) or [""]
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            return "".join(lines).encode()
        case 10:
            tag = rng.choice(
                ("!!bool maybe", '!!int ""', "!!timestamp x", "!!python/object:os.system x", "&a [*a]", "!!float x")
            )
            return (text + f"\nkind: {tag}\n").encode()
        case _:
            return flipped(text.encode(), rng)


def flipped(data: bytes, rng: Rng) -> bytes:
    """Return bytes with some of them changed, cut or doubled."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(3):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randrange(1, 50)]
            case _:
                changed[at:at] = changed[at : at + rng.randrange(1, 50)]
    return bytes(changed)


def broken_document(text: str, rng: Rng) -> bytes:
    """Return a YAML or JSON document, broken in its structure or its text."""
    import yaml

    if rng.random() < 0.35:
        return broken_text(text, rng)
    value = broken_value(yaml.safe_load(text), rng)
    if rng.random() < 0.5:
        return json.dumps(value, default=str, ensure_ascii=rng.random() < 0.5).encode("utf-8", errors="replace")
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", errors="replace")


def broken_table(text: str, rng: Rng, delimiter: str = ",") -> bytes:
    """Return a table with cells, rows or columns that are wrong."""
    if rng.random() < 0.35:
        return broken_text(text, rng)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for _ in range(rng.choice((1, 2, 5))):
        row = rng.choice(rows)
        if not row:
            continue
        at = rng.randrange(len(row))
        match rng.randrange(7):
            case 0:
                del row[at]
            case 1:
                row.append(rng.choice(ODD_TEXT))
            case 2:
                rows.remove(row)
                if not rows:
                    rows.append([])
            case 3:
                row[at] = "z" * 140_000
            case 4:
                row[at] = str(rng.choice(ODD_NUMBERS))
            case _:
                row[at] = rng.choice(ODD_TEXT)
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", errors="replace")


def _read(path: str) -> str:
    data = (EXAMPLES / path).read_bytes()
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode()


WORKLOADS = sorted(path.name for path in EXAMPLES.glob("*.yaml") if not path.name.startswith("scenario"))
SCENARIOS = sorted(path.name for path in EXAMPLES.glob("scenario*.yaml"))
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
DEMAND = "demand: {profile: office_hours, mean_gpus: 4, hours: 168}\ngpu: h100-sxm\n"
NAMES = ("w.yaml", "w[1].yaml", "ein Name.yaml", "w*.yaml", "-w.yaml", "w.json")


def _plan_text() -> str:
    return (ROOT / "tests" / "golden" / "plan.json").read_text(encoding="utf-8")


def _card_text() -> str:
    return (ROOT / "tests" / "fixtures" / "rate_card" / "hyperstack.csv").read_text(encoding="utf-8")


def _measured_text() -> str:
    path = ROOT / "planner" / "facts" / "measured_inference.csv"
    return "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:12])


def _form(rng: Rng) -> list[str]:
    return rng.choice(
        ([], ["-f", "json"], ["-f", "csv"], ["-f", "md"], ["-o", "out.html"], ["-o", "out.xlsx"], ["--explain"])
    )


def workload(rng: Rng) -> Case:
    """`plan` and `estimate` of a workload file."""
    name = rng.choice(NAMES)
    files = {name: broken_document(_read(rng.choice(WORKLOADS)), rng)}
    source = f"./{name}" if name.startswith("-") else name
    if rng.random() < 0.25:
        return Case(["estimate", source, "--on", rng.choice(("h100-sxm:8", "l4", "2xL40S", *ODD_TEXT[:12]))], files)
    return Case(["plan", source, "--top", "2", *_form(rng)], files)


def standard_input(rng: Rng) -> Case:
    """Documents that come through a pipe."""
    command = rng.choice((["plan", "-", "--top", "1"], ["breakeven", "-"], ["mix", "-", "--time-limit", "2"]))
    text = {"plan": _read(rng.choice(WORKLOADS)), "breakeven": _read(SCENARIOS[0]), "mix": DEMAND}[command[0]]
    return Case(command, stdin=broken_document(text, rng))


def scenario(rng: Rng) -> Case:
    """`breakeven` of a scenario file."""
    extra = rng.choice(([], ["--sobol"], ["--seed", "3"], ["-f", "json"]))
    return Case(["breakeven", "s.yaml", *extra], {"s.yaml": broken_document(_read(rng.choice(SCENARIOS)), rng)})


def demand(rng: Rng) -> Case:
    """`mix` of a demand file or a curve."""
    if rng.random() < 0.4:
        curve = "hour,gpus\n" + "".join(f"{hour},{1 + hour % 5}\n" for hour in range(48))
        return Case(["mix", "d.csv", "--gpu", "h100-sxm", "--time-limit", "2"], {"d.csv": broken_table(curve, rng)})
    return Case(["mix", "d.yaml", "--time-limit", "2"], {"d.yaml": broken_document(DEMAND, rng)})


def plan_record(rng: Rng) -> Case:
    """`report` and `diff` of a plan's JSON."""
    text = _plan_text()
    data = (
        json.dumps(broken_value(json.loads(text), rng), default=str).encode()
        if rng.random() < 0.8
        else broken_text(text, rng)
    )
    files = {"p.json": data, "whole.json": text.encode()}
    words = ["report", "p.json", "--top", "2", *_form(rng)] if rng.random() < 0.75 else ["diff", "whole.json", "p.json"]
    return Case(words, files)


def configuration(rng: Rng) -> Case:
    """Read a model's config.json."""
    work = "kind: serve\nmodel: ./config.json\nserve: {requests_per_s: 1, input_tokens: 100, output_tokens: 10}\n"
    return Case(
        ["estimate", "w.yaml", "--on", "h100-sxm:8"],
        {"w.yaml": work.encode(), "config.json": broken_document(json.dumps(CONFIG), rng)},
    )


def bill(rng: Rng) -> Case:
    """`usage` of a FOCUS bill."""
    lines = _read("usage/bill.csv.gz").splitlines(keepends=True)
    data = broken_table("".join(lines[:40]), rng)
    name = rng.choice(("bill.csv", "bill[1].csv", "bill.csv.gz"))
    if name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
        data = flipped(data, rng) if rng.random() < 0.4 else data
    return Case(["usage", name, *rng.choice(([], ["--rate", "EUR=1.25"], ["--decide"], ["-f", "json"]))], {name: data})


def records(rng: Rng) -> Case:
    """`usage` of Slurm, DCGM and plain records."""
    name = rng.choice(("sacct.txt", "dcgm.csv", "plain.csv"))
    if name == "plain.csv":
        text = "timestamp,gpus\n" + "".join(
            f"2026-10-0{day}T0{hour}:00:00Z,{hour}\n" for day in range(1, 4) for hour in range(9)
        )
    else:
        text = "".join(_read(f"usage/{name}").splitlines(keepends=True)[:40])
    return Case(["usage", name, "-f", "json"], {name: broken_table(text, rng, "|" if name == "sacct.txt" else ",")})


def imports(rng: Rng) -> Case:
    """`prices import` of CSV and Parquet, and what is asked afterwards."""
    text = _card_text()
    name, data = ("r.csv", broken_table(text, rng)) if rng.random() < 0.7 else ("r.parquet", flipped(_parquet(), rng))
    return Case(["prices", "import", name, "--store", "s.duckdb"], {name: data})


_PARQUET: list[bytes] = []


def _parquet() -> bytes:
    if not _PARQUET:
        from pricing.catalog import load_bundled
        from pricing.store.exchange import write_parquet

        with tempfile.TemporaryDirectory() as folder:
            offers = load_bundled().offers[:20]
            made = write_parquet(offers, Path(folder), offers[0].observed_on)
            _PARQUET.append(next(made[0].glob("*.parquet")).read_bytes())
    return _PARQUET[0]


def rate_card(rng: Rng) -> Case:
    """Bring a rate card through a refresh."""
    text = _card_text()
    words = ["prices", "refresh", "--provider", "rate_card", "--rate-cards", "cards", "--store", "s.duckdb"]
    return Case(words, {"cards/hyperstack.csv": broken_table(text, rng)})


def settings(rng: Rng) -> Case:
    """gpuplan.toml of the folder."""
    key = rng.choice(
        (
            "horizon",
            "top",
            "provider",
            "as_of",
            "max_age",
            "set",
            "purchase",
            "quiet",
            "store",
            "output",
            "horizn",
            "plan",
            "[plan]\ntop",
        )
    )
    value = rng.choice(
        (
            "1",
            "-1",
            "nan",
            "1.5",
            '"x"',
            "[1]",
            '["aws"]',
            "{a = 1}",
            "true",
            "2026-01-01",
            "9" * 400,
            "[" * 3000,
            '"""',
            "2026-01-01T00:00:00Z",
        )
    )
    text = f"{key} = {value}\n" if rng.random() < 0.8 else (EXAMPLES / "gpuplan.toml").read_text(encoding="utf-8")
    data = text.encode() if rng.random() < 0.7 else broken_text(text, rng)
    return Case(["plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--top", "1"], {"gpuplan.toml": data})


def options(rng: Rng) -> Case:
    """Options and arguments of every command."""

    def odd() -> str:
        return str(rng.choice([*ODD_TEXT, *ODD_NUMBERS]))[:4000].replace("\x00", "") or "x"

    work = str(EXAMPLES / "gpu-hours-h100.yaml")
    words = rng.choice((
        ["plan", work, "--set", f"{rng.choice(('own.life_months', 'money.hours_per_month', 'x'))}={odd()}"],
        ["plan", work, "--horizon", odd()], ["plan", work, "--as-of", odd()], ["plan", work, "--max-age", odd()],
        ["plan", work, "--purchase", odd()], ["plan", work, "--provider", odd()], ["plan", work, "--country", odd()], ["plan", odd()],
        ["plan", work, "--assumptions", odd()], ["plan", work, "--store", odd()], ["plan", work, "-o", odd()],
        ["offers", "--gpu", odd()], ["offers", "--count", odd()], ["offers", "--max-usd-per-hour", odd(), "--top", "3"], ["gpus", odd()],
        ["models", odd()], ["estimate", work, "--on", odd()], ["mix", rng.choice(("steady", "bursty")), "--gpu", odd(), "--mean-gpus", odd()],
        ["server", odd(), "--rent", odd()], ["server", "h100-sxm:8", "--rent", odd()], ["init", odd()], ["schema", odd()], [odd()],
        ["prices", "status", "--store", odd()], ["prices", "history", "--store", "none.duckdb", "--gpu", odd()], ["prices", odd()],
        ["prices", "schedule", rng.choice(("cron", "systemd", "github", "kubernetes")), "--at", odd()], ["verify", odd()],
        ["breakeven", str(EXAMPLES / "scenario-ranges.yaml"), "--seed", odd()], ["report", odd()], ["usage", odd()], ["usage", odd(), "--engine", odd()],
    ))  # fmt: skip
    return Case(words)


NOT_TRIED = {"web", "refresh", "--engine", "--debug"}
"""They serve until they are stopped, ask a server elsewhere, or show a traceback as they should."""


def _commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            if name not in NOT_TRIED and (command := group.get_command(context, name)):
                yield from _commands(command, (*words, name))
    else:
        yield words, group


VALID = {
    "plan": "w.yaml", "estimate": "w.yaml", "breakeven": "s.yaml", "mix": "d.yaml", "report": "p.json", "diff": "p.json", "usage": "sacct.txt",
    "import": "r.csv", "export": "out.csv", "server": "h100-sxm:8", "models": "llama-3.1-8b", "init": "serve", "schedule": "cron", "verify": "m.csv",
}  # fmt: skip
"""An argument that each command takes."""


@cache
def _all_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    from planner.cli import gpuplan

    return list(_commands(gpuplan))


def any_option(rng: Rng) -> Case:
    """One to three options of any command, as its own declaration names them, over arguments that are valid or odd."""
    words, command = rng.choice(_all_commands())
    valid = [*VALID.values()]
    arguments = [
        VALID.get(words[-1], "h100-sxm") if rng.random() < 0.85 else rng.choice([*valid, *ODD_TEXT])
        for parameter in command.params
        if isinstance(parameter, click.Argument) and (parameter.required or rng.random() < 0.5)
    ]
    given = [*words, *arguments]
    if words == ("estimate",):
        given += ["--on", "l4"]
    named = [each for each in command.params if isinstance(each, click.Option) and not NOT_TRIED & {*each.opts}]
    for option in rng.sample(named, min(len(named), rng.choice((1, 1, 2, 3)))):
        given.append(rng.choice([*option.opts, *option.secondary_opts]))
        if not option.is_flag:
            odd = [*ODD_TEXT, *map(str, ODD_NUMBERS), *valid]
            if isinstance(option.type, click.Choice):
                odd += [*option.type.choices] * 20
            given.append(rng.choice(odd)[:4000])
    files = {
        "w.yaml": _read(rng.choice(WORKLOADS)), "s.yaml": _read(SCENARIOS[-1]), "d.yaml": DEMAND, "p.json": _plan_text(),
        "sacct.txt": _read("usage/sacct.txt")[:4000], "r.csv": _card_text(), "m.csv": _measured_text(),
    }  # fmt: skip
    return Case([word.replace("\x00", "") for word in given], {name: text.encode() for name, text in files.items()})


READERS = (
    ["plan", "X"], ["estimate", "X", "--on", "l4"], ["breakeven", "X"], ["mix", "X", "--gpu", "l4"], ["report", "X"], ["diff", "X", "X"],
    ["usage", "X"], ["prices", "import", "X", "--store", "s.duckdb"], ["verify", "X"], ["plan", "w.yaml", "--calibration", "X"],
    ["plan", "w.yaml", "--assumptions", "X"], ["plan", "w.yaml", "--store", "X"], ["plan", "w.yaml", "-o", "X/out.html"],
)  # fmt: skip


def special_file(rng: Rng) -> Case:
    """Name what is no plain file, where a file is expected."""
    files = {"w.yaml": _read("gpu-hours-h100.yaml").encode(), "folder/deep/x.txt": b"x"}
    ending = rng.choice(("", ".yaml", ".json", ".csv", ".parquet", ".csv.gz", ".duckdb", ".html", ".xlsx"))
    names = [
        "/dev/zero",
        "/dev/null",
        "/dev/full",
        "/proc/self/mem",
        "/proc/self/environ",
        "folder",
        ".",
        "/",
        "w.yaml/x",
        f"missing{ending}",
    ]
    names += [
        f"loop{ending}",
        f"dangling{ending}",
        f"empty{ending}",
        f"zeros{ending}",
        f"letters{ending}",
        "n" * 300 + ending,
    ]
    files |= {
        f"empty{ending}": b"",
        f"zeros{ending}": bytes(5000),
        f"letters{ending}": rng.randbytes(rng.choice((1, 17, 5000))),
    }
    name = rng.choice(names)
    return Case(
        [word.replace("X", name) for word in rng.choice(READERS)], files,
        links={f"loop{ending}": f"loop{ending}", f"dangling{ending}": "nowhere"},
    )  # fmt: skip


@cache
def _store() -> bytes:
    from pricing.catalog import load_bundled
    from pricing.store.exchange import import_offers
    from pricing.store.open import open_store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.duckdb")
        import_offers(open_store(str(path)), load_bundled().offers[:50], "first")
        return path.read_bytes()


def store(rng: Rng) -> Case:
    """Read a price store with bytes flipped, or cut."""
    data = flipped(_store(), rng)
    words = rng.choice((
        ["prices", "status"], ["prices", "history", "--gpu", "h100-sxm"], ["prices", "export", "out.csv"], ["prices", "diff"],
        ["plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--top", "1"], ["offers", "--gpu", "h100-sxm"], ["prices", "import", "r.csv"],
    ))  # fmt: skip
    return Case([*words, "--store", "s.duckdb"], {"s.duckdb": data, "r.csv": _card_text().encode()})


def environment(rng: Rng) -> Case:
    """Variables of the environment."""
    name = rng.choice(("GPUPLAN_HORIZON", "GPUPLAN_TOP", "GPUPLAN_FORMAT", "GPUPLAN_AS_OF", "GPUPLAN_MAX_AGE", "GPUPLAN_STORE", "GPUPLAN_QUIET", "COLUMNS", "TZ", "NO_COLOR"))  # fmt: skip
    value = str(rng.choice([*ODD_TEXT, *ODD_NUMBERS]))[:4000].replace("\x00", "")
    return Case(["plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--top", "1"], environment={name: value})


def portfolio(rng: Rng) -> Case:
    """Plan a table of workloads."""
    lines = _read("portfolio/workloads.csv").splitlines(keepends=True)
    return Case(["plan", "p.csv", "-o", "out.csv", "--workers", "1"], {"p.csv": broken_table("".join(lines[:5]), rng)})


def measured(rng: Rng) -> Case:
    """Measured rows for `verify` and `--calibration`."""
    return Case(["verify", "m.csv"], {"m.csv": broken_table(_measured_text(), rng)})


def page_form(rng: Rng) -> Case:
    """Post a form of the web page; the words are its fields, since no command takes them."""
    fields = {
        "kind": "serve",
        "model": "llama-3.1-8b",
        "serve.requests_per_s": "5",
        "serve.input_tokens": "1000",
        "serve.output_tokens": "300",
    }
    for _ in range(rng.choice((1, 2, 4))):
        fields[
            rng.choice([*fields, "yaml", "set.own.life_months", "precision", "constraints.max_gpus", "horizon_months"])
        ] = str(rng.choice([*ODD_TEXT, *ODD_NUMBERS]))[:4000]
    if rng.random() < 0.3:
        fields = {"yaml": broken_document(_read(rng.choice(WORKLOADS)), rng).decode("utf-8", errors="replace")}
    return Case(["<form>", json.dumps(fields)])


DOORS: dict[str, Callable[[Rng], Case]] = {
    make.__name__: make
    for make in (
        workload, standard_input, scenario, demand, plan_record, configuration, bill, records, imports, rate_card, settings, options,
        any_option, special_file, store, environment, portfolio, measured, page_form,
    )
}  # fmt: skip


def case_of(seed: int, number: int, doors: list[str]) -> tuple[str, Case]:
    """Return case `number` of a seed: the same whichever cases ran before."""
    rng = Rng(f"{seed}/{number}")
    name = doors[number % len(doors)]
    return name, DOORS[name](rng)


def outcome(case: Case) -> tuple[int, str]:
    """Run a case in the current folder; return its exit status and what was wrong, empty where nothing was."""
    for name, data in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
    for name, target in case.links.items():
        Path(name).symlink_to(target)
    kept = dict(os.environ)
    os.environ.update(case.environment)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(case.stdin), "utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("always")
            status = _answered(case) if case.words[0] == "<form>" else _run(case.words)
    except BaseException:  # noqa: BLE001  whatever leaves `main` is a fault of its own
        return -1, f"left main: {traceback.format_exc()[-1500:]}"
    finally:
        sys.stdin = stdin
        os.environ.clear()
        os.environ.update(kept)
    said, answer = err.buffer.getvalue().decode("utf-8", "replace"), out.buffer.getvalue().decode("utf-8", "replace")
    faults = []
    if status not in STATUSES:
        faults.append(f"exit status {status}")
    if "Traceback" in said or "a bug of this program" in said + answer:
        faults.append("a bug")
    if "Warning:" in said:
        faults.append("a warning of a library")
    if (
        status not in {0, 3, 5, 6, 7}
        and case.words[0] != "<form>"
        and "refresh" not in case.words  # what became of each source is its answer
        and "error: " not in said
        and "warning: " not in said
        and '"error"' not in answer
    ):
        faults.append("a failure without a word")
    if said.count("\nerror: ") + said.startswith("error: ") > 1:
        faults.append("more than one error")
    if len(said) > LONGEST_MESSAGE:
        faults.append(f"{len(said):,} characters on standard error")
    if list(Path().rglob("*.part")):
        faults.append("a half-written file")
    return status, f"{'; '.join(faults)}\n{said[-1500:]}" if faults else ""


def _run(words: list[str]) -> int:
    from planner.cli import main

    return main(words)


def _answered(case: Case) -> int:
    from planner.web.answers import answer

    found = answer(None, "html", json.loads(case.words[1]), {"page.css": "x", "page.js": "y"})
    return {200: 0, 422: 2}.get(found.status, 1)


def work(pipe: Connection, seed: int, numbers: list[int], doors: list[str], folder: str) -> None:
    """Run cases one by one, each in an empty folder, and tell each outcome."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES + (2 << 30), MOST_BYTES + (2 << 30)))
    os.environ["HOME"] = folder
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = folder
    for name in [name for name in os.environ if name.startswith("GPUPLAN_")]:
        del os.environ[name]
    for number in numbers:
        name, case = case_of(seed, number, doors)
        place = Path(folder, "case")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        os.chdir(place)
        pipe.send((number, name, None, "", 0.0))
        began = time.monotonic()
        status, fault = outcome(case)
        took = time.monotonic() - began
        if took > LONGEST_S and not fault:
            fault = f"took {took:.0f} s"
        pipe.send((number, name, status, fault, took))
    pipe.close()


def main() -> int:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz.py", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--door", choices=sorted(DOORS), action="append")
    parser.add_argument("--keep", type=Path, default=Path("test-output", "fuzz"), help="where failing cases are kept")
    chosen = parser.parse_args()
    doors = chosen.door or list(DOORS)
    statuses: dict[str, Counter[int]] = {name: Counter() for name in doors}
    faults: list[tuple[int, str, str]] = []
    slowest = (0.0, 0)
    waiting = list(range(chosen.count))
    context = multiprocessing.get_context("fork")
    import planner.cli  # noqa: F401  read once, before the workers are forked

    done = 0
    while waiting:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = context.Pipe(duplex=False)
            batch = waiting[:CASES_A_WORKER]
            worker = context.Process(target=work, args=(theirs, chosen.seed, batch, doors, folder), daemon=True)
            worker.start()
            theirs.close()
            at: tuple[int, str] = (batch[0], doors[batch[0] % len(doors)])
            finished: set[int] = set()
            try:
                while ours.poll(LONGEST_S * 1.5):
                    number, name, status, fault, took = ours.recv()
                    at = (number, name)
                    if status is None:
                        continue
                    finished.add(number)
                    statuses[name][status] += 1
                    slowest = max(slowest, (took, number))
                    if fault:
                        faults.append((number, name, fault))
                    done += 1
                    if sys.stderr.isatty() and done % 20 == 0:
                        print(f"\r{done:,} of {chosen.count:,}, {len(faults)} failed", end="", file=sys.stderr)
            except EOFError:
                pass
            worker.kill() if worker.is_alive() and len(finished) < len(batch) else None
            worker.join()
            if len(finished) < len(batch):  # it hung, or was killed, at this one
                number, name = at
                finished.add(number)
                faults.append((number, name, f"the process ended or hung (exit code {worker.exitcode})"))
            waiting = [number for number in waiting if number not in finished]
    return told(chosen.count, chosen.seed, doors, statuses, faults, slowest, chosen.keep)


def told(
    count: int, seed: int, doors: list[str], statuses: dict[str, Counter[int]], faults: list[tuple[int, str, str]],
    slowest: tuple[float, int], keep: Path,
) -> int:  # fmt: skip
    """Print a summary, and keep the cases that failed."""
    for name in doors:
        print(f"{name:15} {', '.join(f'{status}: {n}' for status, n in sorted(statuses[name].items()))}")
    for number, name, fault in faults:
        _, case = case_of(seed, number, doors)
        folder = keep / f"{seed}-{number}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        for file, data in case.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stdin").write_bytes(case.stdin)
        variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in case.environment.items())
        line = f"{variables} gpuplan {shlex.join(case.words)} < stdin\n"
        (folder / "command.txt").write_text(f"{line}\n{fault}\n", encoding="utf-8", errors="replace")
        print(f"FAILED {name} case {number}: {fault.splitlines()[0]} (kept in {folder})")
    print(f"{count:,} inputs, {len(faults)} failures; the slowest took {slowest[0]:.1f} s (case {slowest[1]})")
    return 1 if faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
