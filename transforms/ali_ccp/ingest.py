"""From the raw files of Ali-CCP to an ingested log, in one pass over each file."""

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
_ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")

Progress = Callable[[str, int, int], None]
"""Called with a file's name, how many bytes of it were read, and how many there are (0 if that is not known)."""


def ingest_ali_ccp(
    raw: str, out: str, options: IngestOptions, progress: Progress | None = None, *, block_bytes: int = BLOCK_BYTES
) -> Manifest:
    """Reads the raw files, joins skeleton and common rows, and writes tf.Examples by split.

    The common rows of one side, train or test, are held in memory while its skeleton is read. A field that both have
    is the common row's. Rows of the train files train or validate; those of the test files test.

    What is killed on the way leaves no manifest, and is made anew. What was made of the same files with the same
    options is left as it is; files are told apart by their sizes and a checksum of pieces of them.

    Args:
        raw: the folder with `sample_skeleton_{train,test}.csv` and `common_features_{train,test}.csv`, each of which
            may be compressed (.gz, .bz2, .zst).
        out: the folder to write to, a new one or what an earlier run left.
        options: what is kept.
        progress: is told how far each file was read.
        block_bytes: how much is read at a time.

    Raises:
        FileNotFoundError: naming the raw files that are missing.
        ConfigError: if `out` holds something else.
    """
    files = find_files(raw)
    kept = {os.path.basename(path): [size(path), sampled_checksum(path)] for path in files.values()}
    made_by = {**dataclasses.asdict(options), "files": kept}
    writer = IngestedWriter(out, "ali-ccp", made_by)
    if writer.finished is not None:
        return writer.finished
    step = sampling_step(sum(size(path) for name, path in files.items() if name.startswith(SKELETON)))
    run = _Run(files, options, writer, Tally(options), step, block_bytes, progress)
    for side in SIDES:
        run.read_skeleton(side, run.read_common(side))
    return run.finish()


def find_files(raw: str) -> dict[str, str]:
    """The paths of the raw files by their names without ending. Raises `FileNotFoundError` naming what is missing."""
    names = [f"{kind}_{side}" for side in SIDES for kind in (COMMON, SKELETON)]
    paths = [(name, os.path.join(raw, name + ending)) for name in names for ending in reversed(_ENDINGS)]
    found = {name: path for name, path in paths if exists(path)}
    missing = [f"{name}.csv" for name in names if name not in found]
    if missing:
        raise FileNotFoundError(f"{raw}: should be a folder with Ali-CCP's files. Missing: {', '.join(missing)}")
    return found


@dataclasses.dataclass(frozen=True)
class _Run:
    files: dict[str, str]
    options: IngestOptions
    writer: IngestedWriter
    tally: Tally
    step: int
    block_bytes: int
    progress: Progress | None

    def read_common(self, side: str) -> CommonRows:
        """The common rows of train or test."""
        name = f"{COMMON}_{side}"
        reader = CommonReader(self.files[name], self.options)
        for block in self._blocks(name):
            features, verdict = reader.read(block)
            rejects = verdict.rejects()
            self.writer.reject(side, rejects)
            self.tally.add_common(features, verdict, rejects)
        return reader.rows()

    def read_skeleton(self, side: str, common: CommonRows) -> None:
        """Writes and counts the rows of train or test."""
        name = f"{SKELETON}_{side}"
        reader = SkeletonReader(self.files[name], common, self.options, test=side == "test")
        samplers = {split: Sampler(self.step) for split in SPLITS}
        repeats = np.zeros(len(common.examples), np.int64)
        for block in self._blocks(name):
            joined = reader.read(block)
            rejects = joined.verdict.rejects()
            self.writer.reject(side, rejects)
            self.tally.add_rows(joined, rejects)
            for place, split in enumerate(SPLITS):
                rows = np.flatnonzero(joined.split == place)
                examples = joined.examples(rows)
                sample = samplers[split].sample(self._present(joined.masks[rows]), examples)
                self.writer.write({split: examples, SAMPLE: sample})
            trains = joined.split == SPLITS.index("train")
            self.tally.add_tokens(joined.features.take(trains[joined.features.row]))
            repeats += np.bincount(joined.common[trains], minlength=len(repeats))
        for feature, counts in common.count_tokens(repeats):
            self.tally.tokens.add_counts(feature, counts)

    def finish(self) -> Manifest:
        """Makes the log whole."""
        tally, preparation = self.tally, self.options.preparation
        notes = {
            "summary": preparation.summary,
            "common": tally.common_report.to_dict(),
            "in_both": dict(sorted(tally.both.items())),
            "unknown_fields": dict(sorted(tally.unknown.items())),
            "sampling_step": self.step,
        }
        counts = tally.tokens.counts()
        return self.writer.finish(preparation.spec, tally.columns, tally.rows, counts, tally.report, notes)

    def _present(self, masks: np.ndarray) -> pa.RecordBatch:
        """The columns, null where a row does not have the field; the lists are empty."""
        preparation, offsets = self.options.preparation, np.zeros(len(masks) + 1, np.int32)
        columns = {}
        for place, name in enumerate(preparation.columns):
            lacks = np.append((masks >> np.uint32(place)) & 1 == 0, False)
            columns[name] = pa.ListArray.from_arrays(pa.array(offsets, mask=lacks), pa.array([], pa.binary()))
            if name in preparation.weight_columns:
                weights = pa.ListArray.from_arrays(pa.array(offsets, mask=lacks), pa.array([], pa.float32()))
                columns[preparation.weight_columns[name]] = weights
        return pa.RecordBatch.from_pydict(columns)

    def _blocks(self, name: str) -> Iterator[Block]:
        """The lines of a file, in the order in which they stand there."""
        path, done = self.files[name], 0
        total = size(path) if path.endswith(".csv") else 0
        with open_file(path) as stream:
            for block in BlockReader(stream, self.block_bytes):
                yield block
                done += len(block.data)
                if self.progress is not None:
                    self.progress(name, done, total)
