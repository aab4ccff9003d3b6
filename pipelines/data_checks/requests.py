"""Statistics of requests in a file: Parquet, CSV, or TFRecord of tf.Examples or PredictionLogs."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_data_validation.statistics import stats_impl

from serving import protos, raw_features, tensors
from tfmtl.spec import DatasetSpec, GivenSplit, Task
from transforms.batches.errors import LogError
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import column_names, read, resolve_reader
from transforms.storage.files import find_files
from transforms.validation.validate import validate

_MAX_ROWS = 200_000
_MAX_LOGS = 200_000
_BATCH = 1024
_LABEL = "label"


def request_statistics(path: str, spec: DatasetSpec) -> Any:
    """Computes statistics of the features of requests, which TFDV compares with those of a log.

    The requests are tables of the features' columns in Parquet or CSV, tf.Examples in TFRecord, or PredictionLogs in
    TFRecord: the format of TensorFlow Serving's warm-up requests and request log. Of the PredictionLogs, those of
    Predict are read whose inputs are tf.Examples (`examples`) or one tensor for each feature (signature `raw`). At most
    200,000 rows are read.

    Args:
        path: File, or glob pattern of several ones.
        spec: Spec of the dataset.

    Returns:
        A `DatasetFeatureStatisticsList`.

    Raises:
        FileNotFoundError: If there is no such file.
        LogError: If a file has no valid request.
    """
    spec = spec.served
    paths = find_files(path)
    if not paths:
        raise FileNotFoundError(f"data_checks.requests should be a file of requests. Received: {path!r}")
    features = DatasetSpec(
        spec.name, tuple(map(_optional, spec.features)), (Task("unused", label=_free(spec)),), split=GivenSplit()
    )
    batches: list[pa.RecordBatch] = []
    rows = 0
    for one in paths:
        reader = resolve_reader("auto", one) if "warmup" not in one else "tfrecord"
        found = _records(one, features) if reader == "tfrecord" else _rows(one, features)
        for batch in found:
            batches.append(_complete(batch, features))
            rows += batch.num_rows
            if rows >= _MAX_ROWS:
                break
    if not rows:
        raise LogError(f"{path}: should have requests with valid features. Received: none.")
    table = pa.Table.from_batches(batches).combine_chunks()
    return stats_impl.generate_statistics_in_memory(table.to_batches(max_chunksize=table.num_rows)[0])


def _optional(feature: Any) -> Any:
    """Returns a feature that may be absent, alone or with the feature whose vocabulary it uses."""
    names = {one.name for one in dataclasses.fields(feature)}
    defaults = {"required": False, "vocabulary": None}
    return dataclasses.replace(feature, **{name: value for name, value in defaults.items() if name in names})


def _complete(batch: pa.RecordBatch, spec: DatasetSpec) -> pa.RecordBatch:
    """Returns all columns of the features in one order; one that the batch lacks has no value in any row."""
    columns = {}
    for one in raw_features.raw_inputs(spec):
        kind = pa.list_(pa.binary() if one.dtype == tf.string else pa.float32())
        found = one.name in batch.schema.names
        column = batch.column(batch.schema.get_field_index(one.name)) if found else pa.nulls(batch.num_rows, kind)
        columns[one.name] = column.cast(kind)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _free(spec: DatasetSpec) -> str:
    """Returns a name of a label that no column has."""
    taken = {name for one in spec.features for name in (one.name, getattr(one, "weights", None))}
    return next(name for name in (_LABEL + "_" * i for i in itertools.count()) if name not in taken)


def _rows(path: str, spec: DatasetSpec) -> Iterator[pa.RecordBatch]:
    """Reads a table; a feature without a column is missing in every row."""
    log_format = LogFormat()
    names = column_names(path, log_format) or []
    present = tuple(one for one in spec.features if one.name in names)
    if not present:
        raise LogError(f"{path}: should have columns of the spec. Received: {', '.join(names[:20])}")
    spec = dataclasses.replace(spec, features=present, groups={})
    label = spec.labels[0]
    columns = [name for one in present for name in (one.name, getattr(one, "weights", None)) if name]
    for batch in read(path, columns, log_format):
        zeros = pa.array(["0"] * batch.columns.num_rows)
        labelled = dataclasses.replace(batch, columns=batch.columns.append_column(label, zeros))
        typed = validate(labelled, spec).typed
        yield pa.RecordBatch.from_arrays([typed.column(name) for name in columns], columns)


def _records(path: str, spec: DatasetSpec) -> Iterator[pa.RecordBatch]:
    records = iter(tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "").as_numpy_iterator())
    examples: list[bytes] = []
    try:
        for record in itertools.islice(records, _MAX_LOGS):
            log = protos.PredictionLog.FromString(record)
            kind = log.WhichOneof("log_type")
            inputs = log.predict_log.request.inputs
            if kind is None:
                examples.append(record)
            elif list(inputs) == [raw_features.EXAMPLES]:
                examples += tensors.decode(inputs[raw_features.EXAMPLES]).ravel().tolist()
            elif kind == "predict_log":
                yield from _tensors({name: tensors.decode(one) for name, one in inputs.items()}, spec)
            if len(examples) >= _BATCH:
                yield _columns(raw_features.parse_examples(spec, tf.constant(examples)), len(examples))
                examples = []
        if examples:
            yield _columns(raw_features.parse_examples(spec, tf.constant(examples)), len(examples))
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError, DecodeError, ValueError) as error:
        text = str(error).splitlines()[0][:200]
        raise LogError(f"{path}: should be a TFRecord of tf.Examples or PredictionLogs. Received: {text}") from error


def _tensors(inputs: dict[str, np.ndarray], spec: DatasetSpec) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a request of the signature `raw`; other signatures have transformed features."""
    raw = raw_features.raw_inputs(spec)
    if not {one.name for one in raw} <= set(inputs):
        return
    given: dict[str, Any] = {}
    for one in raw:
        if (one.dtype == tf.string) != (inputs[one.name].dtype.kind in "OS"):
            return
        given[one.name] = tf.constant(inputs[one.name], one.dtype)
    yield _columns(raw_features.from_tensors(spec, given), len(inputs[raw[0].name]))


def _columns(features: dict[str, tf.SparseTensor], rows: int) -> pa.RecordBatch:
    """Returns lists of the values of each row, null in rows without one."""
    columns = {}
    for name, tensor in sorted(features.items()):
        values = tensor.values.numpy()
        row = tensor.indices.numpy()[:, 0]
        is_token = tensor.dtype == tf.string
        present = np.array([bool(value) for value in values], bool) if is_token else ~np.isnan(values)
        counts = np.bincount(row[present], minlength=rows)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        kind = pa.binary() if is_token else pa.float32()
        mask = [None if not count else int(offset) for count, offset in zip(counts, offsets[:-1], strict=True)]
        lists = pa.ListArray.from_arrays(
            pa.array([*mask, int(offsets[-1])], pa.int32()), pa.array(values[present].tolist(), kind)
        )
        columns[name] = lists
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
