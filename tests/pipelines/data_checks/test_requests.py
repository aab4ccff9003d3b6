"""Requests as a table, tf.Examples and PredictionLogs have equal statistics, and skew is found by its column."""

import itertools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.data_checks.check import check_data
from pipelines.data_checks.column_statistics import columns_of
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.requests import request_statistics
from serving import protos, raw_features, tensors
from tests.pipelines.data_checks.shop_statistics import SPEC, columns, summary
from transforms.batches.errors import LogError

FEATURES = ("user", "scenario", "city", "price", "age", "tags", "tag_weights")


def to_example(row):
    example = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        for one in values:
            if isinstance(one, str):
                example.features.feature[name].bytes_list.value.append(one.encode())
            else:
                example.features.feature[name].float_list.value.append(float(one))
    return example.SerializeToString()


def rows_of(values):
    names = list(values)
    return [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]


def write_records(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def prediction_logs(examples, signature):
    """Yields one log for each 50 rows."""
    for part in itertools.batched(examples, 50) if hasattr(itertools, "batched") else _parts(examples, 50):
        inputs = {raw_features.EXAMPLES: tf.constant(list(part))}
        if signature == "raw":
            inputs = raw_features.to_tensors(SPEC, raw_features.parse_examples(SPEC, inputs[raw_features.EXAMPLES]))
        log = protos.PredictionLog()
        log.predict_log.request.model_spec.signature_name = signature
        for name, tensor in inputs.items():
            tensors.write(log.predict_log.request.inputs[name], tensor.numpy(), content=True)
        yield log.SerializeToString()


def _parts(values, size):
    return [values[start : start + size] for start in range(0, len(values), size)]


def write(folder, kind, values):
    """Writes requests, and returns the path of their file."""
    features = {name: values[name] for name in FEATURES}
    if kind == "parquet":
        path = folder / "requests.parquet"
        pd.DataFrame(features).to_parquet(path)
        return str(path)
    examples = [to_example(row) for row in rows_of(features)]
    path = folder / "requests.tfrecord"
    write_records(path, examples if kind == "examples" else prediction_logs(examples, kind))
    return str(path)


def figures(statistics):
    return {
        name: (column.rows, column.type, column.filled, column.values, dict(column.counts))
        for name, column in columns_of(statistics).items()
    }


KINDS = ("parquet", "examples", "serving_default", "raw")


def test_all_formats_have_the_statistics_of_the_log(tmp_path):
    values = columns(300, seed=3)
    expected = {name: one for name, one in figures(summary(values).statistics).items() if name in FEATURES}
    for kind in KINDS:
        found = request_statistics(write(tmp_path, kind, values), SPEC)
        assert figures(found) == expected, kind
        price = columns_of(found)["price"]
        assert price.mean == pytest.approx(np.mean(values["price"]), rel=1e-5)


@pytest.mark.parametrize("kind", ["parquet", "raw"])
def test_skew_is_found_by_its_column(tmp_path, kind):
    log = summary(columns(seed=1))
    requests = request_statistics(write(tmp_path, kind, columns(1000, seed=4)), SPEC)
    assert check_data(log, SPEC, DataChecks(), requests=requests).anomalies == ()
    skewed = columns(1000, seed=4)
    skewed["price"] = skewed["price"] / 100
    skewed["scenario"] = np.array(["SEARCH", "FEED"], object)[(skewed["scenario"] == "feed").astype(int)]
    skewed["age"] = [None] * 1000
    requests = request_statistics(write(tmp_path, kind, skewed), SPEC)
    found = {(one.column, one.check) for one in check_data(log, SPEC, DataChecks(), requests=requests).anomalies}
    assert found == {("price", "max_number_skew"), ("scenario", "max_skew"), ("age", "max_missing_change")}


def test_a_feature_without_a_column_is_missing(tmp_path):
    values = columns(1000, seed=4)
    frame = pd.DataFrame({name: values[name] for name in FEATURES if name != "city"})
    frame.to_parquet(tmp_path / "r.parquet")
    requests = request_statistics(str(tmp_path / "*.parquet"), SPEC)
    found = check_data(summary(columns(seed=1)), SPEC, DataChecks(), requests=requests).anomalies
    assert [(one.column, one.check) for one in found] == [("city", "max_missing_change")]


def test_files_without_requests_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data_checks.requests should be a file of requests"):
        request_statistics(str(tmp_path / "none.parquet"), SPEC)
    pd.DataFrame({"other": [1]}).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(LogError, match=r"should have columns of the spec. Received: other"):
        request_statistics(str(tmp_path / "r.parquet"), SPEC)
    write_records(tmp_path / "r.tfrecord", [b"no example"])
    with pytest.raises(LogError, match=r"should be a TFRecord of tf.Examples or PredictionLogs"):
        request_statistics(str(tmp_path / "r.tfrecord"), SPEC)
