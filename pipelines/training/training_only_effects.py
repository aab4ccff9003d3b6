"""Effects of the features that are known in training only, which the exported model does not show."""

import collections
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.training.input_pipeline import InputPipeline
from serving.raw_features import parsing_spec
from tfmtl.features import CategoricalFeature, NumericalFeature, TrainingOnly
from tfmtl.models import MultiTaskModel
from tfmtl.spec import DatasetSpec

EFFECTS = "training_only.json"
"""Name of the file in a `model_run` folder."""
_ROWS, _TRAIN_ROWS, _VALUES = 1_000, 20_000, 10


@dataclasses.dataclass(frozen=True)
class Effect:
    """Mean scores of rows by the value of a feature that is known in training only.

    Attributes:
        feature: Name of the feature.
        served: Value of the feature in the exported model.
        values: Values of training rows: the most frequent ones of a category, or quantiles of a number.
        means: Mean score by output if all rows had a value, one for each of `values`.
    """

    feature: str
    served: str | float
    values: tuple[str | float, ...]
    means: Mapping[str, tuple[float, ...]]


def measure_effects(
    model: MultiTaskModel, spec: DatasetSpec, transform: Any, files: Mapping[str, Sequence[str]]
) -> tuple[Effect, ...]:
    """Scores rows of the eval split with each value of each feature that is known in training only.

    Args:
        model: Trained model.
        spec: Spec of the dataset.
        transform: Callable that maps raw features to transformed features.
        files: TFRecord files of the splits `train` and `eval`.

    Returns:
        The effects, in the order of the spec; none if all features are known where the model is served.
    """
    if not spec.training_only_features:
        return ()
    train, rows = _first_rows(files["train"], _TRAIN_ROWS), _first_rows(files["eval"], _ROWS)
    if not rows or not train:
        return ()
    parsed = tf.io.parse_example(train, parsing_spec(spec))
    effects = []
    for feature in spec.training_only_features:
        column = parsed[feature.name]
        given = column.values.numpy() if isinstance(column, tf.SparseTensor) else column.numpy()
        values = _values(given)
        means: dict[str, list[float]] = {output.name: [] for output in spec.outputs}
        for value in values:
            for name, scores in _scores(model, spec, transform, rows, feature, value).items():
                means[name].append(float(np.mean(scores)))
        assert feature.training_only is not None
        served: Any = feature.training_only.value
        served = str(served) if isinstance(feature, CategoricalFeature) else float(served)
        effects.append(Effect(feature.name, served, values, {name: tuple(one) for name, one in means.items()}))
    return tuple(effects)


def write_effects(folder: str, effects: Sequence[Effect]) -> None:
    """Writes the effects, unless there are none.

    Args:
        folder: Folder to write to.
        effects: Effects of the features.
    """
    if effects:
        with tf.io.gfile.GFile(os.path.join(folder, EFFECTS), "w") as file:
            json.dump([dataclasses.asdict(one) for one in effects], file, indent=1)


def read_effects(folder: str) -> tuple[Effect, ...]:
    """Reads the effects that `write_effects` wrote; none if there is no file.

    Args:
        folder: Folder of the file.
    """
    path = os.path.join(folder, EFFECTS)
    if not tf.io.gfile.exists(path):
        return ()
    with tf.io.gfile.GFile(path) as file:
        plain = json.load(file)
    return tuple(
        Effect(
            one["feature"], one["served"], tuple(one["values"]), {name: tuple(m) for name, m in one["means"].items()}
        )
        for one in plain
    )


def _first_rows(files: Sequence[str], rows: int) -> list[bytes]:
    return list(tf.data.TFRecordDataset(sorted(files), "GZIP").take(rows).as_numpy_iterator())


def _values(column: np.ndarray) -> tuple[str | float, ...]:
    if column.dtype.kind == "f":
        present = column[~np.isnan(column)]
        return tuple(map(float, np.unique(np.quantile(present, np.linspace(0.05, 0.95, _VALUES)).astype(np.float32))))
    tokens = [value for value, _ in collections.Counter(column.tolist()).most_common(_VALUES) if value]
    texts = [token.decode("utf-8", "backslashreplace") for token in tokens]
    is_number = all(text.isdigit() for text in texts)
    return tuple(sorted(texts, key=int) if is_number else texts)


def _scores(
    model: MultiTaskModel,
    spec: DatasetSpec,
    transform: Any,
    rows: Sequence[bytes],
    feature: CategoricalFeature | NumericalFeature,
    value: str | float,
) -> dict[str, Any]:
    fixed = dataclasses.replace(feature, training_only=TrainingOnly(value))
    changed = dataclasses.replace(spec, features=tuple(fixed if one is feature else one for one in spec.features))
    inputs, *_ = InputPipeline(changed, transform, 1).parse(tf.constant(list(rows)), is_served=True)
    return model.score(inputs)
