"""Check of the splits after the log has been read: rows in each split, and both classes of each binary label."""

import dataclasses
import glob
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from pipelines.components.example_gen import ingest_report
from pipelines.judged_rows import judged_rows
from pipelines.label_columns import known_labels, label_parsing
from pipelines.settings import Settings
from tfmtl.spec import ENTIRE, DatasetSpec, GivenSplit, Output, RandomSplit
from transforms.batches.errors import LogError
from transforms.batches.raw_batch import SPLITS
from transforms.batches.reasons import REASONS
from transforms.ingest.manifest import REJECTS

_BATCH_ROWS = 8192
_CONSEQUENCES = {
    "train": "there is nothing to learn for",
    "eval": "there is no validation AUC of",
    "test": "there is no test AUC of",
}
"""Consequence of a missing class, by split."""


class SplitError(LogError):
    """Error of a log whose rows do not suffice for training and evaluation."""


@dataclasses.dataclass(frozen=True)
class _MissingClass:
    """Class that no row of a split has, in the space of an output."""

    output: Output
    split: str
    condition: str

    def __str__(self) -> str:
        return f"No row of the {self.split} split has {self.condition}"


def check_splits(settings: Settings, examples_uri: str) -> list[str]:
    """Checks that each split has rows, and rows of both classes for the outputs that have thresholds.

    Args:
        settings: Settings of the experiment.
        examples_uri: Folder of the examples that `LogExampleGen` wrote.

    Returns:
        One sentence for each class that a split lacks although it is not required.

    Raises:
        SplitError: If there is no row, no valid row, no row in a split, or no row of a required class.
    """
    _check_rows(settings, examples_uri)
    missing = _missing_classes(settings.spec, examples_uri)
    for one in missing:
        name = one.output.name
        if settings.thresholds.get(name) is not None and one.split != "eval":
            advice = f"{_split_advice(settings.spec, one.split)}, or remove thresholds.{name}"
            raise SplitError(f"{one}, so that {name} cannot reach its thresholds. {advice}.")
    outputs: dict[str, list[str]] = {}
    for one in missing:
        outputs.setdefault(f"{one}: {_CONSEQUENCES[one.split]}", []).append(one.output.name)
    return [f"{text} {' and '.join(names)}." for text, names in outputs.items()]


def _check_rows(settings: Settings, examples_uri: str) -> None:
    total = ingest_report(examples_uri).total
    counts = {split: total.accepted.get(split, 0) for split in SPLITS}
    if not total.read:
        raise SplitError(f"{settings.data.path}: should have rows. Received: no row below the header.")
    if not sum(counts.values()):
        reason = max(total.rejected, key=lambda name: total.rejected[name])
        raise SplitError(
            f"{settings.data.path}: should have valid rows. Received: {total.read:,} rows, all of them rejected, "
            f"{total.rejected[reason]:,} as {reason} ({REASONS.get(reason, '')}).\n"
            f"Lines and values: {examples_uri}/{REJECTS}*"
        )
    empty = next((split for split, count in counts.items() if not count), None)
    if empty is not None:
        received = ", ".join(f"{count:,} in {split}" for split, count in counts.items())
        raise SplitError(
            f"The {empty} split should have rows. Received: {received}. {_split_advice(settings.spec, empty)}."
        )


def _split_advice(spec: DatasetSpec, split: str) -> str:
    if isinstance(spec.split, GivenSplit):
        return "Add rows to its files, and ingest them again"
    if isinstance(spec.split, RandomSplit):
        return "Use more rows" if split == "train" else f"Use more rows, or raise spec.split.{split}"
    return "Use more rows, or move spec.split.eval_from and test_from"


def _missing_classes(spec: DatasetSpec, examples_uri: str) -> list[_MissingClass]:
    """Reads the labels of each split until both classes of all binary outputs are found."""
    outputs = [output for output in spec.outputs if spec.task(output.task).kind == "binary"]
    missing = []
    for split in SPLITS:
        found: dict[str, set[int]] = {output.name: set() for output in outputs}
        for labels in _label_batches(spec, f"{glob.escape(examples_uri)}/Split-{split}/*"):
            for output in outputs:
                found[output.name] |= set(np.unique(_labels_in_space(spec, output, labels)).tolist())
            if all(len(values) == 2 for values in found.values()):
                break
        for output in outputs:
            for value in sorted({0, 1} - found[output.name]):
                missing.append(_MissingClass(output, split, _condition(spec, output, value)))
    return missing


def _label_batches(spec: DatasetSpec, pattern: str) -> Iterator[dict[str, np.ndarray]]:
    records = tf.data.TFRecordDataset(sorted(glob.glob(pattern)), compression_type="GZIP").batch(_BATCH_ROWS)
    for examples in records:
        parsed = tf.io.parse_example(examples, label_parsing(spec))
        labels = {name: values.numpy() for name, values in known_labels(spec, parsed).items()}
        if spec.weight is not None:
            kept = parsed[spec.weight].numpy() > 0
            labels = {name: values[kept] for name, values in labels.items()}
        yield labels


def _labels_in_space(spec: DatasetSpec, output: Output, labels: Mapping[str, np.ndarray]) -> np.ndarray:
    known: np.ndarray = labels[spec.task(output.task).label][judged_rows(spec, output, labels)]
    return known


def _condition(spec: DatasetSpec, output: Output, value: int) -> str:
    task = spec.task(output.task)
    text = f"{task.label} = {value}"
    if value == 0 and output.space != ENTIRE and task.follows is not None:
        text += f" and {spec.task(task.follows).label} = 1"  # Every positive row has it, as a chain requires.
    return text
