"""Vocabularies as a Beam transform: the token counts of all workers are merged, pruned and written in order."""

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfmtl.features import Feature
from tfmtl.spec import DatasetSpec
from transforms.ingest.token_counts import SCHEMA, TOKEN, counted_features, lines_of, merge, prune
from transforms.storage.files import list_folder, open_output, open_stored

_PARTS = 8


class WriteVocabularies(beam.PTransform):
    """Writes `<folder>/<feature>`, one token per line, from a PCollection of `(feature, pack(counts))`.

    The file is identical to that of `tft.vocabulary`. The file of a number with quantiles has one bound per line
    instead (`transforms.ingest.quantiles.bounds`). The tokens of a feature are divided by their hash into parts,
    which are merged and pruned separately. The tokens that remain must fit into the memory of one worker.

    Args:
        spec: Spec of the dataset. Each feature in the collection gets a file, even if it has no token, but those whose
            values the spec does not count (`transforms.ingest.token_counts.counted_features`).
        folder: Folder of the vocabularies, which is created if it does not exist.
        counts: Folder in which the counts before pruning are kept, for `KeptCounts`; by default they are not kept.
    """

    def __init__(self, spec: DatasetSpec, folder: str, counts: str | None = None):
        super().__init__()
        self._spec = spec
        self._folder = folder
        self._counts = counts

    def expand(self, counts: beam.PCollection) -> beam.PCollection:
        """Applies the transform.

        Args:
            counts: Tuples of a feature's name and packed counts; a feature may occur many times.

        Returns:
            A PCollection with one None per file.
        """
        names = {name for _, name in counted_features(self._spec)}
        features = {feature.name: feature for feature in self._spec.features if feature.name in names}
        return (
            counts
            | "Counted" >> beam.Filter(_is_counted, names)
            | "Parts" >> beam.FlatMap(_parts)
            | "Merge" >> beam.CombinePerKey(_merged)
            | "Keep" >> beam.Map(_keep, self._counts)
            | "Prune" >> beam.Map(_pruned, features)
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write, features, self._folder)
        )


class KeptCounts(beam.PTransform):
    """Reads the counts that `WriteVocabularies` kept, as input of another `WriteVocabularies`.

    Args:
        folders: Folders of kept counts, one for each part of the log.
    """

    def __init__(self, folders: Sequence[str]):
        super().__init__()
        self._folders = folders

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Applies the transform.

        Args:
            begin: Beginning of a pipeline.

        Returns:
            A PCollection of `(feature, pack(counts))`.
        """
        paths = [
            posixpath.join(folder, name) for folder in self._folders for name in list_folder(folder) if "-" in name
        ]
        return begin | "Paths" >> beam.Create(paths) | "Read" >> beam.Map(_kept)


def pack(counts: pa.Table) -> bytes:
    """Serializes counts as an Arrow stream, which `unpack` reads.

    Arrow's own pickling of a slice may write the whole table.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(counts.combine_chunks())
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(packed: bytes) -> pa.Table:
    """Deserializes the counts of `pack`."""
    return pa.ipc.open_stream(packed).read_all()


def _is_counted(counts: tuple[str, bytes], names: Collection[str]) -> bool:
    return counts[0] in names


def _parts(counts: tuple[str, bytes]) -> Iterator[tuple[tuple[str, int], bytes]]:
    name, packed = counts
    yield (name, 0), pack(SCHEMA.empty_table())  # A feature without tokens gets a file as well.
    table = unpack(packed)
    part = tf.strings.to_hash_bucket_fast(table[TOKEN].to_numpy().astype(object), _PARTS).numpy()
    for number in np.unique(part).tolist():
        yield (name, number), pack(table.filter(pa.array(part == number)))


def _merged(parts: Iterable[bytes]) -> bytes:
    return pack(merge(map(unpack, parts)))


def _keep(part: tuple[tuple[str, int], bytes], folder: str | None) -> tuple[tuple[str, int], bytes]:
    (name, number), packed = part
    if folder is not None:
        with open_output(posixpath.join(folder, f"{name}-{number}")) as file:
            file.write(packed)
    return part


def _kept(path: str) -> tuple[str, bytes]:
    with open_stored(path) as file:
        return posixpath.basename(path).rpartition("-")[0], file.read()


def _pruned(part: tuple[tuple[str, int], bytes], features: Mapping[str, Feature]) -> tuple[str, bytes]:
    (name, _), packed = part
    return name, pack(prune(unpack(packed), features[name]))


def _write(parts: tuple[str, Iterable[bytes]], features: Mapping[str, Feature], folder: str) -> None:
    name, packed = parts
    with open_output(posixpath.join(folder, name)) as file:
        for line in lines_of(pa.concat_tables(map(unpack, packed)), features[name]):
            file.write(line + b"\n")
