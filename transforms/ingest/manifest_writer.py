"""Writing an ingested log, such that nothing looks complete before it is."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf

from tfmtl.config import ConfigError
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import Reject
from transforms.batches.rejects import write_rejects
from transforms.batches.report import IngestReport
from transforms.examples.shards import UNFINISHED, ShardWriter
from transforms.ingest.manifest import COUNTS, FORMAT, MANIFEST, REJECTS, Column, Manifest

_SHARDS = "Split-"
_NAME = "00000"


class IngestedWriter:
    """Writes the folder that `transforms.ingest.manifest.Manifest` describes.

    Every file is written in `<folder>/.unfinished` and renamed when it is whole, the manifest last. What an earlier
    writer left without a manifest is removed first.

    Args:
        folder: here or on an object store.
        source: what is ingested.
        made_by: the options and the files, as plain data.

    Attributes:
        finished: the manifest of the folder if the same was ingested into it before; there is nothing to write then.

    Raises:
        ConfigError: if the folder holds another log, or what no writer left.
    """

    def __init__(self, folder: str, source: str, made_by: Mapping[str, Any]):
        self._folder = folder
        self._source = source
        self._made_by = json.loads(json.dumps(made_by))
        self._rejects: dict[str, tf.io.gfile.GFile] = {}
        self.finished = self._finished()
        if self.finished is None:
            self._clear()
            self._shards = ShardWriter(folder, _NAME)

    def write(self, examples: Mapping[str, Iterable[bytes]]) -> None:
        """Appends serialized tf.Examples to their splits."""
        self._shards.write(examples)

    def reject(self, name: str, rejects: Sequence[Reject]) -> None:
        """Appends to the file of rejected rows of that name, which is not made for none."""
        if not rejects:
            return
        if name not in self._rejects:
            self._rejects[name] = tf.io.gfile.GFile(self._unfinished(_rejects_file(name)), "w")
        write_rejects(rejects, self._rejects[name])

    def finish(
        self,
        spec: DatasetSpec,
        columns: Mapping[str, Column],
        rows: Mapping[str, int],
        counts: Mapping[str, pa.Table],
        report: IngestReport,
        notes: Mapping[str, Any],
    ) -> Manifest:
        """Makes all files whole, and writes the manifest. Args: as its fields; `counts` are tables by column."""
        self._shards.finish()
        for name, file in self._rejects.items():
            file.close()
            self._rename(_rejects_file(name))
        for name, table in counts.items():
            with tf.io.gfile.GFile(self._unfinished(name), "wb") as file:
                file.write(_packed(table))
            self._rename(name, os.path.join(COUNTS, name))
        manifest = Manifest(
            source=self._source,
            made_by=self._made_by,
            spec=spec,
            columns=columns,
            rows=rows,
            shards=self._shard_files(),
            counts={name: os.path.join(COUNTS, name) for name in counts},
            rejects=tuple(map(_rejects_file, self._rejects)),
            report=report,
            notes=notes,
        )
        with tf.io.gfile.GFile(self._unfinished(MANIFEST), "w") as file:
            file.write(json.dumps(manifest.to_dict(), indent=1) + "\n")
        self._rename(MANIFEST)
        tf.io.gfile.rmtree(os.path.join(self._folder, UNFINISHED))
        return manifest

    def _finished(self) -> Manifest | None:
        try:
            manifest = Manifest.load(self._folder)
        except FileNotFoundError:
            return None
        if (manifest.source, manifest.made_by, manifest.format) == (self._source, self._made_by, FORMAT):
            return manifest
        held = {name: value for name, value in manifest.made_by.items() if self._made_by.get(name) != value}
        expected = "should be a new folder"
        raise ConfigError(f"{self._folder}: {expected}. Received: one that holds {manifest.source} with {held}")

    def _clear(self) -> None:
        names = tf.io.gfile.listdir(self._folder) if tf.io.gfile.exists(self._folder) else []
        names = [name.rstrip("/") for name in names]
        own = [name for name in names if name in (UNFINISHED, COUNTS) or name.startswith((_SHARDS, f"{REJECTS}-"))]
        strange = sorted(set(names) - set(own))
        if strange:
            expected = "should be a new folder, or one that an ingest left unfinished"
            raise ConfigError(f"{self._folder}: {expected}. Received: one with {', '.join(strange[:3])}")
        for name in own:
            path = os.path.join(self._folder, name)
            remove = tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove
            remove(path)
        tf.io.gfile.makedirs(os.path.join(self._folder, UNFINISHED))

    def _unfinished(self, name: str) -> str:
        return os.path.join(self._folder, UNFINISHED, name)

    def _rename(self, name: str, final: str = "") -> None:
        path = os.path.join(self._folder, final or name)
        tf.io.gfile.makedirs(os.path.dirname(path))
        tf.io.gfile.rename(self._unfinished(name), path, overwrite=True)

    def _shard_files(self) -> dict[str, tuple[str, ...]]:
        paths = tf.io.gfile.glob(os.path.join(self._folder, f"{_SHARDS}*", "*"))
        files: dict[str, list[str]] = {}
        for path in sorted(paths):
            split = os.path.basename(os.path.dirname(path))
            files.setdefault(split.removeprefix(_SHARDS), []).append(os.path.join(split, os.path.basename(path)))
        return {split: tuple(names) for split, names in files.items()}


def _rejects_file(name: str) -> str:
    return f"{REJECTS}-{name}.jsonl"


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
