"""Simulated rows of an evaluation: the spec, files of tf.Examples, and a model that returns random scores."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

FILE_ROWS = 20_000


@dataclasses.dataclass(frozen=True)
class Case:
    """Test split, and who evaluates it.

    Attributes:
        rows: Number of rows, a multiple of `FILE_ROWS`.
        scenarios: Number of scenarios; 0 for a spec without scenario.
        outputs: Number of outputs: 2 for two tasks, or 2 n - 1 for a chain of n tasks.
        by_tfma: True for TFMA, which does not compute GAUC.
    """

    rows: int
    scenarios: int
    outputs: int
    by_tfma: bool = False


def make_spec(case: Case) -> Any:
    """Returns the spec of a case, grouped by user.

    Args:
        case: The case.
    """
    from tfmtl.features import CategoricalFeature
    from tfmtl.spec import DatasetSpec, Task

    is_chain = case.outputs % 2 == 1
    names = [f"task_{number}" for number in range((case.outputs + 1) // 2 if is_chain else case.outputs)]
    tasks = tuple(Task(name, name, follows=names[i - 1] if i and is_chain else None) for i, name in enumerate(names))
    features = (CategoricalFeature("user"), CategoricalFeature("page"))
    return DatasetSpec("simulated", features, tasks, scenario="page" if case.scenarios else None, group_key="user")


def write_rows(path: pathlib.Path, spec: Any, scenarios: int) -> None:
    """Writes tf.Examples of users, pages and labels, of which half as many are positive with each further task.

    Args:
        path: TFRecord file, compressed with GZIP.
        spec: Spec of the rows.
        scenarios: Number of pages.
    """
    import tensorflow as tf

    rng = np.random.default_rng(0)
    users, pages = rng.integers(0, 5_000, FILE_ROWS), rng.integers(0, max(scenarios, 1), FILE_ROWS)
    depths = rng.geometric(0.5, FILE_ROWS) - 1
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for user, shown, depth in zip(users, pages, depths, strict=True):
            example = tf.train.Example()
            columns = example.features.feature
            columns["user"].bytes_list.value.append(str(user).encode())
            columns["page"].bytes_list.value.append(str(shown).encode())
            for number, label in enumerate(spec.labels):
                columns[label].int64_list.value.append(int(number < depth))
            writer.write(example.SerializeToString())


def save_model(folder: pathlib.Path, spec: Any) -> None:
    """Saves a model that returns random scores.

    Args:
        folder: Folder of the SavedModel.
        spec: Spec of the dataset, which the model describes.
    """
    import tensorflow as tf

    from serving.description import DESCRIPTION, ModelDescription

    outputs = [output.name for output in spec.outputs]
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    def score(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.sigmoid(tf.random.normal([tf.size(examples), 1], -1.0)) for name in outputs}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "rows")], autograph=False)
    def describe(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {DESCRIPTION: tf.fill(tf.shape(rows), ModelDescription(spec).to_json())}

    module.score, module.describe = score, describe
    tf.saved_model.save(module, str(folder), signatures={"serving_default": score, DESCRIPTION: describe})
