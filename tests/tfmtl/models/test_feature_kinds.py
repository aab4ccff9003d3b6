"""Crosses, shared and hashed ids and vectors in all models: finite scores, and gradients that reach each of them."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.tiny_models import OPTIONS, data_of, rows_of, tiny_randomized
from tfmtl.features import CategoricalFeature, Cross, DenseFeature, Hashing, MultiValuedFeature
from tfmtl.models import MODELS

ROWS = 8
ADDED = (
    CategoricalFeature("device", hashed=Hashing(7)),
    MultiValuedFeature("devices", max_length=2, vocabulary="device"),
    DenseFeature("title", length=3),
)


def extended(name):
    """Returns the spec of a model's test data with other kinds of features, and rows of it."""
    spec, _ = data_of(name)
    single = next(one.name for one in spec.features if isinstance(one, CategoricalFeature))
    crosses = (Cross("crossed", (single, "device"), buckets=11),)
    spec = dataclasses.replace(spec, features=(*spec.features, *ADDED), crosses=crosses)
    rng = np.random.default_rng(3)
    added = {
        "device": rng.integers(0, 7, ROWS),
        "devices": rng.integers(0, 7, (ROWS, 2)),
        "devices__weights": np.float32(rng.integers(0, 2, (ROWS, 2))),
        "title": np.float32(rng.normal(0, 1, (ROWS, 3))),
        "crossed": rng.integers(0, 11, ROWS),
    }
    return spec, {name: tf.constant(values) for name, values in (rows_of(name, ROWS)[0] | added).items()}


QUICK = ("mmoe", "man", "m2m", "apem", "adaftr", "single_task")
"""Models that read features in a way of their own; all others embed them as MMoE does."""


@pytest.mark.parametrize("name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in MODELS])
def test_every_kind_of_feature_has_an_effect_on_every_model(name):
    spec, features = extended(name)
    model = tiny_randomized(name, spec, data_of(name)[1])
    scores = model.score(features)
    assert set(scores) == {output.name for output in spec.outputs}
    assert all(np.isfinite(values).all() for values in scores.values())
    others = {"device": 7, "crossed": 11, "devices": 7}
    changes = {field: (features[field] + 1) % size for field, size in others.items()}
    changes |= {"title": features["title"] + 1.0, "devices__weights": 1 - features["devices__weights"]}
    for field, values in changes.items():
        changed = model.score(features | {field: values})
        assert any(np.abs(changed[output] - scores[output]).max() > 1e-7 for output in scores), field


def test_fields_of_raw_values_include_the_numbers_of_vectors():
    spec, features = extended("man")
    model = tiny_randomized("man", spec, data_of("man")[1], inputs="raw", **OPTIONS["man"])
    fields = len(data_of("man")[0].features) + 2 + 3 + 1
    assert tuple(model.embedding(features).shape) == (ROWS, fields, 1)
    np.testing.assert_allclose(model.embedding(features)[:, -3:, 0], features["title"], rtol=1e-6)


@pytest.mark.parametrize("name", ["mmoe", "single_task", "m2m"])
def test_training_moves_the_map_of_a_vector(name):
    spec, features = extended(name)
    model = tiny_randomized(name, spec, data_of(name)[1], wide=True)
    labels = rows_of(name, ROWS)[1]
    model.compile(optimizer="sgd")
    before = {id(layer): np.array(layer.kernels["title"]) for layer in model.sparse_embeddings}
    model.fit(features, labels, batch_size=ROWS, verbose=0)
    for layer in model.sparse_embeddings:
        assert np.abs(np.array(layer.kernels["title"]) - before[id(layer)]).max() > 0, layer.name
