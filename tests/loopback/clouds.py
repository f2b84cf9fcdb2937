"""All clouds at once, and the settings that lead a refresh to them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from tests.loopback.aws import AwsCloud
from tests.loopback.azure import AzureCloud
from tests.loopback.gcp import GcpCloud
from tests.loopback.gpuhunt import SELLERS, GpuhuntCatalogs
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.listed import listed
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import LoopbackServer

CLOUDS: dict[str, type[LoopbackServer]] = {
    "aws": AwsCloud,
    "gcp": GcpCloud,
    "azure": AzureCloud,
    "runpod": RunpodCloud,
    "lambda": LambdaCloud,
    **listed(),
    **dict.fromkeys(SELLERS, GpuhuntCatalogs),
}
"""Provider to its cloud."""


class Clouds:
    """All clouds, running while the context lasts."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.by_name: dict[str, LoopbackServer] = {}

    def __enter__(self) -> Self:
        self.by_name = {name: self._stack.enter_context(cloud()) for name, cloud in CLOUDS.items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> LoopbackServer:
        return self.by_name[name]

    def settings(self) -> dict[str, str]:
        return {key: value for cloud in self.by_name.values() for key, value in cloud.settings().items()}
