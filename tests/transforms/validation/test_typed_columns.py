"""The check takes columns that are typed already: numbers, booleans, moments, and lists."""

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
from transforms.batches.cells import ColumnTypeError, as_text
from transforms.batches.raw_batch import RawBatch
from transforms.validation.validate import check

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


def checked(column, values, kind=None, spec=SPEC, **others):
    """One column of a check of rows that are good else."""
    columns = {name: [value] * len(values) for name, value in {**GOOD, **others}.items()} | {column: values}
    table = pa.table({name: pa.array(cells, kind if name == column else None) for name, cells in columns.items()})
    found = check(RawBatch(table, np.arange(1, len(values) + 1), "log"), spec)
    return found.typed.to_pydict()[column], {reject.line: reject.reason for reject in found.rejects}


INT, FLOAT, MOMENT = pa.int64(), pa.float64(), pa.timestamp("us")


@pytest.mark.parametrize("column", ["city", "user"])
@pytest.mark.parametrize(
    ("kind", "values", "tokens"),
    [
        (pa.int8(), [7, -1, None], [b"7", b"-1", None]),
        (pa.uint64(), [2**64 - 1], [b"18446744073709551615"]),
        (pa.bool_(), [True, False], [b"true", b"false"]),
        (pa.date32(), [datetime.date(2026, 11, 8)], [b"2026-11-08"]),
        (MOMENT, [datetime.datetime(2026, 11, 8, 9)], [b"2026-11-08T09:00:00"]),
        (MOMENT, [datetime.datetime(2026, 11, 8, 9, 0, 0, 120_000), None], [b"2026-11-08T09:00:00.12", None]),
        (pa.list_(INT), [[7], [], None], [b"7", None, None]),
        (pa.list_(pa.string()), [["Oslo"], [""], [None]], [b"Oslo", None, None]),
        (pa.string(), [None, None], [None, None]),
    ],
)
def test_tokens(column, kind, values, tokens):
    assert checked(column, values, kind) == ([token and [token] for token in tokens], {})


def test_a_moment_with_a_time_zone_is_in_utc():
    moments = pa.array([1_794_128_400_000_000], pa.timestamp("us", "Europe/Rome"))
    assert as_text(moments).to_pylist() == ["2026-11-08T09:00:00Z"]


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
def test_numbers(kind, values, numbers):
    """A missing one is rejected, as it is required here."""
    found, rejects = checked("price", values, kind)
    assert found == [[number] for number in numbers if number is not None]
    assert rejects == {line: "missing_required" for line, number in enumerate(numbers, 1) if number is None}


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e39])
def test_no_numbers(value):
    assert checked("price", [1.0, value], FLOAT) == ([[1.0]], {2: "not_a_number"})


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
def test_binary_labels(kind, values, labels):
    assert checked("click", values, kind) == results(labels)


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
def test_counts(kind, values, labels):
    assert checked("visits", values, kind) == results(labels)


def results(labels):
    """What the check gives for the values that are numbers, and for those that are reasons."""
    reasons = {line: label for line, label in enumerate(labels, 1) if isinstance(label, str)}
    return [[label] for label in labels if not isinstance(label, str)], reasons


def test_chains_of_booleans():
    assert checked("buy", [True, False], pa.bool_(), click=False) == ([[0]], {1: "broken_chain"})


@pytest.mark.parametrize("column", ["city", "price", "user", "click"])
def test_several_values_where_one_belongs(column):
    values = [[GOOD[column]], [GOOD[column]] * 2, [GOOD[column]]]
    assert checked(column, values)[1] == {2: "multiple_values"}


def test_rejected_lists_are_written_as_json():
    table = pa.table({name: [value] for name, value in {**GOOD, "price": [1.5, 2.0]}.items()})
    (reject,) = check(RawBatch(table, np.array([7]), "log"), SPEC).rejects
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
def test_lists(column, kind, values, lists):
    assert checked(column, values, kind) == (lists, {})


def test_absent_places_of_numbers():
    (values, nothing), rejects = checked("daily", [[None, 1.5, float("nan"), 2], [None]], pa.list_(FLOAT))
    np.testing.assert_array_equal(values, [np.nan, 1.5, np.nan, 2])
    assert (nothing, rejects) == (None, {})
    assert checked("daily", [[1.0, float("inf")]], pa.list_(FLOAT)) == ([], {1: "not_a_number"})


def test_weights():
    tags = [["a", "b"], ["a", "", "c"], ["a"], ["a"], None, ["a"]]
    weights = [[1, 2], [1, 2, 3], [1, 2], [None], None, [4]]
    columns = {name: [value] * 6 for name, value in GOOD.items()} | {"tags": tags}
    for kind in (pa.float32(), FLOAT, INT):
        table = pa.table({**columns, "tag_weights": pa.array(weights, pa.list_(kind))})
        found = check(RawBatch(table.select(list(GOOD)), np.arange(1, 7), "log"), SPEC)
        typed = found.typed.to_pydict()
        assert typed["tags"] == [[b"a", b"b"], [b"a", b"c"], None, [b"a"]]
        assert typed["tag_weights"] == [[1.0, 2.0], [1.0, 3.0], None, [4.0]]
        assert [(reject.line, reject.reason) for reject in found.rejects] == [
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
def test_times(kind, values, bounds, reasons):
    spec = DatasetSpec("log", SPEC.features[1:2], SPEC.tasks, split=TimeSplit("day", *bounds))
    table = pa.table({"price": [1.0] * 2, "click": [1] * 2, "buy": [0] * 2, "visits": [0] * 2})
    table = table.append_column("day", pa.array(values, kind))
    found = check(RawBatch(table, np.array([1, 2]), "log"), spec)
    assert {reject.line: reject.reason for reject in found.rejects} == reasons


def test_a_time_of_the_wrong_type():
    with pytest.raises(
        ColumnTypeError, match=r"log, from row \d+ on: day should be numbers, booleans or text, .* Received: date32"
    ):
        test_times(pa.date32(), [datetime.date(2026, 11, 8)] * 2, (3, 9), {})


def test_columns_that_are_a_part_of_a_larger_one():
    """As Arrow hands on slices, whose buffers begin earlier."""
    table = pa.table({name: pa.array([value] * 5) for name, value in GOOD.items()})
    for name in ("words", "seen", "daily"):
        table = table.drop([name]).append_column(name, pa.array([[1], [2, 3], [4], [5, 6], [7]]))
    typed = check(RawBatch(table.slice(1, 3), np.arange(2, 5), "log"), SPEC).typed.to_pydict()
    assert typed["words"] == typed["seen"] == [[b"2", b"3"], [b"4"], [b"5", b"6"]]
    assert typed["daily"] == [[2.0, 3.0], [4.0], [5.0, 6.0]]
