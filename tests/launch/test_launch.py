"""What a plan is launched with: every file is what the tool that takes it can read, and nothing is guessed or bought."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from kubernetes.client import ApiClient

from planner.cli import main
from planner.demand.models import known_models
from planner.launch.deployment import LaunchError, checkpoints, deployment_of
from planner.launch.text import TARGETS, launch_text
from planner.plan import Plan
from planner.report.record import plan_record
from tests.conftest import EXAMPLES, ROOT

AWS = "aws/us-east-1/p5.48xlarge/on_demand"
GCP = "gcp/us-central1/a3-highgpu-8g/reserved_1y"
SCALEWAY = "scaleway/global/H100-SXM_(4_GPUs)/on_demand"
LAYOUT = {"tensor": 2, "pipeline": 1, "data": 4, "expert": 1, "context": 1, "precision": "fp8", "kv_precision": "fp8", "micro_batch": 48, "techniques": []}  # fmt: skip
SERVE = {"requests_per_s": 20.0, "peak_requests_per_s": 60.0, "input_tokens": 1000, "output_tokens": 300, "profile": "office_hours"}  # fmt: skip


def _record(
    option: str = AWS, layout: dict[str, Any] | None = None, model: str = "llama-3.1-70b", **changes: Any
) -> Any:
    """Return the golden plan's record as one of a service whose verdict is `option`, changed so."""
    record: Any = json.loads((ROOT / "tests" / "golden" / "plan.json").read_text(encoding="utf-8"))
    record["workload"] |= {"kind": "serve", "serve": SERVE, "model": model}
    del record["workload"]["gpu_hours"]
    record["requirements"] |= {"units_per_s": 20.0, "peak_units_per_s": 60.0}
    record["verdict"]["option_id"] = option
    for each in record["options"]:
        each["layout"] = LAYOUT | (layout or {})
        if each["id"] == option:
            each.update(changes)
    return record


