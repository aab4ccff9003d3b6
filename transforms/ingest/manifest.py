"""A log that was ingested beforehand: tf.Examples by split, counts of their tokens, and a manifest, written last."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
import tensorflow as tf

from tfmtl import config
from tfmtl.config import require
from tfmtl.features import NUMBERS, CategoricalFeature, Feature, MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, GivenSplit
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.ingest.token_counts import SCHEMA, merge

INGESTED = "ingested"
"""What the reader of such a log is called."""
MANIFEST = "manifest.json"
COUNTS = "counts"
REJECTS = "rejects"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Column:
    """What is in a feature of the tf.Examples.

    Attributes:
        kind: tokens (bytes), numbers (float) or labels (int64).
        rows: how many rows have a value, by split.
        longest: how many values a row has at most.
    """

    kind: Literal["tokens", "numbers", "labels"]
    rows: Mapping[str, int]
    longest: int = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is in the folder of an ingested log. A folder without its file is not complete.

    Attributes:
        source: what was ingested.
        made_by: the options, and the raw files with their sizes.
        spec: how the log may be read; another spec with the same columns may read it too.
        columns: of the tf.Examples, by name.
        rows: by split.
        shards: files of tf.Examples by split, the sample included.
        counts: files with the tokens of the training rows, by column.
        rejects: files of the rejected rows, a line of JSON each.
        report: how many rows were read, accepted and rejected.
        notes: what else was counted on the way.
        format: of this file.
    """

    source: str
    made_by: Mapping[str, Any]
    spec: DatasetSpec
    columns: Mapping[str, Column]
    rows: Mapping[str, int]
    shards: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, str]
    rejects: tuple[str, ...]
    report: IngestReport
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the hash of the spec stands beside it."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        columns = {name: dataclasses.asdict(column) for name, column in self.columns.items()}
        report = self.report.to_dict()
        return {**plain, "columns": columns, "report": report, "spec": self.spec.to_dict(), "spec_hash": self.spec.hash}

    @classmethod
    def load(cls, folder: str) -> "Manifest":
        """The manifest of a folder.

        Raises:
            FileNotFoundError: if there is none, or it is of another version.
        """
        path = os.path.join(folder, MANIFEST)
        if not tf.io.gfile.exists(path):
            expected = "should be a folder that `tfmtl ingest` has finished"
            raise FileNotFoundError(f"{folder}: {expected}. Missing: {MANIFEST}")
        with tf.io.gfile.GFile(path) as file:
            plain = json.load(file)
        if plain.pop("format") != FORMAT:
            raise FileNotFoundError(f"{path}: should be of this version's format; ingest the log again")
        del plain["spec_hash"]
        plain["spec"] = DatasetSpec.from_dict(plain["spec"])
        plain["columns"] = {name: Column(**column) for name, column in plain["columns"].items()}
        plain["shards"] = {split: tuple(files) for split, files in plain["shards"].items()}
        plain["rejects"] = tuple(plain["rejects"])
        plain["report"] = IngestReport.from_dict(plain["report"])
        return cls(**plain)

    def check_spec(self, spec: DatasetSpec) -> None:
        """Checks that a spec can be read from the log.

        Raises:
            FieldError: naming the field of the spec that cannot.
        """
        require(isinstance(spec.split, GivenSplit), ("split", "kind"), "given, as the log is split", spec.split.kind)
        empty = [split for split in SPLITS if not self.rows[split]]
        require(not empty, ("split",), "of a log with rows to train, validate and test", f"none for {', '.join(empty)}")
        for i, feature in enumerate(spec.features):
            path = ("features", i)
            kind: Any = "numbers" if isinstance(feature, NUMBERS) else "tokens"
            column = self._column(feature.name, kind, (*path, "name"))
            if isinstance(feature, CategoricalFeature | NumericalFeature):
                expected = f"a kind of list, as a row has up to {column.longest} values"
                require(column.longest <= 1, (*path, "kind"), expected, feature.kind)
                full = not feature.required or all(column.rows[split] == self.rows[split] for split in self.rows)
                require(full, (*path, "required"), "false, as some rows have no value", feature.required)
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                self._column(feature.weights, "numbers", (*path, "weights"))
        for i, task in enumerate(spec.tasks):
            self._column(task.label, "labels", ("tasks", i, "label"))
        if spec.group_key is not None:
            self._column(spec.group_key, "tokens", ("group_key",))

    def token_counts(self, folder: str, feature: Feature) -> pa.Table:
        """The tokens of a feature in the training rows, as counted by `TokenCounter`."""
        with tf.io.gfile.GFile(os.path.join(folder, self.counts[feature.name]), "rb") as file:
            counts = pa.ipc.open_stream(file.read()).read_all()
        missing = self.rows["train"] - self.columns[feature.name].rows["train"]
        if isinstance(feature, CategoricalFeature) and feature.default and missing:
            default = pa.table([[feature.default.encode()], [missing]], schema=SCHEMA)
            counts = merge([counts, default])
        return counts

    def _column(self, name: str, kind: str, path: config.Path) -> Column:
        known = [other for other, column in self.columns.items() if column.kind == kind]
        require(name in known, path, f"a column of {kind}: {', '.join(known)}", name)
        return self.columns[name]
