"""Manifest of an ingested log: a folder of tf.Examples by split, counts of their tokens, and rejected rows."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa

from tfmtl import config
from tfmtl.config import require
from tfmtl.features import (
    NUMBER_COLUMNS,
    NUMBERS,
    CategoricalFeature,
    DenseFeature,
    Feature,
    MultiValuedFeature,
    NumericalFeature,
)
from tfmtl.spec import DatasetSpec, GivenSplit
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.ingest.token_counts import SCHEMA, merge
from transforms.storage.files import exists, open_stored

MANIFEST = "manifest.json"
COUNTS = "counts"
REJECTS = "rejects"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Column:
    """Description of a feature of the tf.Examples.

    Attributes:
        kind: Kind of the values: tokens (bytes), numbers (float, labels of values included) or labels (int64).
        rows: Number of rows with a value, by split.
        longest: Largest number of values in a row.
    """

    kind: Literal["tokens", "numbers", "labels"]
    rows: Mapping[str, int]
    longest: int = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Contents of the folder of an ingested log. A folder without the manifest's file is not complete.

    Attributes:
        source: Kind of log that was ingested.
        made_by: Options of the ingestion, and the raw files with their sizes, as plain data.
        spec: Spec by which the log can be read; it can also be read by other specs of the same columns.
        columns: Columns of the tf.Examples by name.
        rows: Number of rows by split.
        shards: Files of tf.Examples by split, the sample included, relative to the folder.
        counts: Files with counts of the tokens in the training rows, by column, relative to the folder.
        rejects: Files of the rejected rows, one line of JSON each, relative to the folder.
        report: Counts of read, accepted and rejected rows.
        notes: Other counts, as plain data.
        format: Version of the file's format.
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
        """Converts the manifest to plain data, with the hash of the spec as an additional item."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        columns = {name: dataclasses.asdict(column) for name, column in self.columns.items()}
        report = self.report.to_dict()
        return {**plain, "columns": columns, "report": report, "spec": self.spec.to_dict(), "spec_hash": self.spec.hash}

    @classmethod
    def load(cls, folder: str) -> "Manifest":
        """Reads the manifest of a folder.

        Args:
            folder: Folder of an ingested log, on a local disk or an object store.

        Returns:
            The manifest.

        Raises:
            FileNotFoundError: If the folder has no manifest, or one of another format.
        """
        path = os.path.join(folder, MANIFEST)
        if not exists(path):
            expected = "should be a folder that `tfmtl ingest` has finished"
            raise FileNotFoundError(f"{folder}: {expected}. Missing: {MANIFEST}")
        with open_stored(path) as file:
            plain = json.loads(file.read())
        found = plain.pop("format")
        if found != FORMAT:
            raise FileNotFoundError(f"{path}: format should be {FORMAT}; ingest the log again. Received: {found}")
        del plain["spec_hash"]
        plain["spec"] = DatasetSpec.from_dict(plain["spec"])
        plain["columns"] = {name: Column(**column) for name, column in plain["columns"].items()}
        plain["shards"] = {split: tuple(files) for split, files in plain["shards"].items()}
        plain["rejects"] = tuple(plain["rejects"])
        plain["report"] = IngestReport.from_dict(plain["report"])
        return cls(**plain)

    def check_spec(self, spec: DatasetSpec) -> None:
        """Checks that the log can be read by a spec.

        Args:
            spec: Spec of the dataset.

        Raises:
            FieldError: If a field of the spec does not match the log; the error names the field.
        """
        require(isinstance(spec.split, GivenSplit), ("split", "kind"), "given, as the log is split", spec.split.kind)
        empty = [split for split in SPLITS if not self.rows[split]]
        require(not empty, ("split",), f"a split with rows in {', '.join(SPLITS)}", f"none in {', '.join(empty)}")
        for i, feature in enumerate(spec.features):
            path = ("features", i)
            kind: Any = "numbers" if isinstance(feature, NUMBER_COLUMNS) else "tokens"
            column = self._column(feature.name, kind, (*path, "name"))
            if isinstance(feature, NUMBERS):
                expected = "omitted for a log that is ingested already, whose numbers are not counted"
                require(feature.quantiles is None, (*path, "quantiles"), expected, feature.quantiles)
            if isinstance(feature, DenseFeature):
                expected = "false for a log that is ingested already, whose numbers are not counted"
                require(not feature.standardize, (*path, "standardize"), expected, feature.standardize)
            if isinstance(feature, CategoricalFeature | NumericalFeature):
                expected = f"a kind of list, as rows have up to {column.longest} values"
                require(column.longest <= 1, (*path, "kind"), expected, feature.kind)
                full = not feature.required or all(column.rows[split] == self.rows[split] for split in self.rows)
                require(full, (*path, "required"), "false, as some rows have no value", feature.required)
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                self._column(feature.weights, "numbers", (*path, "weights"))
        for i, task in enumerate(spec.tasks):
            self._column(task.label, "numbers" if task.kind == "value" else "labels", ("tasks", i, "label"))
            if task.open_labels is not None:
                kinds: dict[str, Any] = {"column": "labels", "copy": "labels", "elapsed": "numbers"}
                for field, kind in kinds.items():
                    name = getattr(task.open_labels, field)
                    if name is not None:
                        self._column(name, kind, ("tasks", i, "open", field))
        if spec.weight is not None:
            self._column(spec.weight, "numbers", ("weight",))
        if spec.group_key is not None:
            self._column(spec.group_key, "tokens", ("group_key",))

    def token_counts(self, folder: str, feature: Feature) -> pa.Table:
        """Reads the counts of a feature's tokens in the training rows, as `TokenCounter` computes them.

        Args:
            folder: Folder of the log.
            feature: Feature of a spec that matches the log; its default is counted in rows without a value.

        Returns:
            A table of tokens and counts (`transforms.ingest.token_counts.SCHEMA`).
        """
        with open_stored(os.path.join(folder, self.counts[feature.name])) as file:
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
