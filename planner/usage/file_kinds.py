"""What a header says of the file below it: which kind of usage it is, or what it is that is not read."""

from __future__ import annotations

import re
from collections.abc import Iterable

KINDS = ("focus", "slurm", "dcgm", "plain")
FOCUS_SIGNS = {"chargeperiodstart", "chargecategory", "effectivecost", "billedcost", "billingcurrency"}
SCRAPE = re.compile(r"^# (?:HELP|TYPE) |^[a-z_:]+\{.*\} (?:[\d.e+-]+|=>.*)$", re.IGNORECASE)
SMI_HINT = "nvidia-smi --query-gpu=timestamp,index,name,utilization.gpu,power.draw --format=csv -l 60"
KNOWN_EXPORTS = (
    (re.compile(r"^[a-z_:]+\{.*\} =>", re.IGNORECASE), "it is an answer of promtool in words", "promtool query range -o json"),
    (SCRAPE, "it is one scrape in Prometheus' text format, and says of no time", "ask Prometheus for a range (/api/v1/query_range) and save its JSON"),
    (re.compile(r"lineitem/usagestartdate|line_item_usage_start_date", re.IGNORECASE), "it is a Cost and Usage Report without the columns that are read", "export FOCUS 1.2 with AWS Data Exports"),
    (re.compile(r"metercategory|metersubcategory", re.IGNORECASE), "it is an Azure cost export without the columns that are read", "create an export of type FOCUS in Cost Management"),
    (re.compile(r"lineitem/intervalusagestart|cost/mycost", re.IGNORECASE), "it is an Oracle cost report without the columns that are read", "take the FOCUS reports next to it (FOCUS Reports/...)"),
    (re.compile(r"^timestamp(,[^,]+)*,value$", re.IGNORECASE), "its series have no name: an expression (avg, sum) drops it", 'ask for the counter itself: DCGM_FI_DEV_GPU_UTIL, or {__name__=~"DCGM_FI_.*"}'),
    (re.compile(r"^\W?Time\W?,[^{}]*$"), "it is a Grafana table whose columns are legends and do not name a counter", "set the panel's legend to Verbose, so that a column is called DCGM_FI_DEV_GPU_UTIL{gpu=...}"),
    (re.compile(r"^Series\W+Time\W+Value"), "it is Grafana's old list of series", "export it as Series joined by time, with commas"),
    (re.compile(r"^_?runtime$|system\.gpu\.|^_step$", re.IGNORECASE), "it is a table of Weights & Biases", "export DCGM's counters from Prometheus, or write timestamp,gpus"),
    (re.compile(r'^\{"status": *"error"'), "it is an error of Prometheus, and no answer", "ask for less at a time, or with a longer step"),
    (re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+$"), "it is a log of nvidia-smi without the names of its columns", f"write it with them, or put them above: {SMI_HINT}"),
    (re.compile(r"NVIDIA-SMI|^<\?xml|^# gpu +(pwr|sm)|^\+-{60,}|^[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]+ \d{4}$|^#Entity "), "it is a picture of GPUs (nvidia-smi, dmon, dcgmi) that holds no times", f"{SMI_HINT}, or nvidia-smi dmon -o DT"),
    (re.compile(r"^GPU use \(%\)|^gfx_?activity|^GFX_UTIL", re.IGNORECASE), "it is a picture of AMD's GPUs that holds no times", "export the counters of AMD's device-metrics exporter from Prometheus, or write timestamp,gpus"),
    (re.compile(r"^Usage start date$|^Cost type$|^Invoice number\b"), "it is a table of Google's billing console, which has no hours of single machines", "export billing to BigQuery (detailed), and the month from there as Parquet"),
    (re.compile(r"^NAMESPACE +NAME +|^NAME +READY +STATUS"), "it is kubectl's table, which holds neither times nor accelerators", "kubectl get pods -A -o json"),
    (re.compile(r"^%PDF-"), "it is a PDF", "take the export that the invoice was made from: FOCUS, or the cost and usage report"),
    (re.compile(r"^<!DOCTYPE|^<html", re.IGNORECASE), "it is a web page, perhaps of a login", "download the export again"),
    (re.compile(r"^Obj\x01"), "it is Avro", "export it as Parquet or CSV"),
    (re.compile(r"^ORC(?![A-Za-z])"), "it is ORC", "export it as Parquet or CSV"),
    (re.compile(r"^\ufffd\ufffd\x11"), "it is a workbook of Excel before 2007 (.xls)", "save it as .xlsx or CSV UTF-8"),
    (re.compile(r"^apiVersion: *v1|^jobs: *$"), "it is YAML", "export it as JSON (-o json, --json)"),
    (re.compile(r"^cluster\|account\|login|^jobid partition|^jobid(?:raw)?$|^-{60,}$", re.IGNORECASE), "it is a list of Slurm's that does not hold when jobs ran and on what", "sacct -X -P -o JobID,Start,End,State,AllocTRES,ElapsedRaw,Partition,Account"),
)  # fmt: skip
"""Files that people bring and that are not read, and the way to the right ones."""
TIME = ("timestamp", "time", "hour", "date", "ts", "start", "windowstart", "starttime", "startdate", "starttimeutc")
END = ("end", "windowend", "until", "endtime", "enddate", "endtimeutc")
AMOUNT = ("gpus", "gpucount", "units", "accelerators", "numgpus", "ngpus", "gpunum")
HOURS = ("gpuhours", "acceleratorhours")
GPU = ("gpu", "accelerator", "gputype", "model", "gpumodel", "gpuname")
ACCOUNT = ("account", "team", "project", "cluster", "namespace", "user", "department")
"""What the columns of plain tables are called, as `folded` writes it."""


def folded(name: str) -> str:
    """Return a column's name without what spellings differ in.

    Examples
    --------
    >>> folded("ChargePeriodStart") == folded("charge_period_start") == folded("Charge Period Start")
    True
    """
    return re.sub(r"[^0-9a-z]", "", name.lower())


def kind_of_header(columns: Iterable[str]) -> str:
    """Return the kind of file that has these columns; empty where they fit none.

    Examples
    --------
    >>> kind_of_header(["ChargePeriodStart", "EffectiveCost"]), kind_of_header(["timestamp", "gpus"])
    ('focus', 'plain')
    """
    names = {name.strip().strip('"').lower() for name in columns}
    plain = {folded(name) for name in names}
    if len(plain & FOCUS_SIGNS) >= 2:
        return "focus"
    if "jobid" in names and names & {"reqtres", "allocgres", "reqgres", "tresalloc"}:
        return "slurm"
    if {"jobid", "elapsedraw"} <= names or ("alloctres" in names and names & {"jobid", "jobidraw"}):
        return "slurm"
    if (
        any("dcgm_fi_" in name or name.startswith("utilization.gpu") for name in names)
        or {"metric", "value"} <= names
        or {"__name__", "value"} <= names
    ):
        return "dcgm"
    is_plain = plain & {*TIME} and (plain & {*AMOUNT} or (plain & {*END} and plain & {*HOURS}))
    return "plain" if is_plain else ""


def known_export(columns: Iterable[str]) -> tuple[str, str] | None:
    """Return what a file is that is not read, and how to get one that is."""
    names = list(columns)
    texts = (*names, ",".join(names), "|".join(names))
    return next(
        ((what, hint) for sign, what, hint in KNOWN_EXPORTS if any(sign.search(t.strip()) for t in texts)), None
    )
