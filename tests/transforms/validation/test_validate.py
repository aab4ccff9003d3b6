"""Each row is typed, or rejected for the first reason that holds, with its line."""

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature, SequenceFeature
from tfmtl.spec import DatasetSpec, RandomSplit, Task, TimeSplit
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.validation.validate import check, raw_columns, typed_columns

SPEC = DatasetSpec(
    name="log",
    features=(
        CategoricalFeature("city", required=True),
        NumericalFeature("price"),
        NumericalFeature("age", required=True),
        MultiValuedFeature("tags", weights="tag_weights", separator=";"),
        MultiValuedFeature("words"),
        SequenceFeature("seen", separator=" "),
    ),
    tasks=(Task("click", "clicked"), Task("buy", "bought", follows="click"), Task("visits", "visits", kind="count")),
    group_key="user",
    split=TimeSplit("day", eval_from=8, test_from=9),
)
GOOD = {
    "city": "Rome",
    "price": "9.5",
    "age": "30",
    "tags": "a;b",
    "tag_weights": "0.5;2",
    "words": "x|y",
    "seen": "p q",
    "clicked": "1",
    "bought": "0",
    "visits": "3",
    "user": "u1",
    "day": "4",
}


def batch(*changes, spec=SPEC):
    """A batch of good rows, each with some cells changed; lines 10, 20, ..."""
    rows = [{**GOOD, **change} for change in changes]
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in raw_columns(spec)}
    return RawBatch(pa.table(columns), np.arange(1, len(rows) + 1) * 10, "log.csv")


def test_columns_of_spec():
    typed = ("city", "price", "age", "tags", "tag_weights", "words", "seen", "clicked", "bought", "visits", "user")
    assert typed_columns(SPEC) == typed
    assert raw_columns(SPEC) == (*typed, "day")


def test_columns_are_named_once():
    split = RandomSplit(key=("city", "session"))
    spec = DatasetSpec("log", (CategoricalFeature("city"),), (Task("click", "clicked"),), group_key="city", split=split)
    assert typed_columns(spec) == ("city", "clicked")
    assert raw_columns(spec) == ("city", "clicked", "session")


def test_types_and_values():
    checked = check(batch({}, {"price": None, "tags": None, "tag_weights": None, "seen": None, "user": None}), SPEC)
    assert checked.rejects == ()
    assert checked.typed.to_pydict() == {
        "city": [[b"Rome"], [b"Rome"]],
        "price": [[9.5], None],
        "age": [[30.0], [30.0]],
        "tags": [[b"a", b"b"], None],
        "tag_weights": [[0.5, 2.0], None],
        "words": [[b"x", b"y"], [b"x", b"y"]],
        "seen": [[b"p", b"q"], None],
        "clicked": [[1], [1]],
        "bought": [[0], [0]],
        "visits": [[3], [3]],
        "user": [[b"u1"], None],
    }
    types = {field.name: field.type for field in checked.typed.schema}
    assert {name for name, kind in types.items() if kind == pa.list_(pa.float32())} == {"price", "age", "tag_weights"}
    assert {name for name, kind in types.items() if kind == pa.list_(pa.int64())} == {"clicked", "bought", "visits"}


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("0", 0.0),
        ("-1.5", -1.5),
        ("+2", 2.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("nan", None),
        ("NaN", None),
        ("-nan", None),
        (None, None),
    ],
)
def test_numbers(cell, number):
    (value,) = check(batch({"price": cell}), SPEC).typed.to_pydict()["price"]
    assert value == (None if number is None else [np.float32(number)])


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e39", "1e400", "abc", "1,5", " 1", "1 ", "0x1", "1_0", "."])
def test_no_numbers(cell):
    checked = check(batch({}, {"price": cell}), SPEC)
    (reject,) = checked.rejects
    assert (reject.line, reject.reason) == (20, "not_a_number")
    assert reject.detail == f"price should be a finite number. Received: {cell!r}"
    assert checked.raw.lines.tolist() == [10]


@pytest.mark.parametrize(("cell", "label"), [("0", 0), ("1", 1), ("0.0", 0), ("1.0", 1)])
def test_binary_labels(cell, label):
    assert check(batch({"clicked": cell}), SPEC).typed.to_pydict()["clicked"] == [[label]]


@pytest.mark.parametrize(("cell", "label"), [("0", 0), ("12", 12), ("7.0", 7), ("9" * 18, 10**18 - 1)])
def test_counts(cell, label):
    assert check(batch({"visits": cell}), SPEC).typed.to_pydict()["visits"] == [[label]]