def _yaml(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _checked(manifest: dict[str, Any], model: str) -> None:
    """Take a manifest through Kubernetes' own models: an unknown key or a missing one is lost or refused."""

    class Answer:
        data = json.dumps(manifest)

    client = ApiClient()
    read = client.deserialize(Answer(), model)
    assert client.sanitize_for_serialization(read) == manifest


def test_vllm_runs_as_planned() -> None:
    text = launch_text(_record(), "vllm")
    words = " ".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\", "").split()
    assert words[:3] == ["vllm", "serve", "meta-llama/Llama-3.1-70B-Instruct"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--tensor-parallel-size": "2",
        "--data-parallel-size": "4",
        "--quantization": "fp8",
        "--kv-cache-dtype": "fp8",
        "--max-model-len": "8192",
        "--max-num-seqs": "48",
        "--max-num-batched-tokens": "8192",
        "--gpu-memory-utilization": "0.9",
        "--port": "8000",
    }


def test_the_head_names_the_plan_its_option_and_the_date_of_the_price() -> None:
    record = _record()
    priced_on = next(each["priced_on"] for each in record["options"] if each["id"] == AWS)
    for target in TARGETS:
        head = [line for line in launch_text(record, target).splitlines() if line.startswith("#")]
        said = " ".join(head)
        assert f"price of {priced_on}; planned on {record['planned_on']}" in said
        assert AWS in said


def test_a_title_of_several_lines_stays_a_comment() -> None:
    record = _record()
    record["title"] = "serve\nrm -rf /\rreboot\u2028halt"
    for target in ("vllm", "terraform"):
        text = launch_text(record, target)
        assert [line for line in text.splitlines() if line.startswith(("rm", "reboot", "halt"))] == []


def test_a_model_that_is_in_its_own_format_is_not_made_smaller_as_it_loads() -> None:
    assert "--quantization" not in launch_text(_record(model="deepseek-v3"), "vllm")
    assert "--quantization" not in launch_text(_record(model="RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8"), "vllm")
    text = launch_text(_record(layout={"precision": "awq"}), "vllm")
    assert "replace meta-llama/Llama-3.1-70B-Instruct by a checkpoint in that format" in " ".join(
        text.replace("#", "").split()
    )


def test_a_deployment_is_one_to_kubernetes() -> None:
    deployment, service = yaml.safe_load_all(
        launch_text(_record(spare_instance_count=1, instance_count=2), "kubernetes")
    )
    _checked(deployment, "V1Deployment")
    _checked(service, "V1Service")
    assert deployment["spec"]["replicas"] == 8  # four, and the four that the spare machine holds
    pod = deployment["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"node.kubernetes.io/instance-type": "p5.48xlarge"}
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert pod["volumes"] == [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_a_replica_across_machines_is_a_set_of_leaders_and_workers() -> None:
    layout = {"tensor": 8, "pipeline": 2, "data": 1}
    lws, _ = yaml.safe_load_all(launch_text(_record(layout=layout, instance_count=2), "kubernetes"))
    assert (lws["apiVersion"], lws["kind"]) == ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
    template = lws["spec"]["leaderWorkerTemplate"]
    assert (lws["spec"]["replicas"], template["size"]) == (1, 2)
    for pod in (template["leaderTemplate"], template["workerTemplate"]):
        _checked({"spec": pod["spec"]}, "V1PodTemplateSpec")
        assert pod["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    assert "--pipeline-parallel-size 2" in template["leaderTemplate"]["spec"]["containers"][0]["args"][0]


@pytest.mark.parametrize("purchase", ["on_demand", "spot", "capacity_block", "reserved_1y"])
@pytest.mark.parametrize("option", [AWS, GCP])
def test_terraform_is_the_language_and_buys_no_block(option: str, purchase: str) -> None:
    text = launch_text(_record(option, purchase_option=purchase), "terraform")
    content = hcl2.load(io.StringIO(text))
    kinds = {name.strip('"') for block in content["resource"] for name in block}
    assert kinds == {"aws_instance" if option == AWS else "google_compute_instance"}
    machine = json.dumps(content["resource"])
    assert ("p5.48xlarge" if option == AWS else "a3-highgpu-8g") in machine
    assert ("spot" in machine.lower()) == (purchase == "spot")
    assert ("aws_ec2_capacity_block_reservation" in text) == (option == AWS and purchase == "capacity_block")
    assert ("buy the commitment separately" in " ".join(text.replace("#", "").split())) == (purchase == "reserved_1y")


def test_a_name_fills_nothing_in_where_terraform_would() -> None:
    record = _record(model="me/${file(secret)}-%{if true}")
    record["options"] = [each for each in record["options"] if each["id"] == AWS]
    with pytest.raises(Exception, match="unknown model"):
        launch_text(record, "terraform")  # no such model: the plan could not have been made
    text = launch_text(_record(instance_type="p5${file(1)}%{if}"), "terraform")
    assert '"p5$${file(1)}%%{if}"' in text


def test_skypilot_is_held_to_the_price_and_follows_the_day() -> None:
    task = _yaml(launch_text(_record(), "skypilot"))
    price = next(each["price_usd_per_hour"] for each in _record()["options"] if each["id"] == AWS)
    assert task["resources"]["infra"] == "aws/us-east-1"
    assert task["resources"]["accelerators"] == "H100:8"
    assert task["resources"]["max_hourly_cost"] == pytest.approx(price * 1.1, abs=0.01)
    assert task["service"]["replicas"] == 1
    policy = _yaml(launch_text(_record(instance_count=7, spare_instance_count=1), "skypilot"))["service"][
        "replica_policy"
    ]
    assert policy["target_qps_per_replica"] == 10.0  # 60 at the busiest time, over the six that are no spares
    assert (policy["min_replicas"], policy["max_replicas"]) == (2, 7)


@pytest.mark.parametrize(("least", "machines"), [(0, 0), (12, 4)])
def test_skypilot_keeps_as_many_machines_as_the_stated_replicas_take(least: int, machines: int) -> None:
    record = _record(instance_count=7, spare_instance_count=1)
    record["workload"]["serve"] = SERVE | {"min_replicas": least}
    policy = _yaml(launch_text(record, "skypilot"))["service"]["replica_policy"]
    assert policy["min_replicas"] == machines


def test_work_that_ends_is_a_task_on_all_machines() -> None:
    record = _record(instance_count=2)
    record["workload"] |= {"kind": "pretrain", "pretrain": {"tokens_b": 100.0}}
    task = _yaml(launch_text(record, "skypilot"))
    assert task["num_nodes"] == 2
    assert "service" not in task
    assert "torchrun --nnodes=$SKYPILOT_NUM_NODES --nproc-per-node=8" in task["run"]
    assert _yaml(launch_text(record, "dstack"))["nodes"] == 2


def test_a_seller_that_a_tool_does_not_know_is_not_named_to_it() -> None:
    text = launch_text(_record(SCALEWAY), "skypilot")
    assert "infra" not in _yaml(text)["resources"]
    assert "SkyPilot knows no cloud called scaleway" in text
    assert "backends" not in _yaml(launch_text(_record(SCALEWAY), "dstack"))
    with pytest.raises(LaunchError, match="machines of scaleway have no configuration"):
        launch_text(_record(SCALEWAY), "terraform")


def test_dstack_scales_between_night_and_noon() -> None:
    service = _yaml(launch_text(_record(instance_count=7, spare_instance_count=1), "dstack"))
    assert (service["type"], service["replicas"], service["scaling"]) == (
        "service",
        "2..7",
        {"metric": "rps", "target": 10.0},
    )
    assert service["resources"]["gpu"] == {"name": "H100", "count": 8, "memory": "75GB.."}
    assert service["backends"] == ["aws"]


def test_what_cannot_be_started_says_why_and_names_what_can() -> None:
    for kind, words in (("api", "nothing to deploy"), ("buy", "have to be bought"), ("free", "by hand"), ("have", "there already")):  # fmt: skip
        record = _record(kind=kind)
        for target in TARGETS:
            with pytest.raises(LaunchError, match=words) as error:
                launch_text(record, target)
            assert "--option" in error.value.hint
            assert error.value.exit_status == 3
    with pytest.raises(LaunchError, match="no option 'nowhere'"):
        launch_text(_record(), "vllm", "nowhere")
    training = _record()
    training["workload"] |= {"kind": "finetune", "finetune": {"tokens_m": 50.0}}
    for target in ("vllm", "sglang", "kubernetes"):
        with pytest.raises(LaunchError, match="does not do this kind of work"):
            launch_text(training, target)


@pytest.mark.parametrize("model", ["Qwen/3-Qwen3_32B.v2", "x/" + "Qwen3-32B-" * 6, "y/Qwen3-32B--"])
def test_a_name_is_one_to_every_cluster_and_cloud(model: str) -> None:
    name = replace(deployment_of(_record()), checkpoint=model).name
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", name)


def test_every_checkpoint_belongs_to_a_known_model() -> None:
    assert set(checkpoints()) <= set(known_models())
    assert len(checkpoints()) > 0.8 * len(known_models())
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", name) for name in checkpoints().values())


def test_a_plan_that_was_written_is_launched_without_planning_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, task = tmp_path / "plan.json", tmp_path / "task.yaml"
    plan.write_text(json.dumps(_record()), encoding="utf-8")
    assert main(["launch", str(plan), "--to", "skypilot", "-o", str(task)]) == 0
    assert _yaml(task.read_text(encoding="utf-8"))["resources"]["infra"] == "aws/us-east-1"
    assert main(["launch", str(plan), "--to", "vllm", "--option", "own/8x-H100-SXM-server/colocation"]) == 3
    assert "have to be bought" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml") if "scenario" not in path.stem))
def test_every_example_is_launched_or_says_why_not(name: str, plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of(name), top=60)
    launched, refusals = 0, []
    for option in record["options"]:
        for target in TARGETS:
            try:
                text = launch_text(record, target, option["id"])
            except LaunchError as error:
                refusals.append(error.hint)
                continue
            launched += 1
            if target == "terraform":
                hcl2.load(io.StringIO(text))
            elif target not in {"vllm", "sglang"}:
                assert list(yaml.safe_load_all(text))
    assert launched
    assert all(refusals)


def test_a_plan_that_states_no_rates_is_launched_on_all_its_machines() -> None:
    record = _record(instance_count=3)
    del record["requirements"]["units_per_s"], record["requirements"]["peak_units_per_s"]
    assert _yaml(launch_text(record, "skypilot"))["service"]["replicas"] == 3
