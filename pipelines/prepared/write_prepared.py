"""Writes prepared data: the ingested rows of each split in one order, with everything that their scores need."""

import hashlib
import itertools
import json
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.prepared import row_order as order
from pipelines.prepared.columns import ColumnReader, Columns, write_columns
from pipelines.prepared.ground_truth import write_truth
from pipelines.prepared.prepared import EXAMPLES, PREPARED, TRANSFORM, Prepared
from pipelines.prepared.row_order import RowSorter
from pipelines.settings import Settings
from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS

FORMAT = 3
"""Version of the files; prepared data of another version are written again."""
_TRAINING_FILES = 8
_PART_BYTES = 8 * 2**20
"""Size in the ingested files, which are compressed, of the rows that are sorted at a time."""
_MAX_PARTS = 512


def write_prepared(
    settings: Settings, examples: str, transform_graph: str, made_of: dict[str, Any], folder: pathlib.Path
) -> None:
    """Writes the files that `Prepared.load` reads.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the folder of the log.
        examples: URI of the ingested examples.
        transform_graph: URI of the output of Transform.
        made_of: Plain data that identifies the input, kept in `PREPARED`.
        folder: Empty folder to write to.

    Raises:
        ValueError: If a split has no rows, or the true values of a simulated log are not those of its rows.
    """
    spec = settings.spec
    (folder / EXAMPLES).mkdir()
    shutil.copytree(transform_graph, folder / TRANSFORM)
    digest = hashlib.sha256(spec.to_json().encode())
    rows: dict[str, int] = {}
    for split in SPLITS:
        files = sorted(tf.io.gfile.glob(f"{examples}/Split-{split}/*"))  # In the order of the ingested rows.
        written = _write_split(spec, files, folder, split, digest.update)
        rows[split] = written.rows
        if split == "train":
            continue
        columns = written.columns()
        write_columns(folder, split, columns)
        if split == "test" and settings.simulator is not None:
            write_truth(settings, folder, written.ingested_rows(), columns.labels)
    for tokens in _vocabulary_bytes(Prepared(folder, spec, "", rows)):
        digest.update(tokens)
    plain = {
        "format": FORMAT,
        "spec": spec.to_dict(),
        "rows": rows,
        "made_of": made_of,
        "fingerprint": digest.hexdigest()[:16],
    }
    (folder / PREPARED).write_text(json.dumps(plain), encoding="utf-8")


class _Split:
    """Rows of a split in their order, and what is read of them while they are written.

    Args:
        spec: Spec of the dataset.
        split: Name of the split.
        sorter: The rows.
        on_fingerprints: Function to call with the bytes of the fingerprints, part by part.
    """

    def __init__(self, spec: DatasetSpec, split: str, sorter: RowSorter, on_fingerprints: Callable[[bytes], object]):
        self.rows = sorter.rows
        self._split, self._sorter, self._on_fingerprints = split, sorter, on_fingerprints
        self._reader = None if split == "train" else ColumnReader(spec)
        self._ingested_rows: list[np.ndarray] = []

    def records(self) -> Iterator[bytes]:
        """Yields the rows."""
        for records, fingerprints, ingested_rows in self._sorter.sorted_parts():
            self._on_fingerprints(fingerprints.tobytes())
            if self._reader is not None:
                self._reader.add(records)
                self._ingested_rows.append(ingested_rows)
            yield from records

    def ingested_rows(self) -> np.ndarray:
        """Returns the number of each row in the ingested split, int64 `(rows,)`, if it is not a training split."""
        return np.concatenate(self._ingested_rows)

    def columns(self) -> Columns:
        """Returns the columns of the rows of eval or test."""
        if self._reader is None or not self.rows:
            raise ValueError(f"the {self._split} split should hold rows. Received: none")
        return self._reader.columns()


def _write_split(
    spec: DatasetSpec,
    files: Sequence[str],
    folder: pathlib.Path,
    split: str,
    on_fingerprints: Callable[[bytes], object],
) -> _Split:
    """Writes the rows of a split in their order."""
    compressed_bytes = sum(tf.io.gfile.stat(file).length for file in files)
    parts = min(_MAX_PARTS, 1 + compressed_bytes // _PART_BYTES)
    with tempfile.TemporaryDirectory(prefix="sort_", dir=folder) as scratch:
        sorter = RowSorter(pathlib.Path(scratch), parts)
        for records, fingerprints in order.fingerprints(spec, tf.data.TFRecordDataset(files, "GZIP")):
            sorter.add(records, fingerprints)
        rows = _Split(spec, split, sorter, on_fingerprints)
        _write_records(folder / EXAMPLES, split, rows.records(), rows.rows)
    return rows


def _vocabulary_bytes(prepared: Prepared) -> Iterator[bytes]:
    """Yields the name and the tokens of each vocabulary."""
    for feature in vocabularies(prepared.spec):
        yield feature.encode()
        yield b"\n".join(prepared.transformed.vocabulary_by_name(feature))


def _write_records(folder: pathlib.Path, split: str, records: Iterator[bytes], rows: int) -> None:
    """Writes the rows of a split in their order; training rows into several files, which are read in parallel."""
    count = _TRAINING_FILES if split == "train" else 1
    for i in range(count):
        path = folder / f"{split}-{i:05d}-of-{count:05d}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in itertools.islice(records, rows // count + (i < rows % count)):
                writer.write(record)
