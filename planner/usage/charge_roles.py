"""What a row of a bill is: a machine, something charged on top of one, or neither."""

from __future__ import annotations

import re

COST_ROLES = frozenset(
    {"machine", "fee", "license", "software", "reservation", "purchase", "commitment", "host", "negation", "refund"}
)
"""Rows of these roles that name an accelerator are part of its cost; only a machine's carry hours."""
FEE_ROLES = ("fee", "license", "software")
"""What is charged on top of a machine, however that is paid for."""

SIGN_WORDS = (
    r"(?i)(negation|refund|surcharge|\bfee\b|licen[cs]|marketplace|software usage|per unused|per (?:[a-z]+ )?reservation"
    r"|capacity block|dedicated host|\bdbu|premium support|data transfer|\b\d{1,2} ?x (?:nvidia )?[abhl]\d{2,3}s?\b)"
)
"""What an engine looks for in a charge's description (its kind, or how many GPUs); all of it is too long to be grouped by."""
HARDWARE_WORDS = (
    r"(?i)(\bgpus?\b|\bnvidia|\btesla|\btrainium|\binferentia|\btpus?\b|\bgaudi|(?:\b|standard_)n[cdvg]c?\d+[a-z]*[\s_][\w\s]*v\d|\b[vb]m\.gpu"
    r"|\b(?:ml\.)?(?:p[2-9][a-z0-9-]*|g[3-9][a-z]*|gr\d[a-z]*|trn\d[a-z]*|inf\d|dl\d[a-z]*)\.(?:\d*x?large|metal|\d+xl\b)"
    r"|\b(?:a2|a3|a4|a4x|g2|g4)-[a-z]+|(?:\b|x|x\d)(?:[abhl]\d{2,3}s?|gb\d{3}|gh200|mi\d{3}x?|v100)(?:\b|x\d)|\brtx\b)"
)
"""Descriptions with these are of an accelerator, perhaps where nothing else says so; there are few kinds of them."""
OWN_NAMES = r"(?i)\b(?:[a-z]{1,4}-)?[0-9a-f]*\d[0-9a-f]{7,}[0-9a-f-]*\b"
"""What a description calls each resource by; a kind has none."""

CATEGORIES = {"Purchase": "purchase", "Tax": "tax", "Credit": "refund", "Adjustment": "refund"}
SIGNS = tuple(
    (role, re.compile(pattern, re.IGNORECASE))
    for role, pattern in (
        ("negation", r"negation"),
        ("commitment", r"\bcommitment v\d"),
        ("refund", r"\brefunds?\b"),
        (
            "support",
            r"\b(?:premium|business|enterprise|developer) support\b|^(?:aws |azure |google cloud )?support\b|\(support\)",
        ),
        ("license", r"(?<!bring your own )\blicen[cs](?:es?|ing)\b(?![- ]included)|computehr_sw|\bvm licenses?\b"),
        (
            "software",
            r"marketplace|software (?:usage|fee|charge)|\bsoftwareusage\b|\bnvidia (?:ai enterprise|omniverse|riva|vgpu|run:?ai)\b",
        ),
        (
            "fee",
            (
                r"surcharge|\bfees?\b|vertex ai\b.*\bmanagement\b|mapreduce|\bemr\b|dataproc|databricks|\bdbus?\b|eks-auto|auto ?mode|ecs-managed"
                r"|managed-?instances|elastic kubernetes|elastic container|ebsoptimized|detailed ?monitoring"
            ),
        ),
        ("storage", r"\b(?:snapshots?|ebs:|volumeusage|block storage|object storage|backup)"),
        ("transfer", r"data ?transfer|-bytes\b|\begress\b|\bbandwidth\b"),
        ("host", r"\bhostusage\b|dedicated ?hosts?\b(?! instance)"),
        ("reservation", r"(?:^|[\s|:-])(?:reservation|dedicatedres):|per (?:[a-z]+ )?reservation\b"),
    )
)
UNUSED = re.compile(r"\bunused(?:box|ded|reservation|capacity)|\bper unused|unused (?:capacity )?reservation", re.IGNORECASE)  # fmt: skip
ON_A_HOST = re.compile(r"hostboxusage", re.IGNORECASE)
GPU_SIGNS = re.compile(
    r"\bgpus?\b|\bnvidia\b|\baccelerator|\btrainium|\binferentia|\btpus?\b|\bgaudi|\bcapacity ?block"
    r"|\b(?:ml\.)?(?:p[2-9][a-z0-9-]*|g[3-9][a-z]*|gr\d[a-z]*|trn\d[a-z]*|inf\d|dl\d[a-z]*)\.(?:\d*x?large|metal|\d+xl\b)"
    r"|\b(?:a[2-9]x?|g[2-9])(?:ultra|plus|mega)? instance (?:core|ram)\b"
    r"|\b(?:standard_)?n[cdvg]c?\d+[a-z]*[\s_]|\b(?:vm|bm)\.gpu|\b(?:a2|a3|a4|a4x|g2|g4)-[a-z]+|\bct[3-7][a-z]*-"
    r"|\b(?:[abhl]\d{2,3}s?|gb\d{3}|gh200|mi\d{3}x?|v100|t4|rtx)(?:\b|x\d)(?!\s*instance core)"
    r"|\bn[cdvg]\w*v\d\w*[-_ ]?type ?\d|\becs\.(?:[a-z]*gn\d|vgn)|\b(?:gn\d{1,2}x?p?|pnv\d\w*)\.\d",
    re.IGNORECASE,
)
NO_GPU = re.compile(r"\bt4g\b|\b(?:a1|a2|b2|b20ms)\b(?! ?gpu| instance)(?![-])|\bmemory optimi", re.IGNORECASE)


def role_of(category: str, service: str, text: str) -> str:
    """Return what a row is.

    Parameters
    ----------
    category : str
        ``ChargeCategory``.
    service : str
        ``ServiceName``.
    text : str
        Meter, resource type, and what of the description matters.

    Returns
    -------
    str
        ``machine``, ``fee`` (on a machine that is billed elsewhere), ``license``, ``software``, ``reservation`` (the same
        hours again, or unused ones), ``host`` (a dedicated host under its instances), ``purchase``, ``commitment`` (what a
        commitment costs, beside the use that it covers), ``negation``,
        ``refund``, ``tax``, ``storage``, ``transfer`` or ``support``.

    Examples
    --------
    >>> role_of("Usage", "Amazon Elastic MapReduce", "BoxUsage:p5.48xlarge")
    'fee'
    >>> role_of("Usage", "Amazon Elastic Compute Cloud", "BoxUsage:p5.48xlarge")
    'machine'
    """
    if category in CATEGORIES:
        return CATEGORIES[category]
    said = f"{service} | {text}"
    if ON_A_HOST.search(said):
        return "machine"
    return next((role for role, sign in SIGNS if sign.search(said)), "machine")


def is_unused_capacity(text: str) -> bool:
    """Say whether a row is capacity that was reserved, paid and not used, by its own words (FOCUS 1.0 has no column)."""
    return UNUSED.search(text) is not None


def looks_like_gpu(text: str) -> bool:
    """Say whether words of a charge speak of an accelerator, known or not."""
    return GPU_SIGNS.search(NO_GPU.sub(" ", text)) is not None
