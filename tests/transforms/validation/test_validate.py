"""Validation of rows of strings: types, values, and the reason for which a row is rejected."""

import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumericalFeature, SequenceFeature
from tfmtl.spec import DatasetSpec, RandomSplit, Task, TimeSplit
from transforms.batches.columns import raw_columns, typed_columns
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.validation.validate import validate

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
    """Returns a batch of valid rows on lines 10, 20, ..., each with some values changed."""
    rows = [{**GOOD, **change} for change in changes]
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in raw_columns(spec)}
    return RawBatch(pa.table(columns), np.arange(1, len(rows) + 1) * 10, "log.csv")


def test_columns_of_a_spec():
    typed = ("city", "price", "age", "tags", "tag_weights", "words", "seen", "clicked", "bought", "visits", "user")
    assert typed_columns(SPEC) == typed
    assert raw_columns(SPEC) == (*typed, "day")


def test_columns_are_listed_once():
    split = RandomSplit(key=("city", "session"))
    spec = DatasetSpec("log", (CategoricalFeature("city"),), (Task("click", "clicked"),), group_key="city", split=split)
    assert typed_columns(spec) == ("city", "clicked")
    assert raw_columns(spec) == ("city", "clicked", "session")


def test_typed_columns_hold_lists_of_values():
    validated = validate(
        batch({}, {"price": None, "tags": None, "tag_weights": None, "seen": None, "user": None}), SPEC
    )
    assert validated.rejects == ()
    assert validated.typed.to_pydict() == {
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
    types = {field.name: field.type for field in validated.typed.schema}
    assert {name for name, kind in types.items() if kind == pa.list_(pa.float32())} == {"price", "age", "tag_weights"}
    assert {name for name, kind in types.items() if kind == pa.list_(pa.int64())} == {"clicked", "bought", "visits"}


@pytest.mark.parametrize(
    ("string", "number"),
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
def test_parses_numbers(string, number):
    (value,) = validate(batch({"price": string}), SPEC).typed.to_pydict()["price"]
    assert value == (None if number is None else [np.float32(number)])


@pytest.mark.parametrize("string", ["inf", "-Infinity", "1e39", "1e400", "abc", "1,5", "1 2", "0x1", "1_0", "."])
def test_rejects_strings_that_are_not_finite_numbers(string):
    validated = validate(batch({}, {"price": string}), SPEC)
    (reject,) = validated.rejects
    assert (reject.line, reject.reason) == (20, "not_a_number")
    assert reject.detail == f"price should be a finite number. Received: {string!r}"
    assert validated.raw.lines.tolist() == [10]


@pytest.mark.parametrize(
    ("string", "label"), [("0", 0), ("1", 1), ("0.0", 0), (" 1.00 ", 1), ("TRUE", 1), ("false ", 0), ("1e0", 1)]
)
def test_parses_binary_labels(string, label):
    assert validate(batch({"clicked": string}), SPEC).typed.to_pydict()["clicked"] == [[label]]


@pytest.mark.parametrize(("string", "label"), [("0", 0), ("12", 12), ("7.0", 7), ("9" * 18, 10**18 - 1)])
def test_parses_counts(string, label):
    assert validate(batch({"visits": string}), SPEC).typed.to_pydict()["visits"] == [[label]]


@pytest.mark.parametrize(
    ("changes", "reason", "column"),
    [
        ({"clicked": None}, "missing_label", "clicked"),
        ({"visits": None}, "missing_label", "visits"),
        ({"clicked": "2"}, "invalid_label", "clicked"),
        ({"clicked": "-1"}, "invalid_label", "clicked"),
        ({"clicked": "yes"}, "invalid_label", "clicked"),
        ({"clicked": "nan"}, "missing_label", "clicked"),
        ({"clicked": " "}, "missing_label", "clicked"),
        ({"clicked": "1", "bought": "nan"}, "missing_label", "bought"),
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
def test_rejects_row_with_reason_and_detail(changes, reason, column):
    validated = validate(batch({}, changes, {}), SPEC)
    (reject,) = validated.rejects
    assert (reject.source, reject.line, reject.reason) == ("log.csv", 20, reason)
    assert reject.detail.startswith(f"{column} should be ")
    assert reject.text == ",".join({**GOOD, **changes}[name] or "" for name in raw_columns(SPEC))
    assert validated.raw.lines.tolist() == [10, 30]
    assert validated.typed == validate(batch({}, {}), SPEC).typed


def test_row_is_rejected_for_the_first_reason():
    all_mistakes = {"clicked": "0", "bought": "1", "city": None, "price": "x", "tag_weights": "1", "day": None}
    order = [
        ({"clicked": None, "visits": "-1"}, "missing_label"),
        ({"visits": "-1"}, "invalid_label"),
        ({}, "broken_chain"),
        ({"bought": "0"}, "missing_required"),
        ({"bought": "0", "city": "Rome"}, "not_a_number"),
        ({"bought": "0", "city": "Rome", "price": "1"}, "invalid_weights"),
        ({"bought": "0", "city": "Rome", "price": "1", "tag_weights": "1;2"}, "invalid_time"),
    ]
    validated = validate(batch(*({**all_mistakes, **change} for change, _ in order)), SPEC)
    assert [reject.reason for reject in validated.rejects] == [reason for _, reason in order]
    assert validated.typed.num_rows == 0


@pytest.mark.parametrize("missing", [None, "", "nan", " "])
def test_a_missing_label_is_0_where_the_previous_event_did_not_happen(missing):
    validated = validate(batch({"clicked": "0", "bought": missing}, {"clicked": "1", "bought": missing}), SPEC)
    assert validated.typed.to_pydict()["bought"] == [[0]]
    assert [(reject.line, reject.reason) for reject in validated.rejects] == [(20, "missing_label")]


def test_missing_label_of_a_later_task_precedes_invalid_label():
    (reject,) = validate(batch({"clicked": "2", "visits": None}), SPEC).rejects
    assert reject.reason == "missing_label"


def test_removes_empty_tokens_with_their_weights():
    typed = validate(
        batch({"tags": "a;;b", "tag_weights": "1;2;3", "words": "|x|", "seen": " "}), SPEC
    ).typed.to_pydict()
    assert (typed["tags"], typed["tag_weights"]) == ([[b"a", b"b"]], [[1.0, 3.0]])
    assert (typed["words"], typed["seen"]) == ([[b"x"]], [None])


def test_invalid_weights_do_not_shift_other_rows():
    validated = validate(
        batch({"tag_weights": "7"}, {"tags": "c", "tag_weights": "9"}, {"tag_weights": "1;x"}, {}), SPEC
    )
    assert validated.typed.to_pydict()["tags"] == [[b"c"], [b"a", b"b"]]
    assert validated.typed.to_pydict()["tag_weights"] == [[9.0], [0.5, 2.0]]


def test_times_with_string_bounds_may_be_any_string():
    spec = DatasetSpec(
        "log", SPEC.features, SPEC.tasks, group_key="user", split=TimeSplit("day", "2026-11-20", "2026-11-21")
    )
    validated = validate(batch({"day": "2026-11-19"}, {"day": None}, spec=spec), spec)
    assert [reject.reason for reject in validated.rejects] == ["invalid_time"]


def test_rejects_of_the_reader_are_merged_by_line():
    rows = batch({"clicked": "2"}, {}, {"age": "x"})
    reader_reject = Reject("log.csv", 15, "wrong_column_count", "should have 12 values. Received: 1", "oops")
    validated = validate(RawBatch(rows.columns, rows.lines, rows.source, (reader_reject,)), SPEC)
    assert [reject.line for reject in validated.rejects] == [10, 15, 30]


def test_empty_batch():
    validated = validate(batch(), SPEC)
    assert validated.typed.num_rows == 0
    assert validated.rejects == ()


def test_chunked_columns():
    table = pa.concat_tables([batch({}, {"price": "x"}).columns, batch({"price": "2"}).columns])
    validated = validate(RawBatch(table, np.array([2, 3, 4]), "log.csv"), SPEC)
    assert validated.typed.to_pydict()["price"] == [[9.5], [2.0]]
    assert [reject.line for reject in validated.rejects] == [3]


def test_rejects_a_wrong_number_of_lines():
    with pytest.raises(ValueError, match=r"lines should be 1, one for each row. Received: 2"):
        RawBatch(batch({}).columns, np.array([1, 2]), "log.csv")


WEIGHTED = DatasetSpec(
    "log", (CategoricalFeature("city"),), (Task("click", "clicked", open="clicked_open"),), weight="share"
)


def weighted(**columns):
    given = {"city": ["Rome"], "clicked": ["0"], "clicked_open": ["1"], "share": ["1"], **columns}
    rows = max(map(len, given.values()))
    table = pa.table({name: pa.array(values * (rows // len(values))) for name, values in given.items()})
    return validate(RawBatch(table, np.arange(2, rows + 2), "log.csv"), WEIGHTED)


def test_row_weights_are_numbers_of_at_least_0():
    found = weighted(share=["2", "0", "0.25", "-1", "much", None, "nan", "inf"])
    assert found.typed.column("share").to_pylist() == [[2.0], [0.0], [0.25]]
    assert [(one.line, one.reason) for one in found.rejects] == [(line, "invalid_row_weight") for line in range(5, 10)]
    assert found.rejects[0].detail == "share should be a number of at least 0. Received: '-1'"


def test_columns_of_open_labels_hold_0_or_1():
    found = weighted(clicked_open=["1", "false", "0", "maybe", None])
    assert found.typed.column("clicked_open").to_pylist() == [[1], [0], [0]]
    assert [(one.line, one.reason) for one in found.rejects] == [(5, "invalid_label"), (6, "invalid_label")]
