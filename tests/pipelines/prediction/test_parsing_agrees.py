"""Rows are read by `tfmtl.rows` as the validation of a log reads them: same values, same rejected rows and reasons."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

from tfmtl import DatasetSpec
from tfmtl.rows import Lists, parse_rows, to_columns
from transforms.batches.raw_batch import RawBatch
from transforms.validation.validate import validate

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical, required: true}
  - {name: city, kind: categorical}
  - {name: price, kind: numerical, required: true}
  - {name: age, kind: numerical}
  - {name: tags, kind: multi_valued, separator: ";", weights: tag_weights, max_length: 100}
  - {name: topics, kind: multi_valued, separator: "::", max_length: 100}
  - {name: history, kind: sequence, separator: " ", max_length: 100}
  - {name: days, kind: number_sequence, max_length: 100}
  - {name: title, kind: dense, length: 2}
tasks: [{name: click, label: clicked}]
""")
NAMES = ("user", "city", "price", "age", "tags", "tag_weights", "topics", "history", "days", "title")
TOKENS = ["a", "ü", "a b", " a ", "12", "nan", "None", "x" * 300, "a\nb", "\x00", "true", "|", ";"]
NUMBERS = ["1", "-2.5", "+3", " 4 ", "1e3", "1e-3", ".5", "5.", "nan", "-NaN", "1e400", "-1e39", "3.5e38", "inf", "1,5"]
WEIGHTS = ["1", "0.5", "-2", *["3"] * 9, "x", "", "nan"]
NUMBERS += ["1_000", "0x10", "--1", "1e", "e1", ".", "", "\u0661", "1 2", "NULL", "1.5f", "1d"]


def draw_texts(rng, rows):
    def pick(values, missing=0.2):
        return None if rng.random() < missing else values[rng.integers(len(values))] or None

    def joined(values, separator, most=4):
        items = [pick(values, 0.1) or "" for _ in range(rng.integers(0, most))]
        return separator.join(items) or None

    numbers = [*NUMBERS, *["1", "2.5"] * 20]
    columns = {name: [] for name in NAMES}
    for _ in range(rows):
        tags = joined(TOKENS, ";")
        count = 0 if tags is None else tags.count(";") + 1
        count = count if rng.random() < 0.8 else int(rng.integers(0, 4))
        values = [pick(TOKENS, 0.05), pick(TOKENS), pick(numbers, 0.02), pick(numbers), tags]
        values += [
            ";".join(str(rng.choice(["1", "0.5", "-2", *["3"] * 9, "x", "", "nan"])) for _ in range(count)) or None
        ]
        values += [joined(TOKENS, "::"), joined(TOKENS, " "), joined(numbers[-30:], "|")]
        length = 2 if rng.random() < 0.9 else rng.integers(0, 4)
        values.append("|".join(str(rng.choice(["1", "", *["-2.5"] * 20, "x"])) for _ in range(length)) or None)
        for name, value in zip(NAMES, values, strict=True):
            columns[name].append(value)
    return columns


def by_pipeline(table):
    """Returns the typed values of the accepted rows, and the reason and column of the rejected ones."""
    table = table.append_column("clicked", pa.array(["0"] * table.num_rows))
    validated = validate(RawBatch(table, np.arange(table.num_rows), "rows.csv"), SPEC)
    reasons = {reject.line: (reject.reason, reject.detail.split(" ")[0]) for reject in validated.rejects}
    values = {name: validated.typed.column(name).to_pylist() for name in NAMES}
    return dict(zip(validated.raw.lines.tolist(), zip(*values.values(), strict=True), strict=True)), reasons


