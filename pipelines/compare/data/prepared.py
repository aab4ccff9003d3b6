"""A data set made ready once: rows by split in one order, the transform, and what scores are measured against."""

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

PREPARED = "prepared.json"
EXAMPLES, TRANSFORM, TRUTH = "examples", "transform", "truth.npz"
GROUPS, SCENARIOS, SCENARIO_NAMES = "groups", "scenarios", "scenario_names"


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the scores of a split are measured against, row by row.

    Attributes:
        labels: by task.
        groups: the group of each row as a number; None where the spec has no group key.
        scenarios: the scenario of each row as a number; None where the spec has none.
        scenario_names: their names, by that number.
    """

    labels: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    scenarios: np.ndarray | None = None
    scenario_names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The folder that `pipelines.compare.data.prepare.prepare` makes.

    Attributes:
        folder: where everything is.
        spec: of the data set.
        fingerprint: of all rows, the vocabularies and the spec: two data sets that train the same models have the same.
        rows: how many, by split.
    """

    folder: pathlib.Path
    spec: DatasetSpec
    fingerprint: str
    rows: dict[str, int]

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Prepared":
        """The data in a folder. Raises `FileNotFoundError` if they are not complete."""
        plain = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
        return cls(folder, DatasetSpec.from_dict(plain["spec"]), plain["fingerprint"], plain["rows"])

    def files(self, split: str) -> list[str]:
        """GZIP TFRecords of tf.Examples."""
        return sorted(str(path) for path in (self.folder / EXAMPLES).glob(f"{split}-*.gz"))

    @functools.cached_property
    def transformed(self) -> tft.TFTransformOutput:
        """The output of Transform."""
        return tft.TFTransformOutput(str(self.folder / TRANSFORM))

    def transform(self) -> Callable[[dict], dict]:
        """Raw features to transformed ones."""
        return self.transformed.transform_features_layer()

    def vocabulary_sizes(self) -> dict[str, int]:
        """Tokens in the vocabulary of each feature that has one."""
        return vocabulary_sizes(self.spec, self.transformed)

    def columns(self, split: str) -> Columns:
        """Labels, groups and scenarios of the rows of `eval` or `test`, in the order of `files`."""
        with np.load(self.folder / f"{split}.npz") as arrays:
            held = dict(arrays)
        labels = {task.name: held[task.name] for task in self.spec.tasks}
        names = tuple(held.get(f"{SCENARIO_NAMES}:", np.array([])).tolist())
        return Columns(labels, held.get(f"{GROUPS}:"), held.get(f"{SCENARIOS}:"), names)

    def truth(self) -> dict[str, np.ndarray] | None:
        """The true probabilities and rates of the test rows by output; None where the log was not simulated."""
        path = self.folder / TRUTH
        if not path.exists():
            return None
        with np.load(path) as arrays:
            return dict(arrays)


def write_columns(path: pathlib.Path, columns: Columns) -> None:
    """Writes what `Prepared.columns` reads."""
    arrays: dict[str, Any] = dict(columns.labels)
    if columns.groups is not None:
        arrays[f"{GROUPS}:"] = columns.groups  # No task's name has a colon.
    if columns.scenarios is not None:
        arrays[f"{SCENARIOS}:"] = columns.scenarios
        arrays[f"{SCENARIO_NAMES}:"] = np.array(columns.scenario_names, np.str_)
    np.savez_compressed(path, **arrays)
