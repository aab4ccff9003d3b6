"""Reference model: one-hot logistic regression on the rows of the pipeline."""

import glob
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from serving.raw_features import parsing_spec
from tfmtl.features import NUMBERS, SEQUENCES
from tfmtl.metrics import roc_auc
from tfmtl.spec import ENTIRE, DatasetSpec

_ROWS = 65536


def reference_auc(spec: DatasetSpec, examples_uri: str, root: pathlib.Path) -> dict[str, float]:
    """Returns the test AUC of logistic regression, which is fitted once for the same examples and spec.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        root: Folder to keep the result in.

    Returns:
        AUC of each binary output by name.
    """
    kept = root / "reference.json"
    if kept.exists():
        last: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if last["examples"] == examples_uri and last["spec"] == spec.hash:
            return dict(last["auc"])
    auc = logistic_regression_auc(spec, examples_uri)
    kept.write_text(json.dumps({"examples": examples_uri, "spec": spec.hash, "auc": auc}), encoding="utf-8")
    return auc


def logistic_regression_auc(spec: DatasetSpec, examples_uri: str) -> dict[str, float]:
    """Fits scikit-learn's logistic regression (C = 1) on one-hot raw features, and returns its test AUC.

    Each token of a categorical or multivalent feature in the training split is a column of zeros and ones. A number `x`
    is a column with the value `sign(x) * log1p(|x|)`, and a sequence of numbers a column with the sum of these values.
    Each binary output has its own regression, on the rows of its space.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.

    Returns:
        AUC of each binary output by name.
    """
    columns: dict[tuple[str, bytes], int] = {}
    train, train_labels = _matrix(spec, f"{examples_uri}/Split-train/*", columns, grow=True)
    test, test_labels = _matrix(spec, f"{examples_uri}/Split-test/*", columns, grow=False)
    train.resize(train.shape[0], len(columns))
    test.resize(test.shape[0], len(columns))
    aucs = {}
    for output in spec.outputs:
        task = spec.task(output.task)
        if task.kind != "binary":
            continue
        train_rows, test_rows = slice(None), slice(None)
        if output.space != ENTIRE and task.follows:
            previous = spec.task(task.follows).label
            train_rows, test_rows = train_labels[previous] == 1, test_labels[previous] == 1
        model = LogisticRegression(C=1.0, solver="liblinear")
        model.fit(train[train_rows], train_labels[task.label][train_rows])
        aucs[output.name] = roc_auc(test_labels[task.label][test_rows], model.decision_function(test[test_rows]))
    return aucs


def _matrix(
    spec: DatasetSpec, pattern: str, columns: dict, grow: bool
) -> tuple[sparse.csr_matrix, dict[str, np.ndarray]]:
    """Returns the rows of a split as a sparse matrix, and its labels; `grow` adds a column for each new token."""
    features = parsing_spec(spec) | {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
    rows, cols, values, start = [], [], [], 0
    labels: dict[str, list[np.ndarray]] = {label: [] for label in spec.labels}
    records = tf.data.TFRecordDataset(sorted(glob.glob(pattern)), compression_type="GZIP").batch(_ROWS)
    for batch in records.map(lambda examples: tf.io.parse_example(examples, features)):
        for label in spec.labels:
            labels[label].append(batch[label].numpy())
        for feature in spec.features:
            entry = batch[feature.name]
            if isinstance(entry, tf.SparseTensor):
                index, entries = entry.indices.numpy()[:, 0], entry.values.numpy()
            else:
                index, entries = np.arange(len(entry)), entry.numpy()
            if isinstance(feature, SEQUENCES):
                present = ~np.isnan(entries) if isinstance(feature, NUMBERS) else entries != b""
                index, entries = index[present], entries[present]
            if isinstance(feature, NUMBERS):
                column = np.full(len(entries), columns.setdefault((feature.name, b""), len(columns)))
                value = np.sign(entries) * np.log1p(np.abs(entries))
            else:
                column = _columns(feature.name, entries, columns, grow)
                value = np.ones(len(entries))
            rows.append(start + index[column >= 0])
            cols.append(column[column >= 0])
            values.append(value[column >= 0])
        start += len(labels[spec.labels[0]][-1])
    shape = (start, len(columns))
    matrix = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=shape)
    return matrix, {label: np.concatenate(parts) for label, parts in labels.items()}


def _columns(name: str, tokens: Iterable[bytes], columns: dict, grow: bool) -> np.ndarray:
    unique, inverse = np.unique(np.asarray(tokens, dtype=object), return_inverse=True)
    if grow:
        found = [columns.setdefault((name, token), len(columns)) for token in unique]
    else:
        found = [columns.get((name, token), -1) for token in unique]
    return np.asarray(found, dtype=np.int64)[inverse] if len(found) else np.zeros(0, np.int64)
