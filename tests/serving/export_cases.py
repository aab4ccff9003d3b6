"""Small spec, transform without analysis, raw rows and transformed rows, for tests of exports."""

import numpy as np
import tensorflow as tf

from tfmtl import DatasetSpec

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical}
  - {name: item, kind: categorical}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
scenario: user
""")
SIZES = {"user": 20, "item": 30}
RNG = np.random.default_rng(0)
FEATURES = {"user": RNG.integers(0, 21, 9), "item": RNG.integers(0, 31, 9)}


class HashTransform(tf.Module):
    """Transform in which the id of a token is its hash."""

    def __call__(self, features):
        found = {}
        for name, size in SIZES.items():
            tokens = tf.strings.reduce_join(tf.sparse.to_dense(features[name], default_value=""), axis=1)
            found[name] = tf.strings.to_hash_bucket_fast(tokens, size + 1)
        return found


def examples(rows):
    """Returns serialized tf.Examples of raw features."""
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"t%d" % i])) for name in SIZES}
            )
        ).SerializeToString()
        for i in range(rows)
    ]


def transformed(rows):
    """Returns the features that `HashTransform` makes of `examples(rows)`."""
    tokens = tf.constant([b"t%d" % i for i in range(rows)])
    return {name: tf.strings.to_hash_bucket_fast(tokens, size + 1).numpy() for name, size in SIZES.items()}
