"""Validation of typed columns: numbers, booleans, dates, timestamps and lists."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import (
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, Task, TimeSplit
from transforms.batches.column_types import format_values
from transforms.batches.errors import ColumnTypeError
from transforms.batches.raw_batch import RawBatch
from transforms.validation.validate import validate

SPEC = DatasetSpec(
    name="log",
    features=(
        CategoricalFeature("city"),
        NumericalFeature("price", required=True),
        MultiValuedFeature("tags", weights="tag_weights"),
        MultiValuedFeature("words"),
        SequenceFeature("seen"),
        NumberSequenceFeature("daily"),
    ),
    tasks=(Task("click", "click"), Task("buy", "buy", follows="click"), Task("visits", "visits", kind="count")),
    group_key="user",
)
GOOD = {
    "city": "Rome",
    "price": 9.5,
    "tags": ["a", "b"],
    "tag_weights": [0.5, 2.0],
    "words": ["x"],
    "seen": ["p"],
    "daily": [1.0],
    "click": 1,
    "buy": 0,
    "visits": 3,
    "user": "u1",
}


def validated(column, values, kind=None, spec=SPEC, **others):
    """Validates rows with some values in one column; returns its typed values, and the reason by rejected line."""
    columns = {name: [value] * len(values) for name, value in {**GOOD, **others}.items()} | {column: values}
    table = pa.table(
        {name: pa.array(column_values, kind if name == column else None) for name, column_values in columns.items()}
    )
    batch = validate(RawBatch(table, np.arange(1, len(values) + 1), "log"), spec)
    return batch.typed.to_pydict()[column], {reject.line: reject.reason for reject in batch.rejects}


INT, FLOAT, TIMESTAMP = pa.int64(), pa.float64(), pa.timestamp("us")


@pytest.mark.parametrize("column", ["city", "user"])
@pytest.mark.parametrize(
    ("kind", "values", "tokens"),
    [
        (pa.int8(), [7, -1, None], [b"7", b"-1", None]),
        (pa.uint64(), [2**64 - 1], [b"18446744073709551615"]),
        (pa.bool_(), [True, False], [b"true", b"false"]),
        (pa.date32(), [datetime.date(2026, 11, 8)], [b"2026-11-08"]),
        (TIMESTAMP, [datetime.datetime(2026, 11, 8, 9)], [b"2026-11-08T09:00:00"]),
        (TIMESTAMP, [datetime.datetime(2026, 11, 8, 9, 0, 0, 120_000), None], [b"2026-11-08T09:00:00.12", None]),
        (pa.list_(INT), [[7], [], None], [b"7", None, None]),
        (pa.list_(pa.string()), [["Oslo"], [""], [None]], [b"Oslo", None, None]),
        (pa.string(), [None, None], [None, None]),
    ],
)
def test_formats_values_as_tokens(column, kind, values, tokens):
    assert validated(column, values, kind) == ([token and [token] for token in tokens], {})


def test_formats_timestamps_with_time_zone_in_utc():
    timestamps = pa.array([1_794_128_400_000_000], pa.timestamp("us", "Europe/Rome"))
    assert format_values(timestamps).to_pylist() == ["2026-11-08T09:00:00Z"]


@pytest.mark.parametrize(
    ("kind", "values", "numbers"),
    [
        (pa.float32(), [0.1, float("nan")], [np.float32(0.1), None]),
        (FLOAT, [0.1], [np.float32(0.1)]),
        (INT, [-(2**60) - 1], [-(2.0**60)]),
        (pa.uint64(), [2**64 - 1], [2.0**64]),
        (pa.bool_(), [True, False], [1, 0]),
        (pa.decimal128(9, 2), [decimal.Decimal("12.34")], [np.float32(12.34)]),
        (pa.list_(pa.float32()), [[2.5]], [2.5]),
        (pa.list_(pa.string()), [["2.5"], ["nan"]], [2.5, None]),
    ],
)
def test_converts_numbers(kind, values, numbers):
    """Missing numbers are rejected, because the feature is required."""
    found, rejects = validated("price", values, kind)
    assert found == [[number] for number in numbers if number is not None]
    assert rejects == {line: "missing_required" for line, number in enumerate(numbers, 1) if number is None}


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e39])
def test_rejects_numbers_beyond_float32(value):
    assert validated("price", [1.0, value], FLOAT) == ([[1.0]], {2: "not_a_number"})


@pytest.mark.parametrize(
    ("kind", "values", "labels"),
    [
        (pa.bool_(), [True, False, None], [1, 0, "missing_label"]),
        (INT, [1, 0, 2, -1, None], [1, 0, "invalid_label", "invalid_label", "missing_label"]),
        (FLOAT, [1.0, 0.0, 0.5, float("nan")], [1, 0, "invalid_label", "missing_label"]),
        (pa.float32(), [float("inf"), None], ["invalid_label", "missing_label"]),
        (pa.list_(INT), [[1], [], [0, 0]], [1, "missing_label", "multiple_values"]),
    ],
)
def test_converts_binary_labels(kind, values, labels):
    assert validated("click", values, kind) == results(labels)


@pytest.mark.parametrize(
    ("kind", "values", "labels"),
    [
        (INT, [0, 10**18 - 1, 10**18, -1], [0, 10**18 - 1, "invalid_label", "invalid_label"]),
        (INT, [2**53 + 1], [2**53 + 1]),
        (pa.uint64(), [3, 2**64 - 1], [3, "invalid_label"]),
        (FLOAT, [3.0, 1.5, -1.0, 1e18], [3, "invalid_label", "invalid_label", "invalid_label"]),
        (FLOAT, [float("nan"), float("inf")], ["missing_label", "invalid_label"]),
        (pa.bool_(), [True], [1]),
    ],
)
def test_converts_counts(kind, values, labels):
    assert validated("visits", values, kind) == results(labels)


def results(labels):
    """Returns the expected typed labels, and the expected reason by line; `labels` lists a label or reason per row."""
    reasons = {line: label for line, label in enumerate(labels, 1) if isinstance(label, str)}
    return [[label] for label in labels if not isinstance(label, str)], reasons


def test_broken_chain_of_booleans():
    assert validated("buy", [True, False], pa.bool_(), click=False) == ([[0]], {1: "broken_chain"})


@pytest.mark.parametrize("column", ["city", "price", "user", "click"])
def test_rejects_multiple_values_in_single_valued_columns(column):
    values = [[GOOD[column]], [GOOD[column]] * 2, [GOOD[column]]]
    assert validated(column, values)[1] == {2: "multiple_values"}


def test_reject_formats_lists_as_json():
    table = pa.table({name: [value] for name, value in {**GOOD, "price": [1.5, 2.0]}.items()})
    (reject,) = validate(RawBatch(table, np.array([7]), "log"), SPEC).rejects
    assert reject.detail == "price should be one value. Received: [1.5, 2.0]"
    assert reject.text == 'Rome,"[1.5, 2.0]","[""a"", ""b""]","[0.5, 2.0]","[""x""]","[""p""]",[1.0],1,0,3,u1'


@pytest.mark.parametrize(
    ("column", "kind", "values", "lists"),
    [
        ("words", pa.list_(pa.string()), [["a|b", "", None, "c"], [], None], [[b"a|b", b"c"], None, None]),
        ("words", pa.list_(INT), [[1, 2, None]], [[b"1", b"2"]]),
        ("words", pa.string(), ["a|b", ""], [[b"a", b"b"], None]),
        ("words", INT, [5, None], [[b"5"], None]),
        ("seen", pa.list_(pa.string()), [["a", None, "b"], [None, ""]], [[b"a", b"", b"b"], None]),
        ("seen", pa.list_(INT), [[3, None]], [[b"3", b""]]),
        ("daily", pa.list_(INT), [[3, 4]], [[3.0, 4.0]]),
        ("daily", pa.list_(pa.string()), [["3", "4.5"]], [[3.0, 4.5]]),
        ("daily", pa.string(), ["3|4.5"], [[3.0, 4.5]]),
        ("daily", FLOAT, [2.5], [[2.5]]),
    ],
)
def test_converts_lists(column, kind, values, lists):
    assert validated(column, values, kind) == (lists, {})


def test_absent_positions_of_number_sequences():
    (values, nothing), rejects = validated("daily", [[None, 1.5, float("nan"), 2], [None]], pa.list_(FLOAT))
    np.testing.assert_array_equal(values, [np.nan, 1.5, np.nan, 2])
    assert (nothing, rejects) == (None, {})
    assert validated("daily", [[1.0, float("inf")]], pa.list_(FLOAT)) == ([], {1: "not_a_number"})


def test_weights_match_tokens():
    tags = [["a", "b"], ["a", "", "c"], ["a"], ["a"], None, ["a"]]
    weights = [[1, 2], [1, 2, 3], [1, 2], [None], None, [4]]
    columns = {name: [value] * 6 for name, value in GOOD.items()} | {"tags": tags}
    for kind in (pa.float32(), FLOAT, INT):
        table = pa.table({**columns, "tag_weights": pa.array(weights, pa.list_(kind))})
        batch = validate(RawBatch(table.select(list(GOOD)), np.arange(1, 7), "log"), SPEC)
        typed = batch.typed.to_pydict()
        assert typed["tags"] == [[b"a", b"b"], [b"a", b"c"], None, [b"a"]]
        assert typed["tag_weights"] == [[1.0, 2.0], [1.0, 3.0], None, [4.0]]
        assert [(reject.line, reject.reason) for reject in batch.rejects] == [
            (3, "invalid_weights"),
            (4, "invalid_weights"),
        ]


@pytest.mark.parametrize(
    ("kind", "values", "bounds", "reasons"),
    [
        (INT, [5, None], (3, 9), {2: "invalid_time"}),
        (FLOAT, [5, float("nan")], (3, 9), {2: "invalid_time"}),
        (pa.date32(), [datetime.date(2026, 11, 8), None], ("2026-11-01", "2026-12-01"), {2: "invalid_time"}),
        (pa.list_(INT), [[5], [5, 6]], (3, 9), {2: "multiple_values"}),
    ],
)
def test_rejects_invalid_times(kind, values, bounds, reasons):
    spec = DatasetSpec("log", SPEC.features[1:2], SPEC.tasks, split=TimeSplit("day", *bounds))
    table = pa.table({"price": [1.0] * 2, "click": [1] * 2, "buy": [0] * 2, "visits": [0] * 2})
    table = table.append_column("day", pa.array(values, kind))
    batch = validate(RawBatch(table, np.array([1, 2]), "log"), spec)
    assert {reject.line: reject.reason for reject in batch.rejects} == reasons


def test_error_names_bounds_that_are_no_dates():
    with pytest.raises(ColumnTypeError, match=r"bounds of the split should be dates or timestamps, .* Received: 3"):
        test_rejects_invalid_times(pa.date32(), [datetime.date(2026, 11, 8)] * 2, (3, 9), {})


def test_slices_of_columns():
    """The buffers of an Arrow slice begin before its values."""
    table = pa.table({name: pa.array([value] * 5) for name, value in GOOD.items()})
    for name in ("words", "seen", "daily"):
        table = table.drop([name]).append_column(name, pa.array([[1], [2, 3], [4], [5, 6], [7]]))
    typed = validate(RawBatch(table.slice(1, 3), np.arange(2, 5), "log"), SPEC).typed.to_pydict()
    assert typed["words"] == typed["seen"] == [[b"2", b"3"], [b"4"], [b"5", b"6"]]
    assert typed["daily"] == [[2.0, 3.0], [4.0], [5.0, 6.0]]
