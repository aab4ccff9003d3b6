"""Lookup of tokens in the vocabularies of several features, against plain Python."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.graph.vocabulary_lookup import CountedVocabularies, segment_ids
from transforms.preprocessing import make_preprocessing_fn

LINES = {"city": ["b", "a"], "shop": ["a", "1:b", ""], "item": ["x"], "area": ["b"]}
"""A token of one feature may be that of another, or look like one with its number."""
NUM_OOV = {"city": 1, "shop": 3, "item": 2, "area": 1}


@pytest.fixture(autouse=True)
def tracked(monkeypatch):
    """Keeps the tables, as the context of a transform graph does."""
    tables = []

    def track(make, name):
        with tf.init_scope():
            tables.append(make())
        return tables[-1]

    monkeypatch.setattr(tft, "make_and_track_object", track)
    return tables


def write(folder):
    for name, lines in LINES.items():
        text = "\n".join(lines) + "\n"
        (folder / name).write_bytes(text.encode())
    (folder / "item").write_bytes(b"x")  # A last line without its end.
    return str(folder)


def expected(name, token):
    if token in LINES[name]:
        return LINES[name].index(token) + NUM_OOV[name]
    return int(tf.strings.to_hash_bucket_fast(token, NUM_OOV[name]))


def test_ids_are_lines_of_the_feature_or_hashes(tmp_path):
    features = [CategoricalFeature(name, num_oov=NUM_OOV[name]) for name in LINES]
    lookup = CountedVocabularies(write(tmp_path))
    tokens = {"city": ["a", "b", "c", "0:a"], "shop": ["", "b", "1:b", "q", "a"], "item": [], "area": ["b", "a"]}
    counts = tf.constant([len(tokens[name]) for name in LINES], tf.int64)
    flat = [token for name in LINES for token in tokens[name]]
    found = tf.function(lambda: lookup(features, tf.constant(flat), counts))()
    assert found.numpy().tolist() == [expected(name, token) for name in LINES for token in tokens[name]]


@pytest.mark.parametrize("counts", [[2, 0, 3], [0, 0, 1], [4], [0], [0, 2, 0]], ids=str)
def test_segments_follow_one_another(counts):
    found = segment_ids(tf.constant(counts, tf.int64), tf.constant(sum(counts), tf.int64))
    assert found.numpy().tolist() == np.repeat(np.arange(len(counts)), counts).tolist()


def test_operations_of_a_feature_are_few(tmp_path):
    """Each further feature adds its input and its output, and no computation of its own."""

    def operations(count):
        names = [f"f{i}" for i in range(count)]
        for name in names:
            (tmp_path / name).write_bytes(b"a\n")
        spec = DatasetSpec("wide", tuple(CategoricalFeature(name) for name in names), (Task("click", "click"),))
        function = tf.function(make_preprocessing_fn(spec, str(tmp_path)), autograph=False)
        signature = {name: tf.SparseTensorSpec((None, None), tf.string) for name in names}
        return len(function.get_concrete_function(signature).graph.get_operations())

    assert operations(40) - operations(10) <= 30 * 5
