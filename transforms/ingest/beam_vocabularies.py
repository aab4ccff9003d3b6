"""Vocabularies as a Beam transform: the counts of all workers, merged, pruned and written in order."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfmtl.features import Feature
from tfmtl.spec import DatasetSpec
from transforms.ingest.token_counts import SCHEMA, TOKEN, merge, order, prune

_PARTS = 8


class WriteVocabularies(beam.PTransform):
    """Writes `<folder>/<feature>`, a token a line, from a PCollection of `(feature, pack(counts))`.

    The file is the one that `tft.vocabulary` would write. The tokens of a feature are merged in parts, by their hash,
    and pruned there; what is left has to fit into one worker's memory, as it has to fit into a server's.

    Args:
        spec: of the data set; each feature that is in the collection has a file, also if it has no token.
        folder: made if it is not there.
        counts: a folder in which the counts of all tokens are kept, for `KeptCounts`; by default they are not.
    """

    def __init__(self, spec: DatasetSpec, folder: str, counts: str | None = None):
        super().__init__()
        self._spec = spec
        self._folder = folder
        self._counts = counts

    def expand(self, counts: beam.PCollection) -> Any:
        """Called by Beam."""
        features = {feature.name: feature for feature in self._spec.features}
        return (
            counts
            | "Parts" >> beam.FlatMap(_parts)
            | "Merge" >> beam.CombinePerKey(_merged)
            | "Keep" >> beam.Map(_keep, self._counts)
            | "Prune" >> beam.Map(_pruned, features)
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write, features, self._folder)
        )


class KeptCounts(beam.PTransform):
    """The counts that `WriteVocabularies` kept in some folders, as it takes them.

    Args:
        folders: each of a part of the log.
    """

    def __init__(self, folders: Sequence[str]):
        super().__init__()
        self._folders = folders

    def expand(self, begin: beam.pvalue.PBegin) -> Any:
        """Called by Beam."""
        paths = [path for folder in self._folders for path in sorted(tf.io.gfile.glob(os.path.join(folder, "*-*")))]
        return begin | "Paths" >> beam.Create(paths) | "Read" >> beam.Map(_kept)


def pack(counts: pa.Table) -> bytes:
    """Counts as they travel between workers: what Arrow's own pickling of a part writes may be the whole."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(counts.combine_chunks())
    return sink.getvalue().to_pybytes()


def unpack(packed: bytes) -> pa.Table:
    """The counts of `pack`."""
    return pa.ipc.open_stream(packed).read_all()


def _parts(counts: tuple[str, bytes]) -> Iterator[tuple[tuple[str, int], bytes]]:
    name, packed = counts
    yield (name, 0), pack(SCHEMA.empty_table())  # So that a feature without tokens has a file too.
    table = unpack(packed)
    part = tf.strings.to_hash_bucket_fast(table[TOKEN].to_numpy().astype(object), _PARTS).numpy()
    for number in np.unique(part).tolist():
        yield (name, number), pack(table.filter(pa.array(part == number)))


def _merged(parts: Iterable[bytes]) -> bytes:
    return pack(merge(map(unpack, parts)))


def _keep(part: tuple[tuple[str, int], bytes], folder: str | None) -> tuple[tuple[str, int], bytes]:
    (name, number), packed = part
    if folder is not None:
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(os.path.join(folder, f"{name}-{number}"), "wb") as file:
            file.write(packed)
    return part


def _kept(path: str) -> tuple[str, bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        return os.path.basename(path).rpartition("-")[0], file.read()


def _pruned(part: tuple[tuple[str, int], bytes], features: Mapping[str, Feature]) -> tuple[str, bytes]:
    (name, _), packed = part
    return name, pack(prune(unpack(packed), features[name]))


def _write(parts: tuple[str, Iterable[bytes]], features: Mapping[str, Feature], folder: str) -> None:
    name, packed = parts
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, name), "wb") as file:
        for token in order(pa.concat_tables(map(unpack, packed)), features[name]):
            file.write(token + b"\n")
