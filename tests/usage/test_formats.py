"""Records in every form in which people hold them say the same."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.report.notes import note_texts
from planner.usage.counters.hours import read_dcgm
from planner.usage.machine_types import slice_of
from planner.usage.plain import read_plain
from planner.usage.records import Records
from planner.usage.slurm import read_slurm
from planner.usage.sources import find_sources
from tests.usage.conftest import load_cases

READERS: dict[str, Any] = {"slurm": read_slurm, "dcgm": read_dcgm, "plain": read_plain}


def _read(path: Path, text: str | bytes, kind: str, **options: Any) -> Records:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    work = path.parent / "work"
    work.mkdir(exist_ok=True)
    sources, faults = find_sources([str(path)], folder=work)
    assert faults == []
    assert [source.kind for source in sources] == [kind]
    records: Records = READERS[kind](sources, **options)
    return records


def _hours(records: Records) -> dict[str, float]:
    return records.table.by("basis", "gpu_hours")


TRES = "cpu=8,gres/gpu:a100=2,gres/gpu=2"
JOB = f"1|2026-10-01T00:00:00|2026-10-01T02:00:00|COMPLETED|{TRES}|7200"
HEAD = "JobID|Start|End|State|AllocTRES|ElapsedRaw"
WIDE = f"{'JobID':<12} {'Start':>19} {'End':>19} {'State':>10} {'AllocTRES':>40}"
SACCT: dict[str, str | bytes] = {
    "with bars": f"{HEAD}\n{JOB}\n",
    "with a closing bar, as requested": f"{HEAD.replace('Alloc', 'Req')}|\n{JOB}|\n",
    "with commas": f"{HEAD.replace('|', ',')}\n{JOB.replace(TRES, chr(34) + TRES + chr(34)).replace('|', ',')}\n",
    "with commas and no quotes": f"{HEAD.replace('|', ',')}\n{JOB.replace('|', ',')}\n",
    "in columns": f"{WIDE}\n{'-' * 12} {'-' * 19} {'-' * 19} {'-' * 10} {'-' * 40}\n"
    f"{'1':<12} {'2026-10-01T00:00:00':>19} {'2026-10-01T02:00:00':>19} {'COMPLETED':>10} {TRES:>40}\n",
    "with semicolons": f"{HEAD}\n{JOB}\n".replace("|", ";"),
    "with carets": f"{HEAD}\n{JOB}\n".replace("|", "^"),
    "by its raw number and Elapsed": f"{HEAD}\n{JOB}\n".replace("JobID", "JobIDRaw").replace("|End|", "|End at|").replace("ElapsedRaw", "Elapsed").replace("7200", "02:00:00"),
    "exported twice": f"{HEAD}\n{JOB}\n{JOB}\n",
    "exported while it ran, and later": f"{HEAD}\n{JOB.replace('2026-10-01T02:00:00|COMPLETED', 'Unknown|RUNNING').replace('7200', '3600')}\n{JOB}\n",
    "as squeue's JSON": json.dumps({"jobs": [{"job_id": 1, "job_state": ["COMPLETED"], "start_time": {"number": 1790812800, "set": True}, "end_time": {"number": 1790820000, "set": True}, "tres_alloc_str": TRES}]}),
    "in UTF-16 without its mark": f"{HEAD}\n{JOB}\n".encode("utf-16-le"),
    "in UTF-16": f"{HEAD}\n{JOB}\n".encode("utf-16"),
    "without a header, in seconds": f"1|1790812800|1790820000|COMPLETED|billing=1,{TRES}|7200\n",
    "as JSON": json.dumps({"jobs": [{"job_id": 1, "state": {"current": ["COMPLETED"]}, "time": {"start": 1790812800, "end": {"number": 1790820000, "set": True}, "elapsed": 7200},
        "tres": {"allocated": [{"type": "gres", "name": "gpu", "count": 2}, {"type": "gres", "name": "gpu:a100", "count": 2}]}}]}),
}  # fmt: skip


@pytest.mark.parametrize("form", SACCT)
def test_sacct_says_the_same_in_every_form(tmp_path: Path, form: str) -> None:
    records = _read(tmp_path / "jobs", SACCT[form], "slurm")
    assert _hours(records) == pytest.approx({"allocated": 4.0})
    assert list(records.table.by("gpu", "gpu_hours")) == ["a100"]


POD = {"kind": "Pod", "metadata": {"name": "p", "namespace": "ml"}, "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}]},
    "status": {"startTime": "2026-10-01T00:00:00Z", "containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-10-01T02:00:00Z"}}}]}}  # fmt: skip
HOLDERS = {
    "pods of kubectl": {"kind": "List", "items": [POD, {"metadata": {"name": "no GPU"}, "spec": {"containers": [{}]}}]},
    "one pod": POD,
    "a pod with TPUs": json.loads(json.dumps(POD).replace("nvidia.com/gpu", "google.com/tpu")),
    "Ray's tasks": [{"task_id": "t", "required_resources": {"GPU": 2.0}, "start_time_ms": 1790812800000, "end_time_ms": 1790820000000}],
    "Ray's answer": {"result": True, "data": {"result": {"total": 1, "result": [{"actor_id": "a", "required_resources": {"GPU": 2.0}, "start_time_ms": 1790812800000, "end_time_ms": 1790820000000}]}}},
    "Kubecost's, beside what no pod held": {"data": [{name: {"name": name, "start": "2026-10-01T00:00:00Z", "end": "2026-10-01T02:00:00Z", "gpuHours": 4} for name in ("p", "__idle__")}]},
    "Ray's jobs": [{"submission_id": "r", "start_time": 1790812800000, "end_time": 1790820000000, "entrypoint_num_gpus": 2}],
}  # fmt: skip


@pytest.mark.parametrize("form", HOLDERS)
def test_what_held_accelerators_and_has_ended_is_read(tmp_path: Path, form: str) -> None:
    records = _read(tmp_path / "holders.json", json.dumps(HOLDERS[form]), "plain")
    assert _hours(records) == pytest.approx({"allocated": 4.0})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('"Time","GPU 0","GPU 1"\n2026-10-01 00:00:00,1,2\n', "Grafana"),
        (json.dumps({"status": "success", "data": {"result": [{"metric": {"gpu": "0"}, "values": [[1790812800, "5"]]}]}}), "have no name"),
    ],
)  # fmt: skip
def test_what_names_no_counter_says_how_to_export_one_that_does(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "export").write_text(text)
    sources, faults = find_sources([str(tmp_path / "export")], folder=tmp_path)
    assert not sources
    assert what in faults[0].what
    assert "DCGM_FI_DEV_GPU_UTIL" in faults[0].hint


def test_lines_without_a_header_are_read_by_the_columns_that_are_told(tmp_path: Path) -> None:
    line = f"{TRES}|2026-10-01T00:00:00|1|2026-10-01T02:00:00|2026-09-30T00:00:00\n"
    records = _read(tmp_path / "jobs", line, "slurm", columns=["AllocTRES", "Start", "JobID", "End", "Submit"])
    assert _hours(records) == pytest.approx({"allocated": 4.0})


RECORDS = load_cases().record_cases()


@pytest.mark.parametrize("name", RECORDS)
def test_every_hour_of_a_record_counts_once(tmp_path: Path, name: str) -> None:
    case = RECORDS[name]
    # Counters say of themselves what time is theirs.
    records = _read(tmp_path / "records", case.text, case.kind, timezone=case.timezone or "UTC")
    assert {basis: hours for basis, hours in _hours(records).items() if hours} == pytest.approx(case.gpu_hours)
    assert records.faults == ()


@pytest.mark.parametrize(
    ("start", "end", "elapsed", "hours"),
    [
        ("2026-10-25T02:30:00", "2026-10-25T03:30:00", 3600, 1),
        ("2026-10-25T02:30:00", "2026-10-25T03:30:00", 7200, 2),
        ("2026-10-25T01:30:00", "2026-10-25T02:30:00", 7200, 2),
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00", 3600, 1),
        ("2026-10-25T01:00:00", "2026-10-25T04:00:00", 14400, 4),
    ],
)
def test_in_the_hour_that_comes_twice_a_job_ran_as_long_as_slurm_says(
    tmp_path: Path, start: str, end: str, elapsed: int, hours: float
) -> None:
    text = f"{HEAD}\n1|{start}|{end}|COMPLETED|gres/gpu=1|{elapsed}\n"
    assert _hours(_read(tmp_path / "jobs", text, "slurm", timezone="Europe/Berlin")) == pytest.approx(
        {"allocated": hours}
    )


@pytest.mark.parametrize(
    ("kind", "gpu", "share"),
    [("1g.10gb", "", 1 / 7), ("a100_3g.20gb", "a100", 3 / 7), ("nvidia_h100_2g.20gb", "h100", 2 / 7), ("7g.80gb", "", 1),
     ("a30_1g.6gb", "a30", 1 / 4), ("2g.12gb", "a30", 1 / 2), ("1g.10gb+me", "", 1 / 7)],
)  # fmt: skip
def test_a_slice_is_its_part_of_an_accelerator(kind: str, gpu: str, share: float) -> None:
    found = slice_of(kind)
    assert found is not None
    assert found[0] == gpu
    assert found[1] == pytest.approx(share)


def test_jobs_on_slices_hold_parts_of_accelerators(tmp_path: Path) -> None:
    text = f"{HEAD}\n1|2026-10-01T00:00:00|2026-10-01T07:00:00|COMPLETED|gres/gpu:1g.10gb=1,gres/gpu=1|25200\n2|2026-10-01T00:00:00|2026-10-01T07:00:00|COMPLETED|gres/gpu:a100_3g.20gb=2,gres/gpu=2|25200\n"
    records = _read(tmp_path / "jobs", text, "slurm")
    assert _hours(records) == pytest.approx({"allocated": 1 + 6})
    assert any("slices" in note for note in note_texts(records.notes))


COUNTERS = {
    "Grafana's CSV": 'Time,"{__name__=""DCGM_FI_DEV_GPU_UTIL"", gpu=""0"", Hostname=""n"", modelName=""T4""}"\n1790812800000,50 %\n1790816400000,50 %\n',
    "Grafana's CSV for Excel": 'sep=;\n"Time";"{__name__=""DCGM_FI_DEV_GPU_UTIL"", gpu=""0"", modelName=""T4""}"\n1790812800000;50,0\n1790816400000;50,0\n',
    "nvidia-smi dmon's log": "#Date       Time        gpu    pwr     sm\n#YYYYMMDD   HH:MM:SS    Idx      W      %\n 20261001   00:00:00      0     70     50\n 20261001   01:00:00      0     70     50\n",
    "Prometheus' text with times": "".join(f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",modelName="T4"}} 50 {at}000\n' for at in (1790812800, 1790816400)),
    "promtool's dump": "".join(f'{{__name__="DCGM_FI_DEV_GPU_UTIL", gpu="0", modelName="T4"}} 50 {at}000\n' for at in (1790812800, 1790816400)),
    "VictoriaMetrics' export": "".join(json.dumps({"metric": {"__name__": name, "gpu": "0", "modelName": "T4"}, "values": [50, 50], "timestamps": [1790812800000, 1790816400000]}) + "\n" for name in ("DCGM_FI_DEV_GPU_UTIL", "other")),
    "another exporter's counter": json.dumps({"data": {"result": [{"metric": {"__name__": "nvidia_smi_utilization_gpu_ratio", "uuid": "0", "modelName": "T4"}, "values": [[1790812800, "0.5"], [1790816400, "0.5"]]}]}}),
    "nvidia-smi's log": "timestamp, index, name, utilization.gpu [%], power.draw [W]\n2026/10/01 00:00:00.642, 0, T4, 50 %, [N/A]\n2026/10/01 01:00:00.642, 0, T4, 50 %, 70 W\n",
    "Prometheus' JSON": json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "DCGM_FI_DEV_GPU_UTIL", "gpu": "0", "modelName": "T4"}, "values": [[1790812800, "50"], [1790816400, "50"]]}]}}),
}  # fmt: skip


@pytest.mark.parametrize("form", COUNTERS)
def test_counters_say_the_same_in_every_form(tmp_path: Path, form: str) -> None:
    records = _read(tmp_path / "counters", COUNTERS[form], "dcgm")
    assert _hours(records) == pytest.approx({"present": 2.0, "busy": 1.0})
    assert list(records.table.by("gpu", "gpu_hours")) == ["" if "dmon" in form else "T4"]


LABELS = "timestamp,metric,gpu,UUID,modelName,GPU_I_ID,GPU_I_PROFILE,pod,namespace,value"


@pytest.mark.parametrize("order", [1, -1])
def test_slices_of_one_accelerator_are_parts_of_it_in_any_order(tmp_path: Path, order: int) -> None:
    lines = [
        f"2026-10-01T0{hour}:00:00Z,DCGM_FI_PROF_GR_ENGINE_ACTIVE,0,G,A100-SXM4-80GB,{number},3g.40gb,p{number},a,{busy}"
        for hour in (0, 1)
        for number, busy in ((1, 1.0), (2, 0.0))
    ]
    records = _read(tmp_path / "counters", "\n".join([LABELS, *lines[::order]]), "dcgm")
    assert _hours(records) == pytest.approx({"present": 2.0, "allocated": 12 / 7, "busy": 6 / 7})


def test_pods_that_share_an_accelerator_share_its_hours(tmp_path: Path) -> None:
    lines = [
        f"2026-10-01T0{hour}:00:00Z,DCGM_FI_DEV_GPU_UTIL,0,G,T4,,,{pod},{pod},50" for hour in (0, 1) for pod in "ab"
    ]
    records = _read(tmp_path / "counters", "\n".join([LABELS, *lines]), "dcgm")
    assert _hours(records) == pytest.approx({"present": 2.0, "allocated": 2.0, "busy": 1.0})
    held = records.table.equals("basis", "allocated")
    assert records.table.by("account", "gpu_hours", held) == pytest.approx({"a": 1.0, "b": 1.0})


PLAIN = {
    "two users": ("timestamp,gpus,user\n2026-10-01T00:00Z,4,a\n2026-10-01T00:00Z,8,b\n2026-10-01T01:00Z,4,a\n2026-10-01T01:00Z,8,b\n", 24),
    "two users by number": ("timestamp,gpus,uid\n2026-10-01T00:00Z,4,1\n2026-10-01T00:00Z,8,2\n2026-10-01T01:00Z,4,1\n2026-10-01T01:00Z,8,2\n", 24),
    "OpenCost's days": ("Date,Namespace,Pod,GPUs,TotalCost\n2026-10-01,a,p,2,1.5\n2026-10-01,a,q,4,1.5\n", 144),
    "OpenCost's windows": (json.dumps({"code": 200, "data": [{"p": {"properties": {"namespace": "a"}, "start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z", "gpuHours": 36}}]}), 36),
}  # fmt: skip


@pytest.mark.parametrize("form", PLAIN)
def test_lines_of_one_time_add_up(tmp_path: Path, form: str) -> None:
    text, hours = PLAIN[form]
    assert _hours(_read(tmp_path / "table", text, "plain")) == pytest.approx({"allocated": hours})


def test_an_archive_and_a_workbook_are_read_as_what_they_hold(tmp_path: Path) -> None:
    import xlsxwriter

    text = PLAIN["two users"][0]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inside/table.csv", text)
    with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as packed:
        packed.write(text.encode())
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(text.splitlines()):
            sheet.write_row(number, 0, line.split(","))
    for name in ("a.zip", "a.csv.zst", "a.xlsx"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        records = _read(folder / name, (tmp_path / name).read_bytes(), "plain")
        assert _hours(records) == pytest.approx({"allocated": 24.0}), name


@pytest.mark.parametrize("unit", ["s", "ns"])
@pytest.mark.parametrize("is_given", [False, True])
def test_records_as_parquet_say_the_same(tmp_path: Path, unit: str, is_given: bool) -> None:
    begin, end = (datetime(2026, 10, 1, hour, tzinfo=UTC) for hour in (0, 2))
    times = pa.timestamp(unit, "UTC")
    columns = {
        "start": pa.array([begin, begin], times), "end": pa.array([end, end], times), "gpus": [1, 3], "labels": [["x"], []],
        "gpu": pa.array(["H100-SXM", "H100-SXM"]).dictionary_encode(), "team": ["a, b", 'c "d"'],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "held.parquet")
    sources, faults = find_sources([str(tmp_path / "held.parquet")], kind="plain" * is_given, folder=tmp_path)
    assert faults == []
    records = read_plain(sources)
    assert records.table.by("gpu", "gpu_hours") == {"H100-SXM": 8.0}
    assert records.table.by("account", "gpu_hours") == {"a, b": 2.0, 'c "d"': 6.0}


def _zipped(text: bytes, name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
    return packed.getvalue()


DOCUMENT = json.dumps(HOLDERS["one pod"]).encode()
TABLE = io.BytesIO()
pq.write_table(pa.table({"start": ["2026-10-01T00:00:00Z"], "end": ["2026-10-01T02:00:00Z"], "gpus": [2]}), TABLE)
PACKED = {
    "Parquet in gz": gzip.compress(TABLE.getvalue()),
    "a document in gz": gzip.compress(DOCUMENT),
    "a document in a zip": _zipped(DOCUMENT, "pods.json"),
    "a document in gz in a zip": _zipped(gzip.compress(DOCUMENT), "pods.json.gz"),
    "a document as PowerShell writes it": DOCUMENT.decode().encode("utf-16"),
    "that without its mark": DOCUMENT.decode().encode("utf-16-le"),
    "that in the other order": DOCUMENT.decode().encode("utf-16-be"),
    "that in gz": gzip.compress(DOCUMENT.decode().encode("utf-16")),
}


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize("is_piped", [False, True])
def test_what_is_packed_is_read_as_what_it_is(
    tmp_path: Path, form: str, is_piped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(PACKED[form])
    with (tmp_path / "file").open() as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        sources, faults = find_sources(["-" if is_piped else str(tmp_path / "file")], folder=tmp_path)
    assert faults == []
    assert _hours(read_plain(sources)) == pytest.approx({"allocated": 4.0})


def test_a_folder_of_documents_alone_is_read_and_a_manifest_beside_a_table_is_not(tmp_path: Path) -> None:
    bill, work = tmp_path / "bill", tmp_path / "work"
    bill.mkdir()
    work.mkdir()
    (bill / "pods.json").write_bytes(DOCUMENT)
    sources, faults = find_sources([str(bill)], folder=work)
    assert faults == []
    assert _hours(read_plain(sources)) == pytest.approx({"allocated": 4.0})
    (bill / "table.csv").write_text("timestamp,gpus\n2026-10-01T00:00:00Z,1\n", encoding="utf-8")
    sources, faults = find_sources([str(bill)], folder=work)
    assert (faults, [Path(source.name).name for source in sources]) == ([], ["table.csv"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('# HELP DCGM_FI_DEV_GPU_UTIL x\nDCGM_FI_DEV_GPU_UTIL{gpu="0"} 5\n', "query_range"),
        ("identity/LineItemId,lineItem/UsageStartDate\na,b\n", "FOCUS"),
        ("_runtime,system.gpu.0.gpu\n1,2\n", "DCGM"),
        ('DCGM_FI_DEV_GPU_UTIL{gpu="0"} => 5 @[1790812800]\n', "range -o json"),
        (f"Thu Oct  1 00:00:00 2026       \n+{'-' * 89}+\n| NVIDIA-SMI 550.54.15 |\n", "--query-gpu"),
        ("#Entity   GPUTL  POWER\nID              \nGPU 0     50     300\n", "--query-gpu"),
        (f"{'-' * 80}\nCluster/Account/User Utilization 2026-10-01T00:00:00\n", "sacct"),
        ("JobID,Start,End\n1,2026-10-01T00:00:00,2026-10-01T02:00:00\n", "AllocTRES"),
        ("Invoice number: 1\nInvoice date: 2026-10-01\n", "BigQuery"),
        ("%PDF-1.7\n%\u00e2\u00e3\n", "the invoice was made from"),
        ("<!DOCTYPE html><html><body>Sign in</body></html>", "download"),
        (b"Obj\x01\x04\x14avro.codec\x08null\x16avro.schema\x00", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ".xlsx"),
    ],
)
def test_a_file_that_is_known_and_not_read_says_how_to_export_the_right_one(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    (tmp_path / "file").write_bytes(text if isinstance(text, bytes) else text.encode())
    sources, faults = find_sources([str(tmp_path / "file")], folder=tmp_path)
    assert sources == []
    assert words in faults[0].hint


@pytest.mark.parametrize("is_zip", [True, False])
def test_words_beside_documents_do_not_hide_them(is_zip: bool, tmp_path: Path) -> None:
    bill, work = tmp_path / "bill", tmp_path / "work"
    bill.mkdir()
    work.mkdir()
    files = {"pods.json": DOCUMENT, "README.txt": b"hello\n", "terms.txt": b"of use\n"}
    for name, content in files.items():
        (bill / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "bill.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    sources, faults = find_sources([str(tmp_path / "bill.zip" if is_zip else bill)], folder=work)
    assert _hours(read_plain(sources)) == pytest.approx({"allocated": 4.0})
    assert [fault.where.replace("!", "/").rsplit("/", 1)[-1] for fault in faults] == ["terms.txt"]


@pytest.mark.parametrize(
    ("content", "what", "line"),
    [
        (DOCUMENT[:-40], "JSON that is cut off", 1),
        (b'[{"a": "' + b"x" * 200_000, "JSON that is cut off", 1),
        (b'{"a": 1}\n{"a": 2}\n{"a"', "JSON that is cut off", 3),
        (bytes(range(128, 256)) * 9, "no text in UTF-8, no Parquet and no archive", 1),
    ],
)  # fmt: skip
def test_what_is_cut_off_or_no_text_is_called_so(content: bytes, what: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    sources, faults = find_sources([str(tmp_path / "file")], folder=tmp_path)
    assert sources == []
    assert [(what in fault.what, fault.where) for fault in faults] == [(True, f"{tmp_path / 'file'}:{line}")]
