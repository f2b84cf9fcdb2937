"""Command lines over broken files, one maker for each door of the program; used by fuzz.py."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import click
from fuzz_breaking import (
    ODD_NUMBERS,
    ODD_TEXT,
    Case,
    Rng,
    broken_document,
    broken_table,
    broken_text,
    broken_value,
    flipped,
)

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


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
    from pricing.store.database import open_store
    from pricing.store.exchange import import_offers

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
