"""Fingerprints, and exports of specs with a required feature."""

import os

import numpy as np
import pytest
import tensorflow as tf

from serving.client import PredictionError, TfmtlClient
from serving.export import describe, export
from serving.graph_hash import graph_hash
from serving.replay import warm_up
from serving.servable import Servable
from serving.server import EmbeddedServer
from tests.serving.export_cases import SIZES, SPEC, HashTransform, examples
from tests.tfmtl.tiny_models import tiny
from tfmtl import DatasetSpec


class VocabularyTransform(tf.Module):
    """Transform with a table for each feature; `variant` changes what it computes, but not the vocabularies."""

    def __init__(self, folder, variant="", tokens=("t0", "t1", "t2")):
        super().__init__()
        self.variant = variant
        self.tables = {}
        for name in SIZES:
            path = os.path.join(folder, f"{variant}{name}.txt")
            with open(path, "w") as file:
                file.writelines(f"{name}{token}\n" for token in tokens)
            initializer = tf.lookup.TextFileInitializer(
                path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.tables[name] = tf.lookup.StaticHashTable(initializer, -1)

    def __call__(self, features):
        found = {}
        for name, other in zip(SIZES, reversed(SIZES), strict=True):
            tokens = tf.strings.reduce_join(tf.sparse.to_dense(features[name], default_value=""), axis=1)
            tokens = tf.strings.lower(tokens) if self.variant == "lower" else tokens
            table = self.tables[other if self.variant == "swapped" else name]
            ids = table.lookup(tf.strings.join([name, tokens])) + (2 if self.variant == "shifted" else 1)
            found[name] = tf.cond(ids[0] > 10**6, lambda ids=ids: ids - 1, lambda ids=ids: ids)
        return found


@pytest.fixture(scope="module")
def model():
    return tiny("shared_bottom", SPEC, SIZES)


@pytest.fixture(scope="module")
def fingerprints(model, tmp_path_factory):
    """Fingerprint of an export by the variant of its transform."""
    folder = tmp_path_factory.mktemp("transforms")
    found = {}
    for variant in ("", "lower", "swapped", "shifted"):
        found[variant] = export(model, VocabularyTransform(folder, variant), str(folder / f"export-{variant}"))
    return found


def test_transforms_of_the_same_vocabularies_have_other_fingerprints(fingerprints):
    assert len(set(fingerprints.values())) == len(fingerprints)


def test_exports_of_one_model_have_one_fingerprint(model, fingerprints, tmp_path):
    """Names of nodes, functions and files differ."""
    tf.function(lambda x: x + 1)(tf.constant(1.0))
    (tmp_path / "elsewhere").mkdir()
    again = export(model, VocabularyTransform(tmp_path / "elsewhere"), str(tmp_path / "1"))
    assert again == fingerprints[""] == describe(tmp_path / "1")["fingerprint"]
    other = export(model, VocabularyTransform(tmp_path, tokens=("t0", "t2", "t1")), str(tmp_path / "2"))
    assert other != again


def test_graph_hash_sees_constants_and_branches(tmp_path):
    def save(name, factor, sign):
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def call(x):
            branch = tf.cond(tf.size(x) > 3, lambda: sign * x, lambda: x)
            return {
                "y": branch * tf.constant(factor),
                "z": tf.while_loop(lambda v: v[0] < 1, lambda v: (v + 1,), (x,))[0],
            }

        tf.saved_model.save(module, str(tmp_path / name), signatures={"serving_default": call})
        return graph_hash(str(tmp_path / name), "serving_default")

    first = save("a", [1.0, 2.0], -1.0)
    assert save("b", [1.0, 2.0], -1.0) == first
    assert save("c", [1.0, 3.0], -1.0) != first
    assert save("d", [1.0, 2.0], -2.0) != first


REQUIRED = DatasetSpec.from_dict(
    {**SPEC.to_dict(), "features": [{**SPEC.to_dict()["features"][0], "required": True}, SPEC.to_dict()["features"][1]]}
)


def empty_user():
    feature = {"user": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""]))}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@pytest.mark.parametrize("rows", [[], [b"", empty_user()], [b"", *examples(2)]])
def test_required_feature_and_warm_up(rows, tmp_path):
    """A request is written for each signature and size, with a placeholder where no row has the feature."""
    model = tiny("shared_bottom", REQUIRED, SIZES)
    export(model, HashTransform(), str(tmp_path / "1"), warmup_examples=rows)
    assert warm_up(Servable(tmp_path / "1")) == 9
    with EmbeddedServer({"shop": tmp_path}) as server, TfmtlClient(server.address, "shop") as client:
        assert np.isfinite(client.predict([{"user": "u1"}])["ctr"]).all()
        for example in (b"", empty_user()):
            with pytest.raises(PredictionError, match="user"):
                client.predict_examples([example])
        with pytest.raises(PredictionError, match="row 1, feature 'user' should be given"):
            client.predict([{"user": "u1"}, {}])


def test_nothing_is_written_if_a_row_is_not_valid(model, tmp_path):
    with pytest.raises(tf.errors.InvalidArgumentError):
        export(model, HashTransform(), str(tmp_path / "1"), warmup_examples=[b"garbage"])
    assert not (tmp_path / "1").exists()


def test_vocabularies_of_a_transform_that_was_loaded_count(model, tmp_path):
    """The Trainer loads the transform from the SavedModel that Transform wrote."""

    class Loaded(tf.Module):
        def __init__(self, folder):
            super().__init__()
            self.loaded = tf.saved_model.load(folder)

        def __call__(self, features):
            return self.loaded.call(features)

    digests = []
    for number, tokens in enumerate((("t0", "t1"), ("t1", "t0"), ("t0", "t1"))):
        (tmp_path / str(number)).mkdir()
        transform = VocabularyTransform(tmp_path / str(number), tokens=tokens)
        signature = {name: tf.SparseTensorSpec((None, None), tf.string) for name in SIZES}
        transform.call = tf.function(transform.__call__, input_signature=[signature])
        tf.saved_model.save(transform, str(tmp_path / f"transform-{number}"))
        loaded = Loaded(str(tmp_path / f"transform-{number}"))
        digests.append(export(model, loaded, str(tmp_path / f"export-{number}")))
    assert digests[0] == digests[2]
    assert digests[0] != digests[1]
