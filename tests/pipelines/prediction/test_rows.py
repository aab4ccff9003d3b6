"""Rows of a file for prediction, and errors that name line and column."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipelines.prediction.columns import choose_format
from pipelines.prediction.rows import read_rows
from serving.description import ModelDescription
from tests.pipelines.prediction.conftest import SPEC
from tfmtl import DatasetSpec
from transforms.batches.errors import LogError, MissingColumnError
from transforms.batches.rejects import format_csv_rows
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read
from transforms.validation.validate import raw_columns, validate

HEADER = "user,price,tags,tag_weights,history,days"
FEATURES = {
    "user": [b"u1", b"u2"],
    "price": [12.5, None],
    "tags": [[b"a", b"b"], []],
    "tag_weights": [[0.5, 2.0], []],
    "history": [[b"b", b"", b"d"], [b"x"]],
    "days": [[2.0, 3.0], []],
}
ROWS = ["u1,12.5,a;b,0.5;2,a b  d,1|2|3", "u2,,,,x,"]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def csv_file(tmp_path, *rows, header=HEADER):
    return write(tmp_path / "rows.csv", "\n".join([header, *rows]) + "\n")


def features(rows):
    """Returns the features of all rows by name."""
    dicts = [rows.features(row) for row in range(rows.table.num_rows)]
    return {name: [row[name] for row in dicts] for name in dicts[0]}


def test_lists_are_split_at_the_separators_of_the_spec(tmp_path):
    rows = read_rows(csv_file(tmp_path, *ROWS), SPEC)
    assert features(rows) == FEATURES
    assert rows.absent == ()
    assert rows.table.column("tags").to_pylist() == ["a;b", None]


def test_byte_order_mark_line_ends_and_blank_lines(tmp_path):
    path = write(tmp_path / "rows.csv", b"\xef\xbb\xbf" + "\r\n".join([HEADER, ROWS[0], "", ROWS[1]]).encode())
    assert features(read_rows(path, SPEC)) == FEATURES


def test_parquet_and_tfrecord_give_the_rows_of_csv(tmp_path):
    lists = {
        "tags": [["a", "b"], None],
        "tag_weights": [[0.5, 2.0], None],
        "history": [["a", "b", "", "d"], ["x"]],
        "days": [[1.0, 2.0, 3.0], None],
    }
    columns = {"user": ["u1", "u2"], "price": [12.5, None], **lists, "note": ["n", None]}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    with tf.io.TFRecordWriter(str(tmp_path / "rows.tfrecord")) as writer:
        for row in range(2):
            writer.write(example({name: values[row] for name, values in columns.items()}))
    for name in ("rows.parquet", "rows.tfrecord"):
        rows = read_rows(str(tmp_path / name), SPEC)
        assert features(rows) == FEATURES
        assert rows.table.column("user").to_pylist() == ["u1", "u2"]
        assert "note" in rows.table.column_names


def example(row):
    feature = {}
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        if values[0] is None:
            continue
        if isinstance(values[0], float):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in values]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def test_feature_that_only_late_examples_have(tmp_path):
    path = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in range(40):
            writer.write(example({"user": "u1", **({"price": 2.0} if row == 39 else {})}))
    rows = read_rows(str(path), SPEC)
    assert features(rows)["price"] == [None] * 39 + [2.0]
    assert rows.absent == ("tags", "tag_weights", "history", "days")


def test_format_of_the_settings(tmp_path):
    path = write(tmp_path / "rows.txt", "u1;NULL;Übung\n".encode("latin-1"))
    names = ("user-id", "price", "history")
    columns = {"user": "user-id"}
    log_format = LogFormat(delimiter=";", null=("NULL",), encoding="latin-1", header=names, columns=columns)
    rows = read_rows(path, SPEC, log_format)
    assert features(rows)["user"] == [b"u1"]
    assert features(rows)["price"] == [None]
    assert features(rows)["history"] == [["Übung".encode()]]
    assert rows.table.column_names == ["user-id", "price", "history"]


def test_columns_that_are_not_features_are_kept(tmp_path):
    """A label need not be valid, and a column may have the name of a label that another dataset would have."""
    path = csv_file(tmp_path, "x,u1,maybe,1,s", header="label,user,clicked,ctr,")
    rows = read_rows(path, SPEC)
    assert rows.table.to_pydict() == {"label": ["x"], "user": ["u1"], "clicked": ["maybe"], "ctr": ["1"], "": ["s"]}
    assert rows.absent == ("price", "tags", "tag_weights", "history", "days")
    assert features(rows)["history"] == [[]]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_limit_counts_rows_and_ignores_errors_behind_them(tmp_path, limit):
    path = csv_file(tmp_path, "u1,1", "u2,2", "u3,3", "u4,much", "u5", header="user,price")
    assert features(read_rows(path, SPEC, limit=limit))["price"] == [1.0, 2.0, 3.0][:limit]
    with pytest.raises(LogError, match=r"rows.csv:5: price should be a finite number"):
        read_rows(path, SPEC, limit=4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["u1,12.5,", "u1,3"], "rows.csv:2: should have 2 values. Received: 3\nQuote values"),
        (["u1"], "rows.csv:2: should have 2 values. Received: 1\nQuote values"),
        (['u1,"1,234.5"'], "rows.csv:2: price should be a finite number. Received: '1,234.5'\nWrite numbers as 1234.5"),
        (["u1,1_000"], "rows.csv:2: price should be a finite number. Received: '1_000'"),
        (["u1,inf"], "rows.csv:2: price should be a finite number. Received: 'inf'"),
        (["u1,1e400"], "rows.csv:2: price should be a finite number. Received: '1e400'"),
        (["u1,NULL"], "rows.csv:2: price should be a finite number. Received: 'NULL'"),
        (["u1,1", ",2"], "rows.csv:3: user should be given. Received: nothing\nThe model's spec requires"),
        (['u1,"3', "u2,4"], "rows.csv:2: "),
        ([], "rows.csv: should have at least one row. Received: none."),
    ],
)
def test_invalid_rows(tmp_path, rows, message):
    with pytest.raises(LogError) as caught:
        read_rows(csv_file(tmp_path, *rows, header="user,price"), SPEC)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") <= 2


def test_invalid_weights_and_lists_of_numbers(tmp_path):
    with pytest.raises(LogError, match=r"rows.csv:2: tag_weights should be one finite number for each token of tags"):
        read_rows(csv_file(tmp_path, "u1,1,a;b,1|2,,"), SPEC)
    with pytest.raises(LogError, match=r"rows.csv:2: days should be a list of finite numbers. Received: '1;2'"):
        read_rows(csv_file(tmp_path, "u1,1,,,,1;2"), SPEC)


def test_number_of_invalid_rows_and_their_lines(tmp_path):
    with pytest.raises(LogError) as caught:
        read_rows(csv_file(tmp_path, "u1,1", *["u1,x"] * 12, header="user,price"), SPEC)
    assert str(caught.value).splitlines()[-1] == (
        "12 rows are invalid (lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...). No row was scored."
    )


def test_rows_are_rejected_as_by_a_run(tmp_path):
    """The lines that a run rejects for their features are those that prediction reports."""
    rows = ["u1,1", "u1,x", ",1", "u1,nan", "u1,+2.5", "u1, 3", "u1,1e39", "u1,-1e-3"]
    rejected = []
    for i, row in enumerate(rows):
        try:
            read_rows(csv_file(tmp_path, row, header="user,price"), SPEC)
        except LogError:
            rejected.append(i + 2)
    spec = DatasetSpec("shop", SPEC.features[:2], SPEC.tasks[:1])
    path = csv_file(tmp_path, *(f"{row},0" for row in rows), header="user,price,clicked")
    (batch,) = read(path, raw_columns(spec), LogFormat())
    assert rejected == [reject.line for reject in validate(batch, spec).rejects]
    assert 3 in rejected
    assert 6 not in rejected


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (
            "User,Price",
            [
                "should have the columns user, price. Received: User, Price.",
                "Did you mean user for User, price for Price? Rename in the file, or map the names in data.columns of "
                "--settings.",
            ],
        ),
        (
            "user,prise",
            [
                "should have the column price. Received: user, prise.",
                "Did you mean price for prise? Rename in the file, or map the names in data.columns of --settings.",
            ],
        ),
        (
            "price,session",
            [
                "should have the column user. Received: price, session.",
                "The model requires user; its other features may be absent.",
            ],
        ),
        (
            "user,tags",
            [
                "should have the column tag_weights. Received: user, tags.",
                "The model requires tag_weights; its other features may be absent.",
            ],
        ),
        (
            "a,b",
            [
                "should have the columns user, price, tags, tag_weights, history, days. Received: a, b.",
                "The model requires user; its other features may be absent.",
            ],
        ),
        (
            "user;price",
            [
                "should have the columns user, price, tags, tag_weights, history, days. Received: user;price.",
                "The header has the sign ';': if it is the delimiter, set data.delimiter in --settings.",
            ],
        ),
    ],
)
def test_missing_and_misspelled_columns(tmp_path, header, lines):
    path = csv_file(tmp_path, "1,2", header=header)
    with pytest.raises(MissingColumnError) as caught:
        read_rows(path, SPEC)
    assert str(caught.value) == "\n".join([f"{path}: {lines[0]}", *lines[1:]])


def test_labels_and_split_columns_are_no_misspelled_features(tmp_path):
    spec = DatasetSpec.from_yaml("""
