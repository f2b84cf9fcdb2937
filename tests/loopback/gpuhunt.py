"""gpuhunt's published catalogs on the loopback: a version and an archive for each seller, written by hand in their shape."""

from __future__ import annotations

import io
import zipfile

from pricing.clock import today
from tests.loopback.listed import FIXTURES
from tests.loopback.server import Answer, Ask, LoopbackServer

SELLERS = ("nebius", "cloudrift")


class GpuhuntCatalogs(LoopbackServer):
    def __init__(self) -> None:
        super().__init__()
        self.catalogs = {name: (FIXTURES / name / f"{name}.csv").read_text() for name in SELLERS}
        self.version = f"{today():%Y%m%d}"

    def settings(self) -> dict[str, str]:
        return {"GPUPLAN_GPUHUNT_URL": f"{self.url}/v3"}

    def answer(self, ask: Ask) -> Answer:
        for name, text in self.catalogs.items():
            if ask.path == f"/v3/{name}/version":
                return Answer(f"{self.version}\n".encode(), content_type="text/plain")
            if ask.path == f"/v3/{name}/{self.version}/catalog.zip":
                return Answer(zipped(name, text), content_type="application/zip")
        return Answer(b"<Error><Code>AccessDenied</Code></Error>", 403, "application/xml")


def zipped(name: str, text: str) -> bytes:
    """Return an archive as they are published: the seller's file alone."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(f"{name}.csv", text)
    return archive.getvalue()