@pytest.mark.parametrize(
    ("changes", "reason", "column"),
    [
        ({"clicked": None}, "missing_label", "clicked"),
        ({"visits": None}, "missing_label", "visits"),
        ({"clicked": "2"}, "invalid_label", "clicked"),
        ({"clicked": "-1"}, "invalid_label", "clicked"),
        ({"clicked": "yes"}, "invalid_label", "clicked"),
        ({"clicked": "nan"}, "invalid_label", "clicked"),
        ({"visits": "-1"}, "invalid_label", "visits"),
        ({"visits": "1.5"}, "invalid_label", "visits"),
        ({"visits": "9" * 19}, "invalid_label", "visits"),
        ({"clicked": "0", "bought": "1"}, "broken_chain", "bought"),
        ({"city": None}, "missing_required", "city"),
        ({"age": None}, "missing_required", "age"),
        ({"age": "nan"}, "missing_required", "age"),
        ({"age": "old"}, "not_a_number", "age"),
        ({"tag_weights": "1"}, "invalid_weights", "tag_weights"),
        ({"tag_weights": "1;2;3"}, "invalid_weights", "tag_weights"),
        ({"tag_weights": None}, "invalid_weights", "tag_weights"),
        ({"tags": None}, "invalid_weights", "tag_weights"),
        ({"tag_weights": "1;x"}, "invalid_weights", "tag_weights"),
        ({"tag_weights": "1;"}, "invalid_weights", "tag_weights"),
        ({"tag_weights": "1;nan"}, "invalid_weights", "tag_weights"),
        ({"tag_weights": "1;inf"}, "invalid_weights", "tag_weights"),
        ({"day": None}, "invalid_time", "day"),
        ({"day": "Monday"}, "invalid_time", "day"),
        ({"day": "nan"}, "invalid_time", "day"),
    ],
)
def test_reasons(changes, reason, column):
    checked = check(batch({}, changes, {}), SPEC)
    (reject,) = checked.rejects
    assert (reject.source, reject.line, reject.reason) == ("log.csv", 20, reason)
    assert reject.detail.startswith(f"{column} should be ")
    assert reject.text == ",".join({**GOOD, **changes}[name] or "" for name in raw_columns(SPEC))
    assert checked.raw.lines.tolist() == [10, 30]
    assert checked.typed == check(batch({}, {}), SPEC).typed


def test_first_reason_counts():
    everything = {"clicked": "0", "bought": "1", "city": None, "price": "x", "tag_weights": "1", "day": None}
    order = [
        ({"clicked": None, "visits": "-1"}, "missing_label"),
        ({"visits": "-1"}, "invalid_label"),
        ({}, "broken_chain"),
        ({"bought": "0"}, "missing_required"),
        ({"bought": "0", "city": "Rome"}, "not_a_number"),
        ({"bought": "0", "city": "Rome", "price": "1"}, "invalid_weights"),
        ({"bought": "0", "city": "Rome", "price": "1", "tag_weights": "1;2"}, "invalid_time"),
    ]
    checked = check(batch(*({**everything, **change} for change, _ in order)), SPEC)
    assert [reject.reason for reject in checked.rejects] == [reason for _, reason in order]
    assert checked.typed.num_rows == 0


def test_missing_label_of_a_later_task_comes_before_an_impossible_one():
    (reject,) = check(batch({"clicked": "2", "visits": None}), SPEC).rejects
    assert reject.reason == "missing_label"


def test_empty_tokens_are_dropped_with_their_weights():
    typed = check(batch({"tags": "a;;b", "tag_weights": "1;2;3", "words": "|x|", "seen": " "}), SPEC).typed.to_pydict()
    assert (typed["tags"], typed["tag_weights"]) == ([[b"a", b"b"]], [[1.0, 3.0]])
    assert (typed["words"], typed["seen"]) == ([[b"x"]], [None])


def test_bad_weights_do_not_shift_those_of_other_rows():
    checked = check(batch({"tag_weights": "7"}, {"tags": "c", "tag_weights": "9"}, {"tag_weights": "1;x"}, {}), SPEC)
    assert checked.typed.to_pydict()["tags"] == [[b"c"], [b"a", b"b"]]
    assert checked.typed.to_pydict()["tag_weights"] == [[9.0], [0.5, 2.0]]


def test_text_times_need_not_be_numbers():
    spec = DatasetSpec(
        "log", SPEC.features, SPEC.tasks, group_key="user", split=TimeSplit("day", "2026-11-20", "2026-11-21")
    )
    checked = check(batch({"day": "2026-11-19"}, {"day": None}, spec=spec), spec)
    assert [reject.reason for reject in checked.rejects] == ["invalid_time"]


def test_rejects_of_the_reader_are_kept_in_the_order_of_lines():
    rows = batch({"clicked": "2"}, {}, {"age": "x"})
    cut = Reject("log.csv", 15, "wrong_column_count", "should have 12 cells. Received: 1", "oops")
    checked = check(RawBatch(rows.columns, rows.lines, rows.source, (cut,)), SPEC)
    assert [reject.line for reject in checked.rejects] == [10, 15, 30]


def test_empty_batch():
    checked = check(batch(), SPEC)
    assert checked.typed.num_rows == 0
    assert checked.rejects == ()


def test_columns_in_chunks():
    two = pa.concat_tables([batch({}, {"price": "x"}).columns, batch({"price": "2"}).columns])
    checked = check(RawBatch(two, np.array([2, 3, 4]), "log.csv"), SPEC)
    assert checked.typed.to_pydict()["price"] == [[9.5], [2.0]]
    assert [reject.line for reject in checked.rejects] == [3]


def test_lines_and_rows_must_agree():
    with pytest.raises(ValueError, match=r"lines should be 1, one for each row. Received: 2"):
        RawBatch(batch({}).columns, np.array([1, 2]), "log.csv")
