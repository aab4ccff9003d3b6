"""Pending labels, elapsed days, and copies of converted rows, by hand and as the simulator knows them."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.settings_file import load_settings
from pipelines.simulated_log import draw
from tests.transforms.join.test_beam_join import EXAMPLE, by_id, join_to
from tests.transforms.join.test_join_partition import MINUTE, join_options, joined, table
from tfmtl import DatasetSpec
from tfmtl.config import FieldError
from transforms.batches.raw_batch import RawBatch
from transforms.ingest.split import assign
from transforms.join.join_partition import label_columns
from transforms.join.options import AttributionOptions, microseconds
from transforms.simulation.event_writer import TRUTH
from transforms.validation.validate import validate

ROWS = 6_000
SPEC = DatasetSpec.from_yaml("""
name: shop
features: [{name: user_id, kind: categorical}]
tasks:
  - {name: ctr, label: click}
  - name: cvr
    label: conversion
    follows: ctr
    open: {column: conversion_pending, maturity: delay, copy: conversion_copy, elapsed: conversion_elapsed}
split: {kind: random, eval: 0.2, test: 0.2, key: [impression_id]}
""")
EVENTS = {
    "impressions": table(("a", 0), ("b", 1), ("c", 2), row=pa.array([0, 1, 2])),
    "clicks": table(("a", 3), ("c", 5)),
    "conversions": table(("a", 30, 2.5), ("c", 36, 4), values=True),
}


def column(rows, name):
    return rows.column(name).to_pylist()


def test_a_copy_has_the_values_of_its_row_and_the_time_of_its_event():
    rows, report = joined(EVENTS, copies=("conversion",))
    assert column(rows, "row") == [0, 1, 2, 0]
    assert column(rows, "conversion_copy") == [0, 0, 0, 1]
    assert column(rows, ".time") == [0, MINUTE, 2 * MINUTE, 30 * MINUTE]
    hidden = {"conversion_copy", ".time"}
    first, copy = (rows.slice(index, 1).drop(list(hidden)) for index in (0, 3))
    assert first.equals(copy)
    assert report.labels["conversion"] == {"copies": 1, "open": 0, "positive": 1}
    assert set(rows.column_names) - {".time", "row"} == set(label_columns(join_options(copies=("conversion",))))


def test_copies_are_among_the_rows_of_their_time():
    events = EVENTS | {"impressions": table(("a", 0), ("b", 4), ("c", 5), row=pa.array([0, 1, 2]))}
    rows, _ = joined(events, copies=("click",))
    assert column(rows, "row") == [0, 0, 1, 2, 2]
    assert column(rows, "click_copy") == [0, 1, 0, 0, 1]
    assert column(rows, ".time") == [time * MINUTE for time in (0, 3, 4, 5, 5)]


def test_copies_of_both_labels():
    rows, _ = joined(EVENTS, copies=("click", "conversion"))
    marks = list(zip(column(rows, "row"), column(rows, "click_copy"), column(rows, "conversion_copy"), strict=True))
    assert marks == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0), (2, 1, 0), (0, 0, 1)]


def test_a_label_is_pending_by_the_time_of_its_impression_alone():
    """The windows are 10 and 30 minutes, so that a conversion may come up to 40 minutes after its impression."""
    for end in (9, 11, 25, 40, 41, 60):
        rows, _ = joined(EVENTS, end=end)
        shown = [0, 1, 2]
        assert column(rows, "click_pending") == [int(time + 10 > end) for time in shown], end
        assert column(rows, "conversion_pending") == [int(time + 40 > end) for time in shown], end
    to_impression = AttributionOptions(click="10m", conversion="30m", to="last_impression")
    assert column(joined(EVENTS, end=31, attribution=to_impression)[0], "conversion_pending") == [0, 0, 1]


def minutes(rows, name):
    return [round(days * 24 * 60, 2) for days in column(rows, name)]


def test_elapsed_days_begin_with_the_cause():
    rows, _ = joined(EVENTS, end=32)
    # A click at 3 and its conversion at 30; an impression at 1 without a click; a click at 5 without a conversion.
    assert minutes(rows, "conversion_elapsed") == [27, 31, 27]
    assert minutes(rows, "click_elapsed") == [3, 10, 3]


def test_elapsed_days_end_with_the_longest_time_to_an_event():
    """A conversion may come up to 40 minutes after its impression."""
    for end, expected in {41: [27, 40, 36], 50: [27, 40, 37], 5000: [27, 40, 37]}.items():
        assert minutes(joined(EVENTS, end=end)[0], "conversion_elapsed") == expected


def test_copies_of_unknown_labels_are_refused():
    with pytest.raises(FieldError, match=r"should be one of click, conversion. Received: 'view'"):
        join_options(copies=("view",))
    with pytest.raises(FieldError, match=r"should be listed once"):
        join_options(copies=("click", "click"))
    with pytest.raises(FieldError, match=r"should be one of click. Received: 'conversion'"):
        join_options(copies=("conversion",), conversions=None)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    settings = load_settings(EXAMPLE)
    folder = tmp_path_factory.mktemp("warehouse")
    draw(dataclasses.replace(settings, simulator=dataclasses.replace(settings.simulator, rows=ROWS)), folder)
    options = dataclasses.replace(settings.join, copies=("conversion",))
    out = tmp_path_factory.mktemp("joined")
    rows, report = join_to((options, folder), out, partitions=2, range_bytes=1 << 20)
    return options, pq.read_table(folder / TRUTH), rows, report, out


def test_copies_are_those_that_the_simulator_knows(copied):
    options, truth, rows, report, out = copied
    windows = {name: microseconds(getattr(options.attribution, name)) / 1000 for name in ("click", "conversion")}
    shown, click, conversion = (
        truth.column(name).to_numpy().astype(float) for name in ("impressions", "click", "conversion")
    )
    converted = (click - shown <= windows["click"]) & (conversion - click <= windows["conversion"])
    converted &= conversion <= report["end"] / 1000
    is_copy = pc.equal(rows.column("conversion_copy"), 1)
    found = by_id(rows.filter(is_copy))
    expected = by_id(truth.filter(pa.array(converted)))
    assert found.column("impression_id").equals(expected.column("impression_id"))
    assert found.num_rows == report["labels"]["conversion"]["copies"] > 60
    assert rows.num_rows == report["rows"] == ROWS + found.num_rows
    times = dict(zip(*(expected.column(name).to_pylist() for name in ("impression_id", "conversion")), strict=True))
    for path in sorted(out.glob("days/*/*.parquet")):
        one = pq.read_table(path, columns=["impression_id", "conversion_copy"])
        for key in one.filter(pc.equal(one.column("conversion_copy"), 1)).column("impression_id").to_pylist():
            assert str(np.datetime64(int(times[key]), "ms"))[:10] == path.parent.name
    elapsed = found.column("conversion_elapsed").to_numpy() * 86_400_000
    delays = (expected.column("conversion").to_numpy() - expected.column("click").to_numpy()).astype(float)
    np.testing.assert_allclose(elapsed, delays, rtol=1e-5, atol=1)


def test_a_copy_is_in_the_split_of_its_row(copied):
    rows = copied[2]
    validated = validate(RawBatch(rows, np.arange(rows.num_rows), "rows.parquet"), SPEC)
    assert not validated.rejects
    split = assign(SPEC, validated)
    copies = np.flatnonzero(rows.column("conversion_copy").to_numpy() == 1)
    keys = column(rows, "impression_id")
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    assert {split[first[keys[row]]] for row in copies} == {0, 1, 2}
    assert all(split[row] == split[first[keys[row]]] for row in copies)


def test_rows_that_do_not_fit_are_rejected():
    given = {
        "user_id": ["u"] * 5, "impression_id": list("abcde"), "click": ["1"] * 5,
        "conversion": ["1", "0", "1", "1", "0"],
        "conversion_pending": ["1", "1", "yes", "0", "1"], "conversion_copy": ["1", "1", "0", "0", "0"],
        "conversion_elapsed": ["0.5", "0.5", "0.5", "-1", "1.25"],
    }  # fmt: skip
    table = pa.table({name: pa.array(values) for name, values in given.items()})
    found = validate(RawBatch(table, np.arange(2, 7), "rows.csv"), SPEC)
    assert [(one.line, one.reason, one.detail.partition(" should")[0]) for one in found.rejects] == [
        (3, "invalid_label", "conversion_copy"), (4, "invalid_label", "conversion_pending"),
        (5, "not_a_number", "conversion_elapsed"),
    ]  # fmt: skip
    assert found.typed.column("conversion_elapsed").to_pylist() == [[0.5], [1.25]]
