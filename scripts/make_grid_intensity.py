"""Make planner/facts/grid_intensity.csv from the data folder of an unpacked codecarbon package.

pip download --no-deps codecarbon && unzip codecarbon-*.whl
python scripts/make_grid_intensity.py codecarbon/data 2026-11-21
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

TARGET = Path(__file__).parents[1] / "planner" / "facts" / "grid_intensity.csv"
COLUMNS = ("place", "g_co2e_per_kwh", "basis", "year", "source", "source_url", "retrieved_on")
OWID = ("Our World in Data, carbon intensity of electricity, from Ember and Energy Institute (CC BY 4.0)",
        "https://ourworldindata.org/grapher/carbon-intensity-electricity")  # fmt: skip
ISO2 = dict(
    pair.split(":")
    for pair in [
        "ARE:AE",
        "ARG:AR",
        "AUS:AU",
        "AUT:AT",
        "BEL:BE",
        "BGD:BD",
        "BGR:BG",
        "BHR:BH",
        "BOL:BO",
        "BRA:BR",
        "CAN:CA",
        "CHE:CH",
        "CHL:CL",
        "CHN:CN",
        "COL:CO",
        "CYP:CY",
        "CZE:CZ",
        "DEU:DE",
        "DNK:DK",
        "DZA:DZ",
        "ECU:EC",
        "EGY:EG",
        "ESP:ES",
        "EST:EE",
        "ETH:ET",
        "FIN:FI",
        "FRA:FR",
        "GBR:GB",
        "GHA:GH",
        "GRC:GR",
        "HKG:HK",
        "HRV:HR",
        "HUN:HU",
        "IDN:ID",
        "IND:IN",
        "IRL:IE",
        "ISL:IS",
        "ISR:IL",
        "ITA:IT",
        "JPN:JP",
        "KAZ:KZ",
        "KEN:KE",
        "KOR:KR",
        "KWT:KW",
        "LKA:LK",
        "LTU:LT",
        "LUX:LU",
        "LVA:LV",
        "MAR:MA",
        "MEX:MX",
        "MKD:MK",
        "MLT:MT",
        "MYS:MY",
        "NGA:NG",
        "NLD:NL",
        "NOR:NO",
        "NZL:NZ",
        "OMN:OM",
        "PAK:PK",
        "PER:PE",
        "PHL:PH",
        "POL:PL",
        "PRT:PT",
        "PRY:PY",
        "QAT:QA",
        "ROU:RO",
        "RUS:RU",
        "SAU:SA",
        "SGP:SG",
        "SRB:RS",
        "SVK:SK",
        "SVN:SI",
        "SWE:SE",
        "THA:TH",
        "TUN:TN",
        "TUR:TR",
        "TWN:TW",
        "UKR:UA",
        "URY:UY",
        "USA:US",
        "VNM:VN",
        "ZAF:ZA",
    ]
)


def rows(data: Path, retrieved_on: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    countries = json.loads((data / "private_infra" / "global_energy_mix.json").read_text(encoding="utf-8"))
    for iso3, country in countries.items():
        if iso3 in ISO2 and country.get("carbon_intensity"):
            intensity = round(country["carbon_intensity"], 1)
            found.append((ISO2[iso3], intensity, "life_cycle", country["year"], *OWID, retrieved_on))
    # Weighted by what each country generates, so that "somewhere in the world" has a value too.
    known = [c for c in countries.values() if c.get("carbon_intensity") and c.get("total_TWh")]
    world = sum(c["carbon_intensity"] * c["total_TWh"] for c in known) / sum(c["total_TWh"] for c in known)
    found.append(("World", round(world, 1), "life_cycle", 2023, *OWID, retrieved_on))
    return sorted(found, key=lambda row: str(row[0]))


def main() -> None:
    data, retrieved_on = Path(sys.argv[1]), sys.argv[2]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(data, retrieved_on))
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
