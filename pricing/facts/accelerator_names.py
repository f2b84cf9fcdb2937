"""Names of accelerators: what the words that people, drivers and price lists use say, whether or not such a thing exists."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pricing.errors import PricingError

NOISE = frozenset(
    """
    nvidia amd intel google aws amazon habana geforce tesla instinct gpu gpus graphics card generation
    blackwell server workstation edition se wk ws tensor core cores cloud ac oam high freq freq. accelerator
    nvlink nvl36 nvl72 hbm3e the of modified
""".split()
)
"""Words of a name that tell no two accelerators apart."""

SYNONYMS = {
    "rtx6000pro": "rtxpro6000",
    "rtx4500pro": "rtxpro4500",
    "trn1": "trainium1",
    "trn2": "trainium2",
    "trn3": "trainium3",
    "inf2": "inferentia2",
    "tpuv5lite": "tpuv5e",
    "tpuv5litepod": "tpuv5e",
    "trillium": "tpuv6e",
    "ironwood": "tpuv7",
    "m4000": "quadrom4000",
    "spark": "gb10",
    "sparkgb10": "gb10",
    "strixhalo": "ryzenaimax395",
    "ryzenaimax395strixhalo": "ryzenaimax395",
    "jetsonorin": "jetsonagxorin",
    "jetsonthor": "jetsonagxthor",
    "rubin": "vr200",
    "vr200rubin": "vr200",
    "jetsonagxthort5000": "jetsonagxthor",
    "gaudihl205": "gaudi",
    "hl205": "gaudi",
    "station": "stationgb300",
    "arcb60": "arcprob60",
    "radeon7900xtx": "radeonrx7900xtx",
    "radeon7900xt": "radeonrx7900xt",
    "radeon9070xt": "radeonrx9070xt",
}
"""Other words for the same model, after noise and separators are gone."""

FORMS = {"pcie": "pcie", "nvl": "nvl", "hgx": "sxm", "dgx": "sxm"}
"""Words that tell a form factor."""

VENDORS = {
    "nvidia": "NVIDIA",
    "geforce": "NVIDIA",
    "amd": "AMD",
    "instinct": "AMD",
    "intel": "Intel",
    "habana": "Intel",
}
"""Makers that a name may state; clouds put their own names before anybody's chips."""

UNKNOWN_FORM = frozenset({"any", "unknown"})

EDITIONS = {
    "server": "server",
    "se": "server",
    "bse": "server",
    "s": "server",
    "workstation": "workstation",
    "ws": "workstation",
    "wk": "workstation",
    "we": "workstation",
}
"""Words that tell the edition of a card that is sold in several, which is its form."""

SOLD_IN_EDITIONS = frozenset({"rtxpro6000", "rtxpro4500"})


@dataclass(frozen=True, slots=True)
class Name:
    """What a name of an accelerator says.

    Attributes
    ----------
    model : str
        Letters and digits of the model alone (``rtxpro6000``, ``h100``).
    memory_gb : float or None
        Memory, where it is said.
    form : str
        ``sxm``, ``pcie``, ``nvl``, ``server`` or ``workstation`` (editions of one card), ``any`` where it is said to be unknown, or empty.
    vendor : str
        The maker, where it is said.
    """

    model: str
    memory_gb: float | None
    form: str
    vendor: str = ""


def read_name(text: str) -> Name:
    """Return what a name says, whether or not such an accelerator is known.

    Examples
    --------
    >>> read_name("NVIDIA A100-SXM4-80GB")
    Name(model='a100', memory_gb=80.0, form='sxm', vendor='NVIDIA')
    >>> read_name("NVIDIA H100 80GB HBM3").form  # what the driver calls the SXM module
    'sxm'
    """
    model: list[str] = []
    memory_gb: float | None = None
    form = memory_kind = vendor = ""
    words = re.split(r"[\s_\-/(),+]+", text.lower().strip())
    for word in words:
        vendor = VENDORS.get(word, vendor)
        if not word or word in NOISE:
            continue
        if size := re.fullmatch(r"(\d+(?:\.\d+)?)?g(?:i?b)?", word):
            if size[1]:
                memory_gb = float(size[1])
            elif model and model[-1].isdigit():  # "80 GB" in two words
                memory_gb = float(model.pop())
        elif re.fullmatch(r"sxm\d?", word):
            form = "sxm"
        elif word in FORMS or re.fullmatch(r"pcie\d?", word):
            form = FORMS.get(word, "pcie")
        elif word == "mega" and model == ["h100"]:
            form = "sxm"  # Google calls the H100 of its A3 Mega machines nvidia-h100-mega-80gb
        elif word in UNKNOWN_FORM:
            form = "any"
        elif word in {"hbm3", "hbm2e"}:
            memory_kind = word
        else:
            model.append(word)
    key = "".join(model)
    key = SYNONYMS.get(key, key)
    whole = next((card for card in SOLD_IN_EDITIONS if key in {card, *(card + edition for edition in EDITIONS)}), "")
    if whole:
        edition = EDITIONS.get(key.removeprefix(whole)) or next(
            (EDITIONS[word] for word in words if word in EDITIONS), ""
        )
        key, form = whole, edition or "any" * (form == "any")
    if key == "gh200" and memory_gb == 480:
        memory_gb = 96.0  # the driver's name counts the processor's memory: 96 GB HBM3 beside 480 GB LPDDR5X
    if not form and key == "h100" and memory_kind:
        form = "sxm" if memory_kind == "hbm3" else "pcie"
    return Name(key, memory_gb, form, vendor)


def split_count(text: str) -> tuple[str, float | None]:
    """Split ``h100:8``, ``8xH100`` or ``H100 x8`` into the name and how many.

    Returns
    -------
    tuple of str and (float or None)
        The name without the count; None where no count is said.

    Raises
    ------
    PricingError
        A count that is not above 0, or a fraction above 1 (slices are parts of one accelerator).

    Examples
    --------
    >>> split_count("8xH100"), split_count("l4:0.5"), split_count("RTX 4090")
    (('H100', 8.0), ('l4', 0.5), ('RTX 4090', None))
    """
    name, count = text.strip(), ""
    if match := re.fullmatch(r"(.*?)\s*:\s*([^:]*)", name):
        name, count = match[1], match[2]
    elif match := re.fullmatch(r"(\d+)(?:[x×*]|\s+[x×*](?=\s))\s*(\S.*)", name, re.IGNORECASE):
        name, count = match[2], match[1]
    elif match := re.fullmatch(r"(.*\S)\s+[x×*]\s*(\d+)|(.*\d)[x×*](\d+)", name, re.IGNORECASE):
        name, count = match[1] or match[3], match[2] or match[4]
    else:
        return name, None
    try:
        number = float(count)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e6 or (number > 1 and number != int(number)):
        raise PricingError(
            f"the number of accelerators must be a whole number from 1 to 999,999, or a part of one, got {count[:40]!r} in {text[:80]!r}"
        )
    return name, number
