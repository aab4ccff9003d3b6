"""Prepared data: rows by split in one order, the transform graph, and the columns that scores are measured against."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_transform as tft

from pipelines.prepared.columns import Columns, open_array, read_columns
from pipelines.training.trainer import vocabulary_sizes
from tfmtl.spec import DatasetSpec
from transforms.graph.transform_graph import TransformGraph

PREPARED = "prepared.json"
EXAMPLES, TRANSFORM, TRUTH = "examples", "transform", "truth.npy"

Transform = Callable[[dict[str, Any]], dict[str, Any]]
"""Computes transformed features from raw ones."""


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
        """Opens labels, groups and scenarios of the rows of `eval` or `test`, in the order of `files`."""
        return read_columns(self.folder, split, [task.name for task in self.spec.tasks])

    def truth(self) -> dict[str, np.ndarray] | None:
        """Opens the true probabilities and rates of the test rows by output; None if the log was not simulated."""
        path = self.folder / TRUTH
        if not path.exists():
            return None
        return dict(zip([output.name for output in self.spec.outputs], open_array(path), strict=True))
