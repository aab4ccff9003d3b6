"""Prepared data: rows by split in one order, the transform graph, and the columns that scores are measured against."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_transform as tft

from pipelines.training.trainer import vocabulary_sizes
from tfmtl.spec import DatasetSpec
from transforms.graph.transform_graph import TransformGraph

PREPARED = "prepared.json"
EXAMPLES, TRANSFORM, TRUTH = "examples", "transform", "truth.npz"
_GROUPS, _SCENARIOS, _SCENARIO_NAMES = "groups:", "scenarios:", "scenario_names:"
"""Names of the arrays that are not labels; no name of a task has a colon."""

Transform = Callable[[dict[str, Any]], dict[str, Any]]
"""Computes transformed features from raw ones."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """Labels, groups and scenarios of a split's rows, against which scores are measured.

    Attributes:
        labels: Labels by task, float32 `(rows,)`.
        groups: Number of each row's group, `(rows,)`; None if the spec has no group key.
        scenarios: Number of each row's scenario, `(rows,)`; None if the spec has no scenario.
        scenario_names: Names of the scenarios; a scenario's number is an index.
    """

    labels: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    scenarios: np.ndarray | None = None
    scenario_names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Folder of data that `pipelines.preparation.prepare` wrote.

    Attributes:
        folder: Path of the folder.
        spec: Spec of the dataset.
        fingerprint: Hash of all rows, the vocabularies and the spec; equal for data on which the same models are
            trained.
        rows: Number of rows by split.
        fraction: Share of the training rows that `files` has; see `pipelines.prepared.row_sample`.
        training_folder: Folder of the training rows if they are a sample.
    """

    folder: pathlib.Path
    spec: DatasetSpec
    fingerprint: str
    rows: dict[str, int]
    fraction: float = 1.0
    training_folder: pathlib.Path | None = None

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Prepared":
        """Loads the data of a folder.

        Args:
            folder: Path of the folder.

        Raises:
            FileNotFoundError: If the folder is not complete.
        """
        plain = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
        return cls(folder, DatasetSpec.from_dict(plain["spec"]), plain["fingerprint"], plain["rows"])

    def files(self, split: str) -> list[str]:
        """Returns the GZIP TFRecord files of a split's tf.Examples, in their order."""
        folder = self.folder / EXAMPLES
        if split == "train" and self.training_folder is not None:
            folder = self.training_folder
        return sorted(str(path) for path in folder.glob(f"{split}-*.gz"))

    def whole(self) -> "Prepared":
        """Returns the data with all training rows."""
        return self if self.fraction == 1 else Prepared.load(self.folder)

    @functools.cached_property
    def transformed(self) -> tft.TFTransformOutput:
        """Output of Transform."""
        return tft.TFTransformOutput(str(self.folder / TRANSFORM))

    def transform(self) -> Transform:
        """Returns the function that computes transformed features from raw ones."""
        return TransformGraph(self.transformed, self.spec)

    def vocabulary_sizes(self) -> dict[str, int]:
        """Returns the number of tokens in the vocabulary of each feature that has one."""
        return vocabulary_sizes(self.spec, self.transformed)

    def columns(self, split: str) -> Columns:
        """Reads labels, groups and scenarios of the rows of `eval` or `test`, in the order of `files`."""
        with np.load(self.folder / f"{split}.npz") as arrays:
            columns = dict(arrays)
        labels = {task.name: columns[task.name] for task in self.spec.tasks}
        names = tuple(columns.get(_SCENARIO_NAMES, np.array([])).tolist())
        return Columns(labels, columns.get(_GROUPS), columns.get(_SCENARIOS), names)

    def truth(self) -> dict[str, np.ndarray] | None:
        """Reads the true probabilities and rates of the test rows by output; None if the log was not simulated."""
        path = self.folder / TRUTH
        if not path.exists():
            return None
        with np.load(path) as arrays:
            return dict(arrays)


def write_columns(path: pathlib.Path, columns: Columns) -> None:
    """Writes the file that `Prepared.columns` reads.

    Args:
        path: File to write.
        columns: Columns of a split's rows.
    """
    arrays: dict[str, Any] = dict(columns.labels)
    if columns.groups is not None:
        arrays[_GROUPS] = columns.groups
    if columns.scenarios is not None:
        arrays[_SCENARIOS] = columns.scenarios
        arrays[_SCENARIO_NAMES] = np.array(columns.scenario_names, np.str_)
    np.savez_compressed(path, **arrays)
