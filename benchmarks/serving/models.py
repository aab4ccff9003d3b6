"""Exports of models with a given number of features, and rows for them."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from serving.export import export
from tfmtl.features import CategoricalFeature
from tfmtl.models import MMoE, MMoEOptions
from tfmtl.spec import DatasetSpec, Task

_IDS = 1000
_TOKENS = 500


class Vocabularies(tf.Module):
    """Transform that looks up the id of each token in a table, as the pipeline's transform does.

    Args:
        features: Names of the features.
    """

    def __init__(self, features: list[str]):
        super().__init__()
        keys, ids = [f"t{i}" for i in range(_TOKENS)], np.arange(1, _TOKENS + 1)
        self.tables = {
            name: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, ids), 0) for name in features
        }

    def __call__(self, raw: dict[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """Returns the id of each row's token by feature, `(batch,)`."""
        return {
            name: table.lookup(tf.sparse.to_dense(tf.sparse.reset_shape(raw[name]), default_value="")[:, 0])
            for name, table in self.tables.items()
        }


def spec_of(features: int) -> DatasetSpec:
    """Returns a spec with categorical features and a chain of click and conversion.

    Args:
        features: Number of features.
    """
    names = [f"feature_{i:03d}" for i in range(features)]
    tasks = (Task("ctr", "click"), Task("ctcvr", "conversion", follows="ctr"))
    return DatasetSpec(f"width_{features}", tuple(CategoricalFeature(name) for name in names), tasks)


def write_model(folder: pathlib.Path, features: int) -> None:
    """Exports an MMoE model with random weights as version 1.

    Args:
        folder: Folder of the versions.
        features: Number of features.
    """
    spec = spec_of(features)
    sizes = {feature.name: _IDS for feature in spec.features}
    options = MMoEOptions(embedding_dim=8, num_experts=4, expert_units=(64,), tower_units=(32,))
    export(MMoE(spec, sizes, options), Vocabularies(list(sizes)), str(folder / "1"), warmup_examples=examples(spec, 8))


def columns(spec: DatasetSpec, rows: int, seed: int = 0) -> dict[str, list[str]]:
    """Returns random rows as columns of tokens, some of which the vocabulary lacks.

    Args:
        spec: Spec of the dataset.
        rows: Number of rows.
        seed: Seed of the tokens.
    """
    rng = np.random.default_rng(seed)
    return {feature.name: [f"t{i}" for i in rng.integers(0, _IDS, rows)] for feature in spec.features}


def examples(spec: DatasetSpec, rows: int, seed: int = 0) -> list[bytes]:
    """Returns the same rows as serialized tf.Examples.

    Args:
        spec: Spec of the dataset.
        rows: Number of rows.
        seed: Seed of the tokens.
    """
    tokens = columns(spec, rows, seed)
    return [_example({name: values[i] for name, values in tokens.items()}) for i in range(rows)]


def _example(row: dict[str, str]) -> bytes:
    example: Any = tf.train.Example()
    for name, token in row.items():
        example.features.feature[name].bytes_list.value.append(token.encode())
    serialized: bytes = example.SerializeToString()
    return serialized
