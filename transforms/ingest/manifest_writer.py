"""Writer of an ingested log, whose folder is complete only when the manifest exists."""

import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tfmtl.config import ConfigError
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import Reject
from transforms.batches.report import IngestReport
from transforms.examples.shards import ShardWriter
from transforms.ingest.manifest import COUNTS, FORMAT, MANIFEST, REJECTS, Column, Manifest
from transforms.ingest.rejects_file import RejectsFile
from transforms.storage.atomic import UNFINISHED, atomic_file
from transforms.storage.files import list_folder, open_output, remove

_SHARDS = "Split-"
_NAME = "00000"


class IngestedWriter:
    """Writes the folder that `transforms.ingest.manifest.Manifest` describes.

    Every file is written in `<folder>/.unfinished` and renamed when it is complete, the manifest last. What an earlier
    writer left without a manifest is removed first.

    Args:
        folder: Folder of the ingested log, on a local disk or an object store.
        source: Kind of log that is ingested.
        made_by: Options and raw files, as plain data.

    Attributes:
        finished: Manifest of the folder if the same log was ingested into it before, in which case nothing is to be
            written; otherwise None.

    Raises:
        ConfigError: If the folder holds another log, or other files.
    """

    def __init__(self, folder: str, source: str, made_by: Mapping[str, Any]):
        self._folder = folder
        self._source = source
        self._made_by = json.loads(json.dumps(made_by))
        self._staging = posixpath.join(folder, UNFINISHED)
        self._rejects: dict[str, RejectsFile] = {}
        self.finished = self._finished()
        if self.finished is None:
            self._clear()
            self._shards = ShardWriter(folder, _NAME)

    def write(self, examples: Mapping[str, pa.Array | Iterable[bytes]]) -> None:
        """Appends serialized tf.Examples to their splits.

        Args:
            examples: Serialized tf.Examples by split.
        """
        self._shards.write(examples)

    def reject(self, name: str, rejects: Sequence[Reject]) -> None:
        """Appends rejected rows to a file, which is created with the first of them.

        Args:
            name: Name of the file within the folder, without `rejects-` and extension.
            rejects: Rejected rows; may be empty.
        """
        if not rejects:
            return
        if name not in self._rejects:
            self._rejects[name] = RejectsFile(self._path(_rejects_file(name)), self._staging)
        self._rejects[name].write(rejects)

    def finish(
        self,
        spec: DatasetSpec,
        columns: Mapping[str, Column],
        rows: Mapping[str, int],
        counts: Mapping[str, pa.Table],
        report: IngestReport,
        notes: Mapping[str, Any],
    ) -> Manifest:
        """Completes all files and writes the manifest.

        Args:
            spec: Spec by which the log can be read.
            columns: Columns of the tf.Examples by name.
            rows: Number of rows by split.
            counts: Counts of the tokens in the training rows by column (`transforms.ingest.token_counts.SCHEMA`).
            report: Counts of read, accepted and rejected rows.
            notes: Other counts, as plain data.

        Returns:
            The manifest.
        """
        self._shards.finish()
        for file in self._rejects.values():
            file.finish()
        count_files = {name: posixpath.join(COUNTS, name) for name in counts}
        for name, table in counts.items():
            self._write_file(count_files[name], _packed(table))
        manifest = Manifest(
            source=self._source,
            made_by=self._made_by,
            spec=spec,
            columns=columns,
            rows=rows,
            shards=self._shard_files(),
            counts=count_files,
            rejects=tuple(map(_rejects_file, self._rejects)),
            report=report,
            notes=notes,
        )
        self._write_file(MANIFEST, (json.dumps(manifest.to_dict(), indent=1) + "\n").encode())
        remove(self._staging)
        return manifest

    def _finished(self) -> Manifest | None:
        try:
            manifest = Manifest.load(self._folder)
        except FileNotFoundError:
            return None
        if (manifest.source, manifest.made_by, manifest.format) == (self._source, self._made_by, FORMAT):
            return manifest
        different = {name: value for name, value in manifest.made_by.items() if self._made_by.get(name) != value}
        expected = "should be a new folder"
        raise ConfigError(f"{self._folder}: {expected}. Received: one that holds {manifest.source} with {different}")

    def _clear(self) -> None:
        """Removes the files of an interrupted writer."""
        names = list_folder(self._folder)
        own = [name for name in names if name in (UNFINISHED, COUNTS) or name.startswith((_SHARDS, f"{REJECTS}-"))]
        others = sorted(set(names) - set(own))
        if others:
            expected = "should be a new folder, or one that an ingest left unfinished"
            raise ConfigError(f"{self._folder}: {expected}. Received: one with {', '.join(others[:3])}")
        for name in own:
            remove(self._path(name))

    def _path(self, name: str) -> str:
        return posixpath.join(self._folder, name)

    def _write_file(self, name: str, data: bytes) -> None:
        with atomic_file(self._path(name), self._staging) as temporary, open_output(temporary) as file:
            file.write(data)

    def _shard_files(self) -> dict[str, tuple[str, ...]]:
        """Returns the paths of the shards within the folder, by split."""
        folders = [name for name in list_folder(self._folder) if name.startswith(_SHARDS)]
        return {
            folder.removeprefix(_SHARDS): tuple(
                posixpath.join(folder, name) for name in list_folder(self._path(folder))
            )
            for folder in folders
        }


def _rejects_file(name: str) -> str:
    return f"{REJECTS}-{name}.jsonl"


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed
