"""A cluster's own records: what a job held, what an accelerator did, and what a plain table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.report.notes import note_texts
from planner.usage import records as records_module
from planner.usage.counters.hours import read_dcgm
from planner.usage.faults import UsageError
from planner.usage.plain import read_plain
from planner.usage.records import Records, Stretch, records_of
from planner.usage.slurm import gpus_of_tres, read_slurm
from planner.usage.sources import Source, find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled


def _sources(tmp_path: Path, name: str, text: str) -> list[Source]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    sources, faults = find_sources([str(path)], folder=tmp_path)
    assert faults == []
    return sources


def _hours(records: Records, basis: str) -> float:
    return records.table.total("gpu_hours", records.table.equals("basis", basis))


SACCT = """\
JobID|Start|End|State|AllocTRES|ElapsedRaw|Partition|Account
100|2026-10-01T00:30:00|2026-10-01T02:30:00|COMPLETED|billing=96,cpu=96,gres/gpu:h100=8,gres/gpu=8,node=1|7200|gpu|ml
100.batch|2026-10-01T00:30:00|2026-10-01T02:30:00|COMPLETED|cpu=96,gres/gpu:h100=8,gres/gpu=8|7200|gpu|ml
100.0|2026-10-01T00:30:00|2026-10-01T02:30:00|COMPLETED|cpu=96,gres/gpu=8|7200|gpu|ml
101_1|2026-10-01T01:00:00|2026-10-01T02:00:00|CANCELLED by 1001|cpu=8,gres/gpu=2,gres/gpuutil=50|3600|gpu|bio
101_[2-9]|Unknown|Unknown|PENDING|cpu=8,gres/gpu=2|0|gpu|bio
102|2026-10-01T01:00:00|Unknown|RUNNING|cpu=8,gres/gpu=1|5400|gpu|bio
103|2026-10-01T01:00:00|2026-10-01T09:00:00|COMPLETED|cpu=64,node=1|28800|cpu|bio
"""


def test_jobs_hold_their_accelerators_and_steps_none_again(tmp_path: Path) -> None:
    records = read_slurm(_sources(tmp_path, "sacct.txt", SACCT), timezone="UTC")
    # 8 GPUs for 2 h, 2 for 1 h, and 1 for the hour and a half that it has run.
    assert records.table.by("account", "gpu_hours") == {"ml": 16.0, "bio": 3.5}
    first = int(records.table.hour.min())
    assert records.table.level("gpu_hours", first, 3).tolist() == [4.0, 11.0, 4.5]
    assert records.table.by("gpu", "gpu_hours") == {"h100": 16.0, "": 3.5}
    assert [note for note in note_texts(records.notes) if "never started" in note]
    assert [note for note in note_texts(records.notes) if "still running" in note]


def test_records_without_a_header_say_the_same(tmp_path: Path) -> None:
    with_header = read_slurm(_sources(tmp_path, "a.txt", SACCT), timezone="UTC")
    bare = read_slurm(_sources(tmp_path, "b.txt", SACCT.split("\n", 1)[1]), timezone="UTC")
    assert bare.table.total("gpu_hours") >= with_header.table.total("gpu_hours") - 1.5  # no ElapsedRaw: the running job
    assert bare.table.level("gpu_hours", int(bare.table.hour.min()), 1).tolist() == [4.0]


def test_the_cluster_s_time_zone_moves_its_hours(tmp_path: Path) -> None:
    utc = read_slurm(_sources(tmp_path, "a.txt", SACCT), timezone="UTC")
    berlin = read_slurm(_sources(tmp_path, "b.txt", SACCT), timezone="Europe/Berlin")
    assert int(utc.table.hour.min()) - int(berlin.table.hour.min()) == 2
    assert any("no zone" in note for note in note_texts(read_slurm(_sources(tmp_path, "c.txt", SACCT)).notes))
    with pytest.raises(UsageError, match="no time zone is called"):
        read_slurm(_sources(tmp_path, "d.txt", SACCT), timezone="Mars/Olympus")


def test_typed_and_untyped_accelerators_count_once() -> None:
    assert gpus_of_tres("gres/gpu=8,gres/gpu:a100=4,gres/gpu:h100=4") == {"a100": 4, "h100": 4}
    assert gpus_of_tres("gres/gpu=8,gres/gpu:a100=4") == {"a100": 4, "": 4}
    assert gpus_of_tres("cpu=1") == {}


def test_lines_that_are_no_jobs_are_told(tmp_path: Path) -> None:
    text = SACCT + "104|2026-10-01T01:00:00\n"
    records = read_slurm(_sources(tmp_path, "sacct.txt", text), timezone="UTC")
    assert [(one.rows, one.where.endswith(":9")) for one in records.faults] == [(1, True)]


LONG = """\
timestamp,metric,Hostname,gpu,modelName,pod,value
1790000000,DCGM_FI_PROF_GR_ENGINE_ACTIVE,n1,0,NVIDIA H100 80GB HBM3,train-1,1.0
1790000000,DCGM_FI_PROF_SM_ACTIVE,n1,0,NVIDIA H100 80GB HBM3,train-1,0.5
1790000000,DCGM_FI_DEV_POWER_USAGE,n1,0,NVIDIA H100 80GB HBM3,train-1,600
1790001800,DCGM_FI_PROF_GR_ENGINE_ACTIVE,n1,0,NVIDIA H100 80GB HBM3,train-1,0.5
1790001800,DCGM_FI_PROF_SM_ACTIVE,n1,0,NVIDIA H100 80GB HBM3,train-1,0.25
1790001800,DCGM_FI_DEV_POWER_USAGE,n1,0,NVIDIA H100 80GB HBM3,train-1,400
1790000000,DCGM_FI_DEV_GPU_UTIL,n1,1,NVIDIA H100 80GB HBM3,,0
1790001800,DCGM_FI_DEV_GPU_UTIL,n1,1,NVIDIA H100 80GB HBM3,,0
"""


def test_counters_tell_present_allocated_busy_and_useful_hours_apart(tmp_path: Path) -> None:
    records = read_dcgm(_sources(tmp_path, "dcgm.csv", LONG))
    # Two accelerators over two half hours; one of them had an owner.
    assert _hours(records, "present") == pytest.approx(2.0)
    assert _hours(records, "allocated") == pytest.approx(1.0)
    assert _hours(records, "busy") == pytest.approx(0.75)
    assert _hours(records, "useful") == pytest.approx(0.375)
    assert records.energy_kwh == pytest.approx(0.5)
    assert set(records.table.by("gpu", "gpu_hours")) == {"H100-SXM"}


def test_a_column_for_each_metric_and_one_for_each_series_say_the_same(tmp_path: Path) -> None:
    wide = (
        "timestamp,Hostname,gpu,DCGM_FI_DEV_GPU_UTIL\n"
        "2026-10-01T00:00:00Z,n1,0,100\n2026-10-01T00:30:00Z,n1,0,50\n2026-10-01T00:00:00Z,n1,1,0\n2026-10-01T00:30:00Z,n1,1,20\n"
    )
    series = (
        'Time,"DCGM_FI_DEV_GPU_UTIL{gpu=""0"", Hostname=""n1""}","DCGM_FI_DEV_GPU_UTIL{gpu=""1"", Hostname=""n1""}"\n'
        "1790812800000,100,0\n1790814600000,50,20\n"
    )
    found = [read_dcgm(_sources(tmp_path, f"{n}.csv", text)) for n, text in enumerate((wide, series))]
    assert [_hours(one, "busy") for one in found] == pytest.approx([0.85, 0.85])
    assert [_hours(one, "present") for one in found] == pytest.approx([2.0, 2.0])
    assert all(any("only GPU_UTIL" in note for note in note_texts(one.notes)) for one in found)


def test_a_gap_in_the_counters_is_no_use(tmp_path: Path) -> None:
    text = "timestamp,gpu,DCGM_FI_DEV_GPU_UTIL\n" + "".join(
        f"{1_790_000_000 + at},0,100\n" for at in (0, 60, 120, 7200, 7260)
    )
    records = read_dcgm(_sources(tmp_path, "dcgm.csv", text))
    assert _hours(records, "busy") == pytest.approx(5 / 60)


def test_a_plain_table_holds_each_number_until_the_next(tmp_path: Path) -> None:
    text = "timestamp,gpus,gpu\n2026-10-01T00:00:00Z,8,h100-sxm\n2026-10-01T01:00:00Z,4,h100-sxm\n2026-10-01T02:00:00Z,0,h100-sxm\n"
    records = read_plain(_sources(tmp_path, "plain.csv", text), basis="busy")
    assert records.table.by("gpu", "gpu_hours") == {"H100-SXM": 12.0}
    assert records.table.words["basis"] == ("busy",)


def test_a_demand_file_is_read_back_as_hours(tmp_path: Path) -> None:
    records = read_plain(_sources(tmp_path, "demand.csv", "hour,gpus\n0,4\n1,8\n2,6\n"))
    assert records.table.level("gpu_hours", 0, 3).tolist() == [4.0, 8.0, 6.0]


def test_a_plain_line_without_a_number_is_told(tmp_path: Path) -> None:
    records = read_plain(_sources(tmp_path, "plain.csv", "timestamp,gpus\n2026-10-01T00:00:00Z,8\nyesterday,4\n"))
    assert [(one.rows, one.where.endswith(":3")) for one in records.faults] == [(1, True)]


def test_hours_do_not_depend_on_how_many_stretches_are_cut_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 1e6, 500)
    stretches = [Stretch(s, s + 4000.0, 1.0, "busy", account=f"a{i % 3}") for i, s in enumerate(starts)]
    whole = records_of(stretches, "dcgm", rows=500).table
    monkeypatch.setattr(records_module, "BLOCK", 7)
    parts = records_of(stretches, "dcgm", rows=500).table
    assert np.array_equal(whole.hour, parts.hour)
    assert np.allclose(whole.values["gpu_hours"], parts.values["gpu_hours"])
    assert whole.total("gpu_hours") == pytest.approx(500 * 4000 / 3600)


def test_groups_whose_sums_differ_in_rounding_alone_stand_in_order_of_their_names() -> None:
    held = (("z", 0.1), ("z", 0.2), ("a", 0.3))
    records = records_of([Stretch(0.0, 3600.0, gpus, "allocated", account=who) for who, gpus in held], "plain", rows=3)
    assert 0.1 + 0.2 > 0.3
    groups = summarize(None, [records], load_bundled()).groups["account"]
    assert [group.name for group in groups] == ["a", "z"]


def test_an_accelerator_that_changes_hands_counts_for_each_in_turn(tmp_path: Path) -> None:
    lines = ["timestamp,Hostname,gpu,namespace,pod,DCGM_FI_PROF_GR_ENGINE_ACTIVE"]
    lines += [f"2026-10-01T{hour:02d}:00:00Z,n,0,{'ours' if hour < 6 else 'theirs'},p,1" for hour in range(8)]
    found = read_dcgm(_sources(tmp_path, "dcgm.csv", "\n".join(lines)))
    assert found.table.by("account", "gpu_hours", found.table.equals("basis", "allocated")) == {
        "ours": 6.0,
        "theirs": 2.0,
    }


def test_a_sample_that_was_exported_twice_counts_once(tmp_path: Path) -> None:
    lines = [f"2026-10-01T{hour:02d}:00:00Z,n,0,0.5" for hour in range(4)]
    header = "timestamp,Hostname,gpu,DCGM_FI_PROF_GR_ENGINE_ACTIVE"
    found = read_dcgm(_sources(tmp_path, "dcgm.csv", "\n".join([header, *lines, *lines])))
    assert found.table.total("gpu_hours", found.table.equals("basis", "busy")) == pytest.approx(2.0)
    assert found.table.total("gpu_hours", found.table.equals("basis", "present")) == pytest.approx(4.0)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0202-10-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1e300", "-1e12", "2101-01-01"])  # fmt: skip
@pytest.mark.parametrize("kind", ["plain", "slurm", "dcgm"])
def test_a_date_beyond_reason_is_left_out_with_its_line_and_costs_no_memory(
    kind: str, text: str, tmp_path: Path
) -> None:
    right = ["2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z"]
    name, content, read = {
        "plain": ("p.csv", ["timestamp,gpus", *(f"{time},1" for time in (*right, text))], read_plain),
        "slurm": ("s.txt", ["JobID|Start|End|State|AllocTRES", *(f"1|{start}|2026-10-01T02:00:00Z|COMPLETED|gres/gpu=1" for start in (*right, text))], read_slurm),
        "dcgm": ("d.csv", ["timestamp,DCGM_FI_DEV_GPU_UTIL", *(f"{time},100" for time in (*right, text))], read_dcgm),
    }[kind]  # fmt: skip
    records = read(_sources(tmp_path, name, "\n".join(content) + "\n"))
    assert int(np.ptp(records.table.hour)) < 3
    assert [(one.where, one.rows) for one in records.faults] == [(f"{tmp_path / name}:4", 1)]


def test_an_end_beyond_reason_leaves_its_job_out(tmp_path: Path) -> None:
    lines = [
        "JobID|Start|End|State|AllocTRES|ElapsedRaw",
        "1|2026-10-01T00:00:00|2026-10-01T02:00:00|COMPLETED|gres/gpu=1|7200",
        "2|2026-10-01T00:00:00|2062-10-01T02:00:00|COMPLETED|gres/gpu=1|7200",
        "3|2026-10-01T00:00:00|Unknown|COMPLETED|gres/gpu=1|99999999999999",
        f"4|2026-10-01T00:00:00|2026-10-01T02:00:00|COMPLETED|gres/gpu={'9' * 5000}|7200",
    ]
    records = read_slurm(_sources(tmp_path, "s.txt", "\n".join(lines)))
    assert _hours(records, "allocated") == 2.0
    assert [(one.where, one.rows) for one in records.faults] == [(f"{tmp_path / 's.txt'}:3", 3)]


@pytest.mark.parametrize("second", ["2062-10-01", "2080-10-01"])
def test_two_rows_decades_apart_hold_for_no_decades(second: str, tmp_path: Path) -> None:
    plain = read_plain(_sources(tmp_path, "p.csv", f"timestamp,gpus\n2026-10-01,1\n{second},1\n2026-10-02,1\n"))
    assert len(plain.table) <= 3 * 24
    samples = f"timestamp,DCGM_FI_DEV_GPU_UTIL\n2026-10-01,100\n{second},100\n"
    assert len(read_dcgm(_sources(tmp_path, "d.csv", samples)).table) <= 2 * 2 * 24
    with pytest.raises(UsageError, match="more than a year"):
        read_plain(_sources(tmp_path, "q.csv", f"timestamp,gpus\n2026-10-01,1\n{second},1\n"))


def test_hours_over_more_years_than_any_record_has_are_refused_with_their_dates(tmp_path: Path) -> None:
    plain = read_plain(
        _sources(tmp_path, "p.csv", "timestamp,gpus\n2026-10-01,1\n2026-10-02,1\n2026-10-03,1\n2062-10-01,1\n")
    )
    with pytest.raises(UsageError, match="reach from 2026-10-01 to 2062-10-02; 20 years are the most"):
        summarize(None, [plain], load_bundled())


def test_too_many_names_of_accelerators_are_refused_before_their_curves_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.usage.summary.MOST_CURVE_VALUES", 100)
    rows = "".join(f"2026-10-01T{hour:02}:00:00Z,1,chip {hour}\n" for hour in range(24))
    plain = read_plain(_sources(tmp_path, "p.csv", "timestamp,gpus,gpu\n" + rows))
    with pytest.raises(UsageError, match="24 names of accelerators over 24 hours"):
        summarize(None, [plain], load_bundled())


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_seconds_milli_micro_and_nanoseconds_are_the_same_time(factor: int, tmp_path: Path) -> None:
    first = 1_790_812_800
    text = f"timestamp,gpus\n{first * factor},1\n{(first + 3600) * factor},1\n"
    assert read_plain(_sources(tmp_path, "p.csv", text)).table.hour.tolist() == [first // 3600, first // 3600 + 1]


def test_long_stretches_of_many_owners_are_cut_block_by_block_and_refused_beyond_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stretches = [Stretch(3600.0 * at, 3600.0 * (at + 100), 2.0, "allocated", account=str(at % 7)) for at in range(50)]
    whole = records_of(stretches, "plain", rows=50).table
    monkeypatch.setattr(records_module, "BLOCK", 250)
    in_blocks = records_of(stretches, "plain", rows=50).table
    assert in_blocks.hour.tolist() == whole.hour.tolist()
    assert in_blocks.values["gpu_hours"].tolist() == whole.values["gpu_hours"].tolist()
    monkeypatch.setattr(records_module, "MOST_ROWS", 500)
    with pytest.raises(UsageError, match="in parts"):
        records_of(stretches, "plain", rows=50)


def test_rows_below_a_second_header_are_read_by_its_order(tmp_path: Path) -> None:
    job = "JobID|Start|End|State|AllocTRES|ElapsedRaw\n1|2026-10-01T00:00:00|2026-10-01T03:00:00|COMPLETED|gres/gpu=2|10800\n"
    moved = "Start|End|JobID|State|AllocTRES|ElapsedRaw\n2026-10-02T00:00:00|2026-10-02T12:00:00|2|COMPLETED|gres/gpu=16|43200\n"
    again = job.replace("\n1|", "\n3|")
    slurm = read_slurm(_sources(tmp_path, "s.txt", job + moved + again), timezone="UTC")
    assert (_hours(slurm, "allocated"), slurm.faults) == (2 * 3 + 16 * 12 + 2 * 3, ())

    counters = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_SM_ACTIVE")
    parts = [
        f"timestamp,Hostname,gpu,{','.join(names)}\n2026-10-01T0{at}:00:00Z,n1,0,{values}\n2026-10-01T0{at + 1}:00:00Z,n1,0,{values}\n"
        for at, names, values in ((0, counters, "0.9,0.1"), (2, counters[::-1], "0.1,0.9"))
    ]
    samples = read_dcgm(_sources(tmp_path, "d.csv", "".join(parts)))
    assert samples.faults == ()
    assert _hours(samples, "busy") == pytest.approx(4 * 0.9)

    table = "timestamp,gpus,team\n2026-10-01T00:00:00Z,3,a\ngpus,team,timestamp\n5,a,2026-10-01T01:00:00Z\n"
    assert _hours(read_plain(_sources(tmp_path, "p.csv", table)), "allocated") == 3 + 5


@pytest.mark.parametrize(
    "second", ["timestamp,gpus,team", "hour,gpus", "gpus,timestamp\n4,2026-10-01T02:00:00Z,a"]
)  # fmt: skip
def test_a_second_header_of_other_columns_is_refused_with_its_line(second: str, tmp_path: Path) -> None:
    text = f"timestamp,gpus\n2026-10-01T00:00:00Z,3\n{second}\n2026-10-01T01:00:00Z,5,a\n"
    with pytest.raises(UsageError, match=r"p\.csv:4: .*other columns") as refused:
        read_plain(_sources(tmp_path, "p.csv", text))
    assert "cut the file at that header" in refused.value.hint