name: shop
features: [{name: user, kind: categorical}, {name: days, kind: numerical}, {name: clicks, kind: numerical}]
tasks: [{name: click, label: click}]
split: {kind: time, column: day, eval_from: 1, test_from: 2}
""")
    assert read_rows(csv_file(tmp_path, "u1,1,0", header="user,day,click"), spec).absent == ("days", "clicks")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(LogError, match=r"the first line, should be the names of the columns. Received: an empty file"):
        read_rows(write(tmp_path / "rows.csv", ""), SPEC)
    with pytest.raises(LogError, match=r"should name each column once. Received twice: price"):
        read_rows(csv_file(tmp_path, "u1,1,2", header="user,price,price"), SPEC)
    with pytest.raises(LogError, match="should be a complete Parquet file"):
        read_rows(write(tmp_path / "rows.parquet", "user"), SPEC)


def test_columns_of_varying_type_become_strings(tmp_path):
    path = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for note in ["text", 2.0]:
            writer.write(example({"user": "u1", "note": note}))
    rows = read_rows(str(path), SPEC)
    assert sorted(format_csv_rows(rows.table.select(["note"]), np.arange(2))) == ["['text']", "[2.0]"]
    assert features(rows)["user"] == [b"u1", b"u1"]


def test_format_of_the_model_is_that_of_its_log_where_the_file_has_it(tmp_path):
    log_format = {"delimiter": ";", "null": ["?"], "columns": {"user": "user-id"}, "reader": "csv", "header": ["a"]}
    description = ModelDescription(SPEC, log_format)
    of_log = csv_file(tmp_path, "u1;?", header="user-id;price")
    assert choose_format(of_log, description) == LogFormat(delimiter=";", null=("?",), columns={"user": "user-id"})
    rows = read_rows(of_log, SPEC, choose_format(of_log, description))
    assert (features(rows)["user"], features(rows)["price"]) == ([b"u1"], [None])
    by_spec = csv_file(tmp_path, "u1;?", header="user;price")
    assert choose_format(by_spec, description) == LogFormat(delimiter=";", null=("?",))
    assert choose_format(csv_file(tmp_path, "u1,2", header="user,price"), description) == LogFormat()
    assert choose_format(csv_file(tmp_path, "u1,2", header="a,b"), description) == LogFormat()
    assert choose_format(of_log, ModelDescription(SPEC)) == LogFormat()
