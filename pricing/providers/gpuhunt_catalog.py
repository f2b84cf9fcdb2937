"""gpuhunt's published catalogs: a file of prices for each seller, made anew each day, for the sellers without an adapter of their own.

The files are read as they are published (``{seller}/version``, ``{seller}/{version}/catalog.zip``), so that they come with the
retries, time limits and whole answers of every other source. Prices are as old as the catalog's version says.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from pricing.clock import utc_now
from pricing.providers.catalog_files import catalog_rows
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import read_parts
from pricing.providers.http import Http
from pricing.providers.pool import side_by_side

URL: Final = "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3"
PART: Final = "gpuhunt"
VERSION: Final = "gpuhunt-1"
MOST_BYTES: Final = 1 << 27

_VERSION: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[-.][\w.-]*)?")


def published(seller: str) -> Provider:
    """Return the adapter of a seller whose prices gpuhunt publishes under the same name."""

    def fetch(request: Request) -> Iterator[Fetched]:
        """Ask for the version, and bring that catalog."""
        base = request.endpoint("GPUPLAN_GPUHUNT_URL", URL)
        return side_by_side(request, {PART: lambda: [_page(request, base, seller)]})

    def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
        """Read the rows into offers of the catalog's day."""
        return read_parts(pages, lambda pages_of_part: (row for page in pages_of_part for row in _offers(page, seller)))

    return Provider(
        name=seller,
        version=VERSION,
        fetch=fetch,
        normalize=normalize,
        endpoints={"GPUPLAN_GPUHUNT_URL": URL},
    )


def _page(request: Request, base: str, seller: str) -> RawPage:
    version_file, archive = request.spool / f"{seller}-version", request.spool / f"{seller}.zip"
    with Http(request) as http:
        http.download(f"{base}/{seller}/version", version_file)
        version = version_file.read_text("utf-8", "replace").strip()
        if not _VERSION.fullmatch(version):
            raise SourceError(f"the version is {version[:40]!r}, which is no day", reason="shape", where=base)
        url = f"{base}/{seller}/{version}/catalog.zip"
        http.download(url, archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            named = next(
                name
                for name in (f"{seller}.csv", *opened.namelist())
                if name in opened.namelist() and name.endswith(".csv")
            )
            if opened.getinfo(named).file_size > MOST_BYTES:
                raise SourceError("the catalog is larger than 128 MiB", reason="shape", where=url)
            text = opened.read(named).decode("utf-8-sig")
    except (zipfile.BadZipFile, StopIteration, KeyError, UnicodeDecodeError) as error:
        raise SourceError(f"no catalog can be read from the archive: {error}", reason="shape", where=url) from error
    return RawPage(part=PART, kind=version, body=text, url=url, fetched_at=utc_now())


def _offers(page: RawPage, seller: str) -> Iterator[Normalized]:
    version = _VERSION.fullmatch(page.kind)
    if version is None:
        raise ValueError(f"{page.kind!r} is no version")
    observed_on = date(*(int(part) for part in version.groups()))
    return catalog_rows(page.body, seller=seller, observed_on=observed_on, version=VERSION, part=page.part)


NEBIUS, CLOUDRIFT = published("nebius"), published("cloudrift")
