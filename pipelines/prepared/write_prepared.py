"""Writes prepared data: the ingested rows of each split in one order, with everything that their scores need."""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.prepared import row_order as order
from pipelines.prepared.ground_truth import write_truth
from pipelines.prepared.prepared import EXAMPLES, PREPARED, TRANSFORM, Columns, Prepared, write_columns
from pipelines.settings import Settings
from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS

FORMAT = 2
"""Version of the files; prepared data of another version are written again."""
_TRAINING_FILES = 8


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
        fingerprints, ingested_rows, columns = _write_split(spec, examples, folder, split)
        rows[split] = len(fingerprints)
        digest.update(fingerprints.tobytes())
        if columns is not None and split == "test" and settings.simulator is not None:
            write_truth(settings, folder, ingested_rows, columns.labels)
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


def _write_split(
    spec: DatasetSpec, examples: str, folder: pathlib.Path, split: str
) -> tuple[np.ndarray, np.ndarray, Columns | None]:
    """Writes the rows of a split in their order, and the columns of eval and test.

    Returns:
        Fingerprints of the rows, their numbers in the ingested split, and the columns; None for training rows.
    """
    records = _read_records(examples, split)
    fingerprints = order.fingerprints(spec, records)
    ingested_rows = np.argsort(fingerprints, kind="stable")
    records = [records[row] for row in ingested_rows]
    _write_records(folder / EXAMPLES, split, records)
    columns = None
    if split != "train":
        columns = _columns(spec, split, records)
        write_columns(folder / f"{split}.npz", columns)
    return fingerprints[ingested_rows], ingested_rows, columns


def _vocabulary_bytes(prepared: Prepared) -> Iterator[bytes]:
    """Yields the name and the tokens of each vocabulary."""
    for feature in vocabularies(prepared.spec):
        yield feature.encode()
        yield b"\n".join(prepared.transformed.vocabulary_by_name(feature))


def _read_records(examples: str, split: str) -> list[bytes]:
    """Reads the rows of a split in the order in which they were ingested, which the names of the files follow."""
    files = sorted(tf.io.gfile.glob(f"{examples}/Split-{split}/*"))
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def _write_records(folder: pathlib.Path, split: str, records: list[bytes]) -> None:
    """Writes the rows of a split in their order; training rows into several files, which are read in parallel."""
    count = _TRAINING_FILES if split == "train" else 1
    for i, rows in enumerate(np.array_split(np.arange(len(records)), count)):
        path = folder / f"{split}-{i:05d}-of-{count:05d}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for row in rows:
                writer.write(records[row])


def _columns(spec: DatasetSpec, split: str, records: list[bytes]) -> Columns:
    if not records:
        raise ValueError(f"the {split} split should hold rows. Received: none")
    scenarios, scenario_names = order.scenarios(spec, records)
    return Columns(order.labels(spec, records), order.group_keys(spec, records), scenarios, scenario_names)
