"""Ingestion of the raw files of Ali-CCP, in one pass over each file."""

import dataclasses
import os
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from transforms.ali_ccp.common import CommonReader, CommonRows
from transforms.ali_ccp.options import IngestOptions
from transforms.ali_ccp.skeleton import SkeletonReader
from transforms.ali_ccp.tally import Tally
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.manifest import Manifest
from transforms.ingest.manifest_writer import IngestedWriter
from transforms.ingest.sampling import SAMPLE, Sampler, sampling_step
from transforms.readers.line_blocks import BLOCK_BYTES, Block, BlockReader
from transforms.storage.files import exists, open_file, sampled_checksum, size

SKELETON, COMMON = "sample_skeleton", "common_features"
SIDES = ("train", "test")
_EXTENSIONS = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")

Progress = Callable[[str, int, int], None]
"""Function of a file's name, the number of its bytes that were read, and its size in bytes (0 if it is unknown)."""


def ingest_ali_ccp(
    raw: str, out: str, options: IngestOptions, progress: Progress | None = None, *, block_bytes: int = BLOCK_BYTES
) -> Manifest:
    """Reads the raw files, joins skeleton and common rows, and writes tf.Examples by split.

    The common rows of the train or the test files are held in memory while their skeleton is read. If both have a
    field, the common row's is used. Rows of the train files form the train and eval splits, and those of the test files
    the test split.

    An ingestion that is interrupted leaves no manifest and starts from the beginning when it is run again. A folder
    that holds the complete ingestion of the same files with the same options is not changed; files are compared by
    their sizes and by a checksum of sampled pieces.

    Args:
        raw: Folder with `sample_skeleton_{train,test}.csv` and `common_features_{train,test}.csv`, each of which may be
            compressed (.gz, .bz2, .zst).
        out: Folder that is written to, which is new or holds an earlier ingestion.
        options: Selection of fields, of values and of the rows of the eval split.
        progress: Function that is called after each block.
        block_bytes: Number of bytes that are read at a time.

    Returns:
        The manifest of the ingested log.

    Raises:
        FileNotFoundError: If raw files are missing; the message names them.
        ConfigError: If `out` holds anything else.
    """
    files = find_files(raw)
    fingerprints = {os.path.basename(path): [size(path), sampled_checksum(path)] for path in files.values()}
    made_by = {**dataclasses.asdict(options), "files": fingerprints}
    writer = IngestedWriter(out, "ali-ccp", made_by)
    if writer.finished is not None:
        return writer.finished
    step = sampling_step(sum(size(path) for name, path in files.items() if name.startswith(SKELETON)))
    run = _Run(files, options, writer, Tally(options), step, block_bytes, progress)
    for side in SIDES:
        run.read_skeleton(side, run.read_common(side))
    return run.finish()


def find_files(raw: str) -> dict[str, str]:
    """Finds the raw files.

    Args:
        raw: Folder of the files.

    Returns:
        Path of each file by its name without extension.

    Raises:
        FileNotFoundError: If files are missing; the message names them.
    """
    names = [f"{kind}_{side}" for side in SIDES for kind in (COMMON, SKELETON)]
    paths = [(name, os.path.join(raw, name + extension)) for name in names for extension in reversed(_EXTENSIONS)]
    found = {name: path for name, path in paths if exists(path)}
    missing = [f"{name}.csv" for name in names if name not in found]
    if missing:
        raise FileNotFoundError(f"{raw}: should be a folder with Ali-CCP's files. Missing: {', '.join(missing)}")
    return found


@dataclasses.dataclass(frozen=True)
class _Run:
    """State of one ingestion.

    Attributes:
        files: Path of each raw file by its name without extension.
        options: Selection of fields, of values and of the rows of the eval split.
        writer: Writer of the ingested log.
        tally: Counts of rows and tokens.
        step: Number of rows of a split per row of the sample.
        block_bytes: Number of bytes that are read at a time.
        progress: Function that is called after each block.
    """

    files: dict[str, str]
    options: IngestOptions
    writer: IngestedWriter
    tally: Tally
    step: int
    block_bytes: int
    progress: Progress | None

    def read_common(self, side: str) -> CommonRows:
        """Reads the common rows of a side, train or test."""
        name = f"{COMMON}_{side}"
        reader = CommonReader(self.files[name], self.options)
        for block in self._blocks(name):
            features, rejections = reader.read(block)
            rejects = rejections.all_rejects()
            self.writer.reject(side, rejects)
            self.tally.add_common(features, rejections, rejects)
        return reader.rows()

    def read_skeleton(self, side: str, common: CommonRows) -> None:
        """Reads, writes and counts the skeleton rows of a side, train or test."""
        name = f"{SKELETON}_{side}"
        reader = SkeletonReader(self.files[name], common, self.options, test=side == "test")
        samplers = {split: Sampler(self.step) for split in SPLITS}
        repeats = np.zeros(len(common.examples), np.int64)
        for block in self._blocks(name):
            joined = reader.read(block)
            rejects = joined.rejections.all_rejects()
            self.writer.reject(side, rejects)
            self.tally.add_rows(joined, rejects)
            for i, split in enumerate(SPLITS):
                rows = np.flatnonzero(joined.split == i)
                examples = joined.examples(rows)
                sample = samplers[split].sample(self._empty_columns(joined.masks[rows]), examples)
                self.writer.write({split: examples, SAMPLE: sample})
            is_train = joined.split == SPLITS.index("train")
            self.tally.add_tokens(joined.features.filter(is_train[joined.features.row]))
            repeats += np.bincount(joined.common[is_train], minlength=len(repeats))
        for feature, counts in common.count_tokens(repeats):
            self.tally.tokens.add_counts(feature, counts)

    def finish(self) -> Manifest:
        """Completes the ingested log and returns its manifest."""
        tally, preparation = self.tally, self.options.preparation
        notes = {
            "summary": preparation.summary,
            "common": tally.common_report.to_dict(),
            "in_both": dict(sorted(tally.in_both.items())),
            "unknown_fields": dict(sorted(tally.unknown.items())),
            "sampling_step": self.step,
        }
        counts = tally.tokens.counts()
        return self.writer.finish(preparation.spec, tally.columns, tally.rows, counts, tally.report, notes)

    def _empty_columns(self, masks: np.ndarray) -> pa.RecordBatch:
        """Returns columns of empty lists, null where a row does not have the field.

        Args:
            masks: Set of fields of each row (`Features.masks`), uint32, shape `(rows,)`.
        """
        preparation, offsets = self.options.preparation, np.zeros(len(masks) + 1, np.int32)
        columns = {}
        for i, name in enumerate(preparation.columns):
            missing = np.append((masks >> np.uint32(i)) & 1 == 0, False)
            columns[name] = pa.ListArray.from_arrays(pa.array(offsets, mask=missing), pa.array([], pa.binary()))
            if name in preparation.weight_columns:
                weights = pa.ListArray.from_arrays(pa.array(offsets, mask=missing), pa.array([], pa.float32()))
                columns[preparation.weight_columns[name]] = weights
        return pa.RecordBatch.from_pydict(columns)

    def _blocks(self, name: str) -> Iterator[Block]:
        """Yields the blocks of a file and reports progress."""
        path, read_bytes = self.files[name], 0
        total = size(path) if path.endswith(".csv") else 0
        with open_file(path) as stream:
            for block in BlockReader(stream, self.block_bytes):
                yield block
                read_bytes += len(block.data)
                if self.progress is not None:
                    self.progress(name, read_bytes, total)
