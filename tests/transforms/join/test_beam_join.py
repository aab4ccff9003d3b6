"""Join of a simulated warehouse: the labels are those that the simulator knows, however the work is divided."""

import dataclasses
import json

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.beam_runner import with_runner
from pipelines.settings_file import load_settings
from pipelines.simulated_log import draw
from transforms.join.beam_join import DAYS, REJECTS, REPORT, JoinFiles
from transforms.join.options import microseconds
from transforms.simulation.event_writer import TRUTH

ROWS = 12_000
EXAMPLE = "examples/join.yaml"
KEEP = ("impression_id", "user_id", "time")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    settings = load_settings(EXAMPLE)
    folder = tmp_path_factory.mktemp("warehouse")
    draw(dataclasses.replace(settings, simulator=dataclasses.replace(settings.simulator, rows=ROWS)), folder)
    with (folder / "click" / "2026-11-03.csv").open("a", encoding="utf-8") as file:
        file.write('"i1","odd",yesterday\n"i1"\n,"x",1793565211265\n')
    return settings.join, folder


def join_to(warehouse, folder, partitions, range_bytes, threads=1, arguments=()):
    options, raw = warehouse
    numbered = [
        ((log, number), (str(path),))
        for log, settings in options.logs.items()
        for number, path in enumerate(sorted(raw.glob(settings.pattern)))
    ]
    with beam.Pipeline(options=PipelineOptions(with_runner(arguments))) as pipeline:
        join = JoinFiles(options, KEEP, str(raw), str(folder), partitions, range_bytes, threads)
        _ = pipeline | beam.Create(numbered) | join
    return pq.read_table(folder / DAYS), json.loads((folder / REPORT).read_text())


@pytest.fixture(scope="module")
def joined(warehouse, tmp_path_factory):
    folder = tmp_path_factory.mktemp("joined")
    return (*join_to(warehouse, folder, partitions=3, range_bytes=1 << 20), folder)


def known_labels(warehouse, end):
    """Labels by impression from the simulator's times alone: each impression has a key of its own."""
    options, raw = warehouse
    truth = pq.read_table(raw / TRUTH)
    windows = {name: microseconds(getattr(options.attribution, name)) / 1000 for name in ("click", "conversion")}
    shown, click, conversion = (
        truth.column(name).to_numpy().astype(float) for name in ("impressions", "click", "conversion")
    )
    end = end / 1000
    clicked = (click <= end) & (click - shown <= windows["click"])
    converted = clicked & (conversion <= end) & (conversion - click <= windows["conversion"])
    click_open = ~clicked & (shown + windows["click"] > end)
    conversion_open = ~converted & np.where(clicked, click + windows["conversion"] > end, click_open)
    return pa.table(
        {
            "impression_id": truth.column("impression_id"),
            "click": clicked.astype(np.int8),
            "click_open": click_open.astype(np.int8),
            "conversion": converted.astype(np.int8),
            "conversion_open": conversion_open.astype(np.int8),
        }
    )


def by_id(table):
    return table.sort_by([("impression_id", "ascending")])


def test_labels_are_those_that_the_simulator_knows(warehouse, joined):
    rows, report, _ = joined
    expected = by_id(known_labels(warehouse, report["end"]))
    assert by_id(rows.select(expected.column_names)).equals(expected)
    assert rows.num_rows == report["rows"] == ROWS
    for name in ("click", "conversion"):
        counts = report["labels"][name]
        assert counts["positive"] == pc.sum(expected.column(name)).as_py() > 100
        assert counts["open"] == pc.sum(expected.column(f"{name}_open")).as_py() > 100


def test_every_event_is_counted_once(joined):
    for log, counts in joined[1]["events"].items():
        kinds = {name: count for name, count in counts.items() if name != "read"}
        total = sum(kinds.values()) + (joined[1]["rows"] if log == "impressions" else 0)
        assert counts["read"] == total, log
    events = joined[1]["events"]
    assert events["clicks"]["rejected"] == 3
    assert min(events[log]["duplicates"] for log in events) > 0
    assert min(events["clicks"][kind] for kind in ("without impression", "before its cause")) > 0


def test_rejected_rows_have_file_line_and_reason(joined, warehouse):
    (path,) = (joined[2] / REJECTS).glob("*.jsonl")
    rejects = [json.loads(line) for line in path.read_text().splitlines()]
    lines = len((warehouse[1] / "click" / "2026-11-03.csv").read_text().splitlines())
    assert [(one["line"], one["reason"]) for one in rejects] == [
        (lines - 2, "invalid_time"), (lines - 1, "wrong_column_count"), (lines, "invalid_id"),
    ]  # fmt: skip
    assert rejects[0]["detail"] == "time should be a time. Received: 'yesterday'"


def test_rows_are_in_folders_of_their_days(joined):
    rows, report, folder = joined
    days = sorted(path.name for path in (folder / DAYS).iterdir())
    assert days == sorted(report["days"]) == [f"2026-11-{day:02d}" for day in range(1, 15)]
    for day in days:
        table = pq.read_table(folder / DAYS / day)
        times = table.column("time").to_numpy().astype("int64")
        assert {str(np.datetime64(int(time), "ms"))[:10] for time in times} == {day}
        assert table.num_rows == report["days"][day]
    assert sum(report["days"].values()) == rows.num_rows


@pytest.mark.parametrize(
    ("partitions", "range_bytes", "threads"), [(1, 1 << 20, 1), (7, 2_000, 2)], ids=["one_partition", "many_ranges"]
)
def test_the_division_of_the_work_changes_no_row(warehouse, joined, tmp_path, partitions, range_bytes, threads):
    rows, report = join_to(warehouse, tmp_path, partitions, range_bytes, threads)
    assert report == joined[1]
    assert by_id(rows).equals(by_id(joined[0]))


def test_nothing_but_the_results_remains(joined):
    assert sorted(path.name for path in joined[2].iterdir() if not path.name.startswith(".")) == [DAYS, REPORT, REJECTS]
