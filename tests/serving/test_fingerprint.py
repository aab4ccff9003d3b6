"""Fingerprint of exports, and warm-up requests of specs with required features."""

import dataclasses
import json

import keras
import pytest
import tensorflow as tf

from serving.export import describe, export
from serving.replay import warm_up
from serving.servable import Servable
from tests.serving.export_cases import SIZES, SPEC, HashTransform, examples
from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny
from tfmtl.model_inputs import transformed_inputs


class Transform(tf.Module):
    """Transform of the spec `cases.pair()`, by hashes of tokens and by a step of numbers."""

    def __init__(self, step=10.0, salt="", longest=None):
        super().__init__()
        self.step, self.salt, self.longest = step, salt, longest

    def __call__(self, features):
        found = {}
        prices = tf.sparse.to_dense(features["price"], float("nan"))
        prices = tf.pad(prices, [[0, 0], [0, 1]], constant_values=float("nan"))[:, 0]
        bucket = tf.clip_by_value(tf.math.floor(prices / self.step) + 2, 1, 9)
        found["price"] = tf.cast(tf.where(tf.math.is_nan(prices), 0.0, bucket), tf.int64)
        users = tf.pad(tf.sparse.to_dense(features["user"], ""), [[0, 0], [0, 1]], constant_values="")[:, 0]
        found["user"] = tf.strings.to_hash_bucket_fast(self.salt + users, cases.ROWS["user"])
        for name, length, size in (("tags", 3, 10), ("history", 4, 15)):
            rows = tf.RaggedTensor.from_sparse(features[name])[:, : self.longest or length]
            ids = rows.with_values(tf.strings.to_hash_bucket_fast(self.salt + rows.values, size))
            found[name] = ids.to_tensor(0, shape=(None, length))
            found[f"{name}__weights"] = tf.sequence_mask(rows.row_lengths(), length, tf.float32)
        return found


def exported(folder, transform, **options):
    keras.backend.clear_session()  # Names of layers are a part of a model.
    keras.utils.set_random_seed(1)
    return export(tiny("mmoe", cases.pair(), **options), transform, str(folder))


@pytest.fixture(scope="module")
def digest(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("first") / "1", Transform())


def test_transform_has_all_inputs_of_the_model():
    assert {i.name for i in transformed_inputs(cases.pair())} == {
        "user", "price", "tags", "tags__weights", "history", "history__weights"
    }  # fmt: skip


def test_exports_of_one_model_have_one_fingerprint(digest, tmp_path):
    assert exported(tmp_path / "2", Transform()) == digest
    assert describe(str(tmp_path / "2"))["fingerprint"] == digest


@pytest.mark.parametrize(
    "transform", [Transform(step=10.5), Transform(salt="s"), Transform(longest=2)], ids=["step", "salt", "length"]
)
def test_another_transform_with_the_same_vocabularies_has_another_fingerprint(digest, tmp_path, transform):
    assert exported(tmp_path / "1", transform) != digest


def test_other_options_have_another_fingerprint(digest, tmp_path):
    assert exported(tmp_path / "1", Transform(), dropout=0.25) != digest


@pytest.mark.parametrize("given", [None, ()])
def test_required_features_without_warm_up_examples(tmp_path, given):
    required = dataclasses.replace(SPEC, features=tuple(dataclasses.replace(f, required=True) for f in SPEC.features))
    options = {} if given is None else {"warmup_examples": given}
    export(tiny("mmoe", required, SIZES), HashTransform(), str(tmp_path / "1"), **options)
    assert warm_up(Servable(tmp_path / "1")) == 9
    assert json.loads((tmp_path / "1" / "assets.extra" / "tfmtl_model.json").read_text())["fingerprint"]


def test_required_features_with_warm_up_examples(tmp_path):
    required = dataclasses.replace(SPEC, features=tuple(dataclasses.replace(f, required=True) for f in SPEC.features))
    export(tiny("mmoe", required, SIZES), HashTransform(), str(tmp_path / "1"), warmup_examples=examples(3))
    assert warm_up(Servable(tmp_path / "1")) == 9
