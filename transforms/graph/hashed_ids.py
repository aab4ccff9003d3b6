"""Ids of tokens by their hash, of all hashed features in one operation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.types import Tensor
from transforms.graph.vocabulary_lookup import segment_ids

_HASHES = 1 << 62


def hashed_ids(features: Sequence[Any], tokens: Tensor, counts: Tensor) -> Tensor:
    """Returns the ids of tokens, `fingerprint64(seed + ":" + token) mod 2^62 mod buckets`.

    Args:
        features: Features or crosses, each with `hashed` (`tfmtl.features.Hashing`).
        tokens: Tokens of all features, one feature after another, `(tokens,)`.
        counts: Number of tokens of each feature, `(features,)` int64.

    Returns:
        `(tokens,)` int64.

    Example:
        >>> from tfmtl.features import CategoricalFeature, Hashing
        >>> feature = CategoricalFeature("user", hashed=Hashing(100))
        >>> hashed_ids([feature], tf.constant(["ann", "bob", "ann"]), tf.constant([3], tf.int64)).numpy().tolist()
        [49, 52, 49]
    """
    feature_of_token = segment_ids(counts, tf.size(tokens, tf.int64))
    seeds = tf.constant([f"{feature.hashed.seed}:" for feature in features])
    buckets = np.array([feature.hashed.buckets for feature in features], np.int64)
    hashes = tf.strings.to_hash_bucket_fast(tf.strings.join([tf.gather(seeds, feature_of_token), tokens]), _HASHES)
    return tf.math.floormod(hashes, tf.gather(buckets, feature_of_token))
