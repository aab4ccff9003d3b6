"""Preprocessing: log-rounded numbers against NumPy, and ids of tokens against a plain count."""

import doctest

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from tfmtl.features import CategoricalFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms import preprocessing
from transforms.graph.number_ids import log_round
from transforms.preprocessing import make_preprocessing_fn

VALUES = [0.0, 1.0, -1.0, 0.13, 7.5, 1e3, -1e3, 1e30, -1e30, float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": 1.0, "min_bucket": -5, "max_bucket": 5}, {"scale": 10.0, "max_bucket": 3}, {"default": 7.5}],
    ids=str,
)
def test_log_round_agrees_with_its_formula(options):
    feature = NumericalFeature("price", **options)
    ids = log_round(tf.constant(VALUES), feature).numpy()
    for value, found in zip(VALUES, ids, strict=True):
        if np.isnan(value) and feature.default is None:
            assert found == 0
            continue
        x = feature.default if np.isnan(value) else value
        bucket = np.sign(x) * np.round(np.log1p(np.abs(x)) * feature.scale)
        assert found == int(np.clip(bucket, feature.min_bucket, feature.max_bucket)) - feature.min_bucket + 1
    assert ids.dtype == np.int64


def test_ids_follow_frequency_threshold_and_default(tmp_path):
    """The ids of frequent tokens, in descending order of their counts, follow those of rare and unseen tokens."""
    spec = DatasetSpec(
        name="log",
        features=(
            CategoricalFeature("city", min_frequency=2, num_oov=1),
            CategoricalFeature("shop", min_frequency=2, num_oov=3, default=None),
        ),
        tasks=(Task("click", "click"),),
    )
    rows = [{"city": [c] if c else [], "shop": [c] if c else [], "click": [1]} for c in "aaaaabbbc" + " " * 4]
    rows = [{key: [v for v in value if v != " "] for key, value in row.items()} for row in rows]
    metadata = tft.DatasetMetadata.from_feature_spec(
        {
            "city": tf.io.VarLenFeature(tf.string),
            "shop": tf.io.VarLenFeature(tf.string),
            "click": tf.io.VarLenFeature(tf.int64),
        }
    )
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (transformed, _), _ = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(make_preprocessing_fn(spec))
    city = {"a": 1, "": 2, "b": 3, "c": 0}  # Counts: 5 a, 4 missing, 3 b; c is rare.
    for row, out in zip(rows, transformed, strict=True):
        token = row["city"][0] if row["city"] else ""
        assert out["city"] == city[token]
        assert out["shop"] == {"a": 3, "b": 4}.get(token, out["shop"] if out["shop"] < 3 else -1)
        assert out["click"] == 1.0


def test_examples_of_docstrings():
    assert doctest.testmod(preprocessing).failed == 0
