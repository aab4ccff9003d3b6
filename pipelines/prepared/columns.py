"""Labels, groups and scenarios of a split's rows, and the files in which they are kept."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.label_columns import known_labels, label_parsing
from pipelines.prepared.row_order import joined_values, row_columns
from tfmtl.spec import DatasetSpec

_BLOCK_ROWS = 4096
_MISSING = "<missing>"
_LABELS, _GROUPS, _SCENARIOS, _SCENARIO_NAMES = "labels", "groups", "scenarios", "scenario_names"
_WEIGHTS = "weights"


@dataclasses.dataclass(frozen=True)
class Columns:
    """Labels, weights, groups and scenarios of a split's rows, against which scores are measured.

    Attributes:
        labels: Labels by task, NaN where they are not known, float32 `(rows,)`.
        groups: Number of each row's group, `(rows,)`; None if the spec has no group key. Rows without a group key are
            in one group.
        scenarios: Number of each row's scenario, `(rows,)`; None if the spec has no scenario. A row without a value is
            in the scenario of the feature's default token.
        scenario_names: Names of the scenarios; a scenario's number is an index.
        weights: Weights of the rows, float32 `(rows,)`; None for weights of 1.
    """

    labels: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    scenarios: np.ndarray | None = None
    scenario_names: tuple[str, ...] = ()
    weights: np.ndarray | None = None

    def weights_of(self, rows: np.ndarray) -> np.ndarray | None:
        """Returns the weights of some rows; None for weights of 1.

        Args:
            rows: Indices or mask of the rows.
        """
        return None if self.weights is None else self.weights[rows]


class ColumnReader:
    """Reads the columns of rows that are added in blocks: 4 bytes a row for each label, the group and the scenario.

    Args:
        spec: Spec of the dataset.
    """

    def __init__(self, spec: DatasetSpec):
        self._spec = spec
        self._labels: dict[str, list[np.ndarray]] = {task.name: [] for task in spec.tasks}
        self._weights: list[np.ndarray] = []
        self._groups, self._scenarios = _Numbering(), _Numbering()
        self._default = b""
        if spec.scenario is not None:
            self._default = (getattr(spec.feature(spec.scenario), "default", None) or _MISSING).encode()

    def add(self, examples: Sequence[bytes]) -> None:
        """Adds rows.

        Args:
            examples: Serialized tf.Examples.
        """
        spec = self._spec
        names = (spec.group_key, spec.scenario)
        strings = {name: column for name, column in row_columns(spec).items() if name in names}
        for start in range(0, len(examples), _BLOCK_ROWS):
            columns = {**strings, **label_parsing(spec)}
            parsed = tf.io.parse_example(list(examples[start : start + _BLOCK_ROWS]), columns)
            labels = known_labels(spec, parsed)
            for task in spec.tasks:
                self._labels[task.name].append(labels[task.label].numpy())
            if spec.weight is not None:
                self._weights.append(parsed[spec.weight].numpy())
            if spec.group_key is not None:
                self._groups.add(joined_values(parsed[spec.group_key]).numpy())
            if spec.scenario is not None:
                values = joined_values(parsed[spec.scenario]).numpy()
                self._scenarios.add(np.where(values == b"", self._default, values))

    def columns(self) -> Columns:
        """Returns the columns of all rows, in the order in which they were added."""
        labels = {task: np.concatenate(blocks) for task, blocks in self._labels.items()}
        groups = None if self._spec.group_key is None else self._groups.numbers()[0]
        weights = np.concatenate(self._weights) if self._weights else None
        if self._spec.scenario is None:
            return Columns(labels, groups, weights=weights)
        scenarios, names = self._scenarios.numbers()
        decoded = tuple(name.decode("utf-8", "backslashreplace") for name in names)
        return Columns(labels, groups, scenarios, decoded, weights)


class _Numbering:
    """Numbers strings by their order; blocks of strings are added one after another."""

    def __init__(self) -> None:
        self._index: dict[bytes, int] = {}
        self._blocks: list[np.ndarray] = []

    def add(self, strings: np.ndarray) -> None:
        found, inverse = np.unique(strings, return_inverse=True)
        indices = [self._index.setdefault(string, len(self._index)) for string in found]
        self._blocks.append(np.array(indices, np.int32)[inverse])

    def numbers(self) -> tuple[np.ndarray, list[bytes]]:
        names = sorted(self._index)
        ranks = np.zeros(len(names), np.int32)
        ranks[[self._index[name] for name in names]] = np.arange(len(names))
        return ranks[np.concatenate(self._blocks)], names


def write_columns(folder: pathlib.Path, split: str, columns: Columns) -> None:
    """Writes the files that `read_columns` reads.

    Args:
        folder: Folder to write to.
        split: Name of the split.
        columns: Columns of the split's rows.
    """
    np.save(folder / f"{split}-{_LABELS}.npy", np.stack(list(columns.labels.values())))
    if columns.groups is not None:
        np.save(folder / f"{split}-{_GROUPS}.npy", columns.groups)
    if columns.weights is not None:
        np.save(folder / f"{split}-{_WEIGHTS}.npy", columns.weights)
    if columns.scenarios is not None:
        np.save(folder / f"{split}-{_SCENARIOS}.npy", columns.scenarios)
        np.save(folder / f"{split}-{_SCENARIO_NAMES}.npy", np.array(columns.scenario_names, np.str_))


def read_columns(folder: pathlib.Path, split: str, tasks: Sequence[str]) -> Columns:
    """Opens the columns of a split; their values are read from the disk where they are used.

    Args:
        folder: Folder of the files.
        split: Name of the split.
        tasks: Names of the tasks, in the order of the labels.
    """
    labels = dict(zip(tasks, open_array(folder / f"{split}-{_LABELS}.npy"), strict=True))
    others = {
        name: open_array(path)
        for name in (_GROUPS, _SCENARIOS, _SCENARIO_NAMES, _WEIGHTS)
        if (path := folder / f"{split}-{name}.npy").exists()
    }
    names = tuple(others[_SCENARIO_NAMES].tolist()) if _SCENARIO_NAMES in others else ()
    return Columns(labels, others.get(_GROUPS), others.get(_SCENARIOS), names, others.get(_WEIGHTS))


def open_array(path: pathlib.Path) -> np.ndarray:
    """Returns the array of a file, which is mapped into memory and cannot be written.

    Args:
        path: File that `numpy.save` has written.
    """
    return np.asarray(np.load(path, mmap_mode="r"))
