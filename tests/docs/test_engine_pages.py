"""What the pages on engines print works: addresses, commands, manifests; and no token is on a command line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from planner.engine.address import read_address
from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs" / "engines").glob("*.md"))
EVERY_PAGE = [ROOT / "docs" / "engines.md", *PAGES]
TOKEN = "v2.local.a/b+c=="


def _addresses(page: Path) -> list[str]:
    """Return what a shell makes of a page's addresses."""
    text = re.sub(r"\$\([^)]*\)", TOKEN, page.read_text(encoding="utf-8"))
    text = re.sub(r"\$\w+", "value", text).replace("=TOKEN", f"={TOKEN}")
    return [found for found in re.findall(r"sc://[^\s\"`)]+", text) if not found.startswith("sc://.")]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.stem)
def test_every_address_on_a_page_is_one_that_the_program_and_the_client_take(page: Path) -> None:
    client = pytest.importorskip("pyspark.sql.connect.client").DefaultChannelBuilder
    addresses = _addresses(page)
    assert addresses
    for text in addresses:
        address = read_address(text)
        built = client(address.uri)
        assert (address.kind, built.endpoint) == ("spark", f"{address.host}:{address.port}")
        sent = dict(built.metadata())
        assert built.use_ssl or address.host == "localhost", text
        assert "x-aws-proxy-auth" not in text or sent["x-aws-proxy-auth"] == TOKEN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_was_not_run_and_its_commands_are_shell(page: Path) -> None:
    assert "Not run on the platform itself. Tested: its form of address" in page.read_text(encoding="utf-8")
    commands = _blocks(page, "sh")
    assert any("gpuplan usage" in each for each in commands)
    for each in commands:
        subprocess.run(["bash", "-n"], input=each, text=True, check=True, capture_output=True, timeout=20)
        for line in each.splitlines():
            if line.lstrip().startswith("gpuplan"):
                assert "token" not in line.lower()
                assert "auth" not in line.lower()


def test_the_pod_is_a_server_of_the_client_s_version_and_knows_the_token() -> None:
    pyspark = pytest.importorskip("pyspark")
    (block,) = _blocks(ROOT / "docs" / "engines" / "kubernetes.md", "yaml")
    (server,) = yaml.safe_load(block)["spec"]["containers"]
    image, version = server["image"].split(":")
    assert image == "apache/spark"
    assert version.split(".")[:2] == pyspark.__version__.split(".")[:2]
    assert f"--conf=spark.kubernetes.container.image=apache/spark:{version}" in server["args"]
    assert f"--packages=org.apache.spark:spark-hadoop-cloud_2.13:{version}" in server["args"]
    variables = {each["name"]: each["valueFrom"] for each in server["env"]}
    assert variables["SPARK_CONNECT_AUTHENTICATE_TOKEN"]["secretKeyRef"] == {"name": "spark-connect", "key": "token"}
    assert {name for text in server["args"] for name in re.findall(r"\$\((\w+)\)", text)} <= set(variables)
