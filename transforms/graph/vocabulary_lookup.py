"""Lookup of the tokens of all features in one table.

A table for each feature would add tens of operations for each, which take most of the time of a request of many
features, and seconds wherever the graph is traced, loaded or saved.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.python.ops import lookup_ops  # The base class of initializers has no public name.

from tfmtl.types import Tensor


class Lookup(Protocol):
    """Function from tokens to ids.

    The id of a token in the vocabulary of its feature is its line, from 0, plus `num_oov`; other tokens hash to
    `0 .. num_oov - 1`.
    """

    def __call__(self, features: Sequence[Any], tokens: Tensor, counts: Tensor) -> Tensor:
        """Returns the ids of tokens.

        Args:
            features: Features whose vocabularies are used; some may use the same one.
            tokens: Tokens of all features, one feature after another, `(tokens,)`.
            counts: Number of tokens of each feature, `(features,)` int64.

        Returns:
            `(tokens,)` int64.
        """


@dataclasses.dataclass(frozen=True)
class CountedVocabularies:
    """Lookup in files that `transforms.ingest.beam_vocabularies.WriteVocabularies` wrote.

    Attributes:
        folder: Folder of the files, each of which has the name of its feature.
    """

    folder: str

    def __call__(self, features: Sequence[Any], tokens: Tensor, counts: Tensor) -> Tensor:
        """Computes `Lookup.__call__`."""
        names = list(dict.fromkeys(feature.name for feature in features))
        paths = [os.path.join(self.folder, name) for name in names]
        table = tft.make_and_track_object(
            lambda: tf.lookup.StaticHashTable(_Lines(paths), default_value=-1), name="vocabularies"
        )
        feature_of_token = segment_ids(counts, tf.size(tokens, tf.int64))
        prefixes = tf.constant([_prefix(names.index(feature.name)) for feature in features])
        lines = table.lookup(tf.strings.join([tf.gather(prefixes, feature_of_token), tokens]))
        sizes = np.array([feature.num_oov for feature in features], np.int64)
        num_oov = tf.constant(sizes[0]) if len(set(sizes)) == 1 else tf.gather(sizes, feature_of_token)
        unseen = tf.zeros_like(lines)
        for size in sorted(set(sizes.tolist()) - {1}):
            unseen = tf.where(tf.equal(num_oov, size), tf.strings.to_hash_bucket_fast(tokens, size), unseen)
        return tf.where(lines < 0, unseen, lines + num_oov)


class AnalyzedVocabularies:
    """Lookup in vocabularies that Transform computes from the rows (`tft.vocabulary`)."""

    def __call__(self, features: Sequence[Any], tokens: Tensor, counts: Tensor) -> Tensor:
        """Computes `Lookup.__call__`."""
        parts = tf.split(tokens, counts, num=len(features))
        names = [feature.name for feature in features]
        ids: dict[int, Tensor] = {}
        for name in dict.fromkeys(names):
            places = [i for i, one in enumerate(names) if one == name]
            found = self._ids(tf.concat([parts[i] for i in places], 0), features[places[0]])
            shared = tf.split(found, tf.gather(counts, places), num=len(places)) if len(places) > 1 else [found]
            ids |= dict(zip(places, shared, strict=True))
        return tf.concat([ids[i] for i in range(len(names))], 0)

    @staticmethod
    def _ids(tokens: Tensor, feature: Any) -> Tensor:
        vocabulary = tft.vocabulary(
            tokens,
            top_k=feature.max_tokens,
            frequency_threshold=feature.min_frequency if feature.min_frequency > 1 else None,
            vocab_filename=feature.name,
            name=f"{feature.name}_vocabulary",
        )

        def lookup(keys: Tensor, filename: Tensor) -> tuple[Tensor, Tensor]:
            initializer = tf.lookup.TextFileInitializer(
                filename,
                key_dtype=tf.string,
                key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                value_dtype=tf.int64,
                value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            )
            table = tf.lookup.StaticHashTable(initializer, default_value=-1)
            lines, unseen = table.lookup(keys), tf.strings.to_hash_bucket_fast(keys, feature.num_oov)
            return tf.where(lines < 0, unseen, lines + feature.num_oov), table.size()

        ids: Tensor = tft.apply_vocabulary(tokens, vocabulary, lookup_fn=lookup)
        return ids


def segment_ids(counts: Tensor, total: Tensor) -> Tensor:
    """Returns the segment of each element where the elements of one segment follow those of another.

    Args:
        counts: Number of elements of each segment, `(segments,)` int64.
        total: Their sum.

    Returns:
        `(total,)` int64.
    """
    later = tf.cumsum(counts)[:-1]
    starts = tf.scatter_nd(later[:, None], tf.ones_like(later), tf.stack([total + 1]))
    return tf.cumsum(starts)[:-1]


class _Lines(lookup_ops.TableInitializerBase):
    """Initializer of a table from the lines of several files, with the number of the file before the token.

    The files are assets, so that a SavedModel has a copy of each.

    Args:
        paths: Files with one token per line.
    """

    def __init__(self, paths: Sequence[str]):
        super().__init__(tf.string, tf.int64)
        self._assets = [self._track_trackable(tf.saved_model.Asset(path), f"file_{i}") for i, path in enumerate(paths)]

    def initialize(self, table: Any) -> Any:
        """Returns the operation that fills the table with the number of each line, from 0."""
        texts = tf.stack([tf.io.read_file(asset.asset_path) for asset in self._assets])
        lines = tf.strings.split(texts, "\n")
        file = lines.value_rowids()
        number = tf.range(tf.size(lines.values, tf.int64)) - tf.gather(lines.row_starts(), file)
        # The text after the last end of line is no line.
        is_line = (lines.values != "") | (number < tf.gather(lines.row_lengths(), file) - 1)
        prefixes = tf.constant([_prefix(number) for number in range(len(self._assets))])
        keys = tf.strings.join([tf.gather(prefixes, file), lines.values])
        return tf.raw_ops.LookupTableImportV2(
            table_handle=table.resource_handle,
            keys=tf.boolean_mask(keys, is_line),
            values=tf.boolean_mask(number, is_line),
        )


def _prefix(number: int) -> str:
    return f"{number}:"
