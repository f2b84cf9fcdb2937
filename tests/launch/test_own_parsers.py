"""What is written is what the parser of each engine, cluster and cloud takes: their own where it is installed, else its options as facts."""

from __future__ import annotations

import csv
import io
import itertools
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hcl2
import pytest

from planner.intake.command_lines import engine_options
from planner.launch.text import launch_text
from tests.launch.test_launch import AWS, GCP, SCALEWAY, _record


def _unknown_words(engine: str, text: str) -> set[str]:
    """Return the words of an engine's command line that its parser would refuse."""
    line = " ".join(each for each in text.splitlines() if not each.startswith("#")).replace("\\", "")
    words = [word for word in shlex.split(line) if word not in {"python", "-m", "sglang.launch_server", "vllm"}]
    refused = set()
    while words:
        if not words[0].startswith("-"):  # the command and the model, which stand before the options
            words.pop(0)
            continue
        option = engine_options().get((engine, word := words.pop(0)))
        value = words.pop(0) if option and option.takes != "nothing" else ""
        if option is None or not TAKES[option.takes](value, option.choices):
            refused.add(f"{word} {value}")
    return refused


TAKES: dict[str, Callable[[str, tuple[str, ...]], bool]] = {
    "nothing": lambda value, _: not value,
    "integer": lambda value, _: value.isdigit(),
    "number": lambda value, _: float(value) > 0,
    "text": lambda value, _: bool(value) and not value.startswith("-"),
    "choice": lambda value, choices: value in choices,
}


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_every_option_is_one_that_the_engines_parser_takes_with_such_a_value(engine: str) -> None:
    degrees = ({"tensor": 1, "data": 8}, {"tensor": 8, "data": 1, "expert": 8}, {"tensor": 8, "pipeline": 2, "data": 1})
    for degree, precision, kind in itertools.product(degrees, ("bf16", "fp8", "nf4", "awq"), ("serve", "embed", "batch")):  # fmt: skip
        record = _record(layout={**degree, "precision": precision}, instance_count=2)
        record["workload"] |= {"kind": kind, kind: record["workload"]["serve"]}
        if engine == "sglang" and kind == "batch":
            continue  # refused, with what does it
        text = launch_text(record, engine)
        assert _unknown_words(engine, text) == set()
    assert _unknown_words("vllm", "vllm serve a/b --task embed --dtype int7") == {"--task ", "--dtype int7"}


def _own_parser(program: str, script: str, paths: list[Path], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with files in the environment in which a program is installed."""
    python = Path(str(shutil.which(program))).parent / "python"
    environment = {"HOME": str(home), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    return subprocess.run(
        [python, "-c", script, *paths], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


PARSERS = {
    "skypilot": ("sky", "import sys, sky\nfor path in sys.argv[1:]: print('read', sky.Task.from_yaml(path).name)"),
    "dstack": (
        "dstack",
        (
            "import sys, yaml\nfrom dstack._internal.core.models.configurations import parse_run_configuration as read\n"
            "for path in sys.argv[1:]: print('read', read(yaml.safe_load(open(path))).type)"
        ),
    ),
    "kubernetes": (
        "kubernetes-validate",
        (
            "import sys, yaml, kubernetes_validate as kube\nfor path in sys.argv[1:]:\n"
            "    for part in yaml.safe_load_all(open(path)): kube.validate(part, kube.latest_version(), strict=True)\n    print('read', path)"
        ),
    ),
}
"""The program of each target, looked for on the path, and what its own parser does with files (tried: SkyPilot 0.14.1, dstack 0.22.5, schemas of Kubernetes 1.37)."""


@pytest.mark.slow
@pytest.mark.parametrize("target", PARSERS)
def test_a_targets_own_parser_takes_every_file(target: str, tmp_path: Path) -> None:
    program, script = PARSERS[target]
    if shutil.which(program) is None:
        pytest.skip(f"no {program} (pip install it, in an environment of its own)")
    training = _record(instance_count=2)
    training["workload"] |= {"kind": "finetune", "finetune": {"method": "lora", "tokens_m": 50}}
    records = {"service": _record(), "spread": _record(instance_count=7, spare_instance_count=1), "elsewhere": _record(SCALEWAY), "task": training}  # fmt: skip
    if target == "kubernetes":
        del records["task"]  # refused: an engine does not train
    for name, record in records.items():
        (tmp_path / f"{name}.yaml").write_text(launch_text(record, target), encoding="utf-8")
    done = _own_parser(program, script, sorted(tmp_path.glob("*.yaml")), tmp_path)
    assert done.stdout.count("read ") == len(records), done.stderr


AZURE = {"provider": "azure", "region": "eastus2", "instance_type": "Standard_ND96isr_H100_v5"}


def _arguments() -> dict[str, dict[str, bool]]:
    """Return the arguments of each block of a Terraform provider that is written here, and whether it must be there."""
    known: dict[str, dict[str, bool]] = {}
    with (Path(__file__).parent / "terraform_arguments.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            known.setdefault(row["block"], {})[row["argument"]] = row["is_required"] == "yes"
    return known


def _faults(block: dict[str, Any], path: str, known: dict[str, dict[str, bool]]) -> set[str]:
    """Return the arguments of a block, and of the blocks in it, that its provider does not know or misses."""
    content = {name.strip('"'): value for name, value in block.items() if not name.startswith("__")}
    faults = {f"{path}.{name}" for name, must in known[path].items() if must and name not in content}
    for name, value in content.items():
        if name not in known[path] and name != "count":
            faults.add(f"{path}.{name}")
        for inner in value if isinstance(value, list) and f"{path}.{name}" in known else ():
            faults |= _faults(inner, f"{path}.{name}", known)
    return faults


@pytest.mark.parametrize("purchase", ["on_demand", "spot", "capacity_block", "reserved_1y"])
@pytest.mark.parametrize(("option", "changes"), [(AWS, {}), (GCP, {}), (AWS, AZURE)])
def test_every_argument_is_one_that_the_terraform_provider_knows(
    option: str, changes: dict[str, Any], purchase: str
) -> None:
    text = launch_text(_record(option, purchase_option=purchase, **changes), "terraform")
    begun = text.find('# data "aws_ec2')
    if begun >= 0:  # what is left to the reader to buy is as right as the rest
        text += "\n".join(line[2:] for line in text[begun : text.index("# Then, in")].splitlines())
    content, known = hcl2.load(io.StringIO(text)), _arguments()
    for block in (*content.get("resource", ()), *content.get("data", ())):
        for kind, named in block.items():
            for body in named.values():
                assert _faults(body, kind.strip('"'), known) == set()
    assert _faults({"ami": 1, "zone": 2}, "aws_instance", known) == {"aws_instance.zone"}


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform")
@pytest.mark.parametrize(("option", "changes"), [(AWS, {"purchase_option": "capacity_block"}), (GCP, {}), (AWS, AZURE)])
def test_terraforms_own_parser_reads_it_and_finds_nothing_to_format(
    option: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "main.tf"
    path.write_text(launch_text(_record(option, **changes), "terraform"), encoding="utf-8")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", str(path)],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