def by_rows(columns, count):
    parsed = parse_rows(SPEC.features, columns, count, require_weights=True)
    reasons = {}
    for invalid in parsed.invalid:
        reasons.setdefault(invalid.row, set()).add((invalid.reason, invalid.column))

    def value(name, row):
        column = parsed.columns[name]
        if isinstance(column, Lists):
            values = column.to_list(row)
            present = [item for item in values if item != b"" and item == item]
            return values if present else None
        return [column[row]] if column[row] != b"" and column[row] == column[row] else None

    accepted = {row: tuple(value(name, row) for name in NAMES) for row in range(count) if row not in reasons}
    return accepted, reasons


def assert_agree(table, columns):
    accepted, rejected = by_pipeline(table)
    found, reasons = by_rows(columns, table.num_rows)
    assert set(reasons) == set(rejected)
    for row, reason in rejected.items():
        assert reason in reasons[row], row
    assert set(found) == set(accepted)
    for row, values in accepted.items():
        np.testing.assert_equal(found[row], values, err_msg=str(row))
    return accepted, rejected


@pytest.mark.parametrize("rows", [2_000, pytest.param(50_000, marks=pytest.mark.long)])
def test_texts_of_a_file(rows):
    columns = draw_texts(np.random.default_rng(rows), rows)
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    accepted, rejected = assert_agree(table, columns)
    assert len(accepted) > rows / 5
    assert {reason for reason, _ in rejected.values()} == {
        "missing_required",
        "not_a_number",
        "invalid_weights",
        "invalid_vector",
    }
    assert_agree(table, to_columns(table)[0])
    assert_agree(table, to_columns(table.to_pandas())[0])
    assert_agree(table, to_columns(table.to_pylist())[0])


def test_typed_values():
    """Values of the types that Parquet files, tables and Python have."""
    times = [datetime.datetime(2026, 11, 18, 10, 0, 0, 500_000), None, datetime.datetime(2026, 1, 2, 3, 4)]
    variants = {
        "user": [
            pa.array([1, 2**60, 3]), pa.array([True, False, True]), pa.array(times, pa.timestamp("us")),
            pa.array(times, pa.timestamp("ns", "Europe/Berlin")), pa.array(times, pa.timestamp("s", "UTC")),
            pa.array([datetime.date(2026, 11, 18), None, datetime.date(1, 2, 3)]), pa.array(["a", "b", None]),
            pa.array([["a"], [], ["b", "c"]]), pa.array([[1], None, [3, 4]]),
        ],
        "price": [
            pa.array([1, 2, 3]), pa.array([1, None, 3]), pa.array([1.5, float("nan"), 1e39]),
            pa.array([1.5, float("inf"), None], pa.float32()), pa.array([True, False, None]),
            pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")]), pa.array([[1.0], [], [2.0, 3.0]]),
        ],
        "tags": [pa.array([["a;b", ""], [], None]), pa.array([[1, 2], [3], []]), pa.array([7, 8, None])],
        "title": [pa.array([[1.0, None], [2.5, 1.0], None]), pa.array([[1, 2], [3], []]), pa.array([7.5, 8, None])],
        "days": [pa.array([[1.0, None], [], None]), pa.array([[1, 2], [3], []]), pa.array([7.5, 8, None])],
    }  # fmt: skip
    plain = {"user": pa.array(["u1", "u2", "u3"]), "price": pa.array([1.0, 2.0, 3.0])}
    plain |= {name: pa.nulls(3, pa.string()) for name in NAMES[2:] if name not in plain} | {"city": plain["user"]}
    for name, arrays in variants.items():
        for array in arrays:
            columns = plain | {name: array}
            if name == "tags":
                weights = {0: None, 1: [2.0], 2: [0.5, 1.0]}
                counts = [
                    0 if value is None else len(value) if isinstance(value, list) else 1 for value in array.to_pylist()
                ]
                columns["tag_weights"] = pa.array([weights[count] for count in counts], pa.list_(pa.float64()))
            table = pa.table({name: columns[name] for name in NAMES})
            assert_agree(table, to_columns(table)[0])
            assert_agree(table, to_columns(table.to_pylist())[0])
