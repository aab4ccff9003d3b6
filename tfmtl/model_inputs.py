"""From a spec to what a model sees: the transformed features, their shapes, and the rows of their embeddings."""

import dataclasses
from collections.abc import Mapping

from tfmtl.features import BAGS, NUMBERS, SEQUENCES, WEIGHTS_SUFFIX
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class TransformedInput:
    """One tensor of a model's input: its name, dtype and shape without the batch."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def transformed_inputs(spec: DatasetSpec) -> tuple[TransformedInput, ...]:
    """The tensors that the transform gives and a model takes: ids for each feature, and weights for each bag."""
    inputs = []
    for feature in spec.features:
        if isinstance(feature, BAGS):
            inputs.append(TransformedInput(feature.name, "int64", (feature.max_length,)))
            inputs.append(TransformedInput(feature.name + WEIGHTS_SUFFIX, "float32", (feature.max_length,)))
        else:
            inputs.append(TransformedInput(feature.name, "int64", ()))
    return tuple(inputs)


def bags(spec: DatasetSpec) -> tuple[str, ...]:
    """The features that hold several ids a row."""
    return tuple(f.name for f in spec.features if isinstance(f, BAGS))


def sequences(spec: DatasetSpec) -> tuple[str, ...]:
    """The bags whose places have an order."""
    return tuple(f.name for f in spec.features if isinstance(f, SEQUENCES))


def vocabularies(spec: DatasetSpec) -> tuple[str, ...]:
    """The features whose ids are those of a vocabulary; the others are numbers."""
    return tuple(f.name for f in spec.features if not isinstance(f, NUMBERS))


def embedding_rows(spec: DatasetSpec, vocabulary_sizes: Mapping[str, int]) -> dict[str, int]:
    """How many ids each feature has, in the order of the spec.

    Args:
        spec: of the data set.
        vocabulary_sizes: tokens in the vocabulary of each feature that has one, those of unseen tokens not counted.

    Raises:
        ValueError: if the size of a vocabulary is not given.
    """
    rows = {}
    for feature in spec.features:
        if isinstance(feature, NUMBERS):
            rows[feature.name] = feature.max_bucket - feature.min_bucket + 2
        elif feature.name not in vocabulary_sizes:
            raise ValueError(f"`vocabulary_sizes` should hold `{feature.name}`. Received: {sorted(vocabulary_sizes)}")
        else:
            rows[feature.name] = vocabulary_sizes[feature.name] + feature.num_oov
    return rows
