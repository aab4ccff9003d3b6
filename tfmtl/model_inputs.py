"""Inputs of a model: names, shapes and numbers of ids of the transformed features of a spec."""

import dataclasses
from collections.abc import Mapping

from tfmtl.features import MULTIVALENT, NUMBERS, SEQUENCES, TOKENS, WEIGHTS_SUFFIX, DenseFeature
from tfmtl.offsets import EXPOSURE_SUFFIX, Offset
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class TransformedInput:
    """One tensor of a model's input.

    Attributes:
        name: Name of the tensor.
        dtype: Name of its dtype.
        shape: Its shape without the batch dimension.

    Example:
        >>> from tfmtl.model_inputs import TransformedInput
        >>> TransformedInput("tags", dtype="int64", shape=(8,)).shape
        (8,)
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


def transformed_inputs(spec: DatasetSpec) -> tuple[TransformedInput, ...]:
    """Returns the tensors that the transform produces and a model takes.

    Args:
        spec: Spec of the dataset.

    Returns:
        The ids of each feature and the weights of each multivalent feature, or the vector of a dense one, in the order
        of the spec; then the ids of each cross; then the exposure of each count with an offset, a number that is 0
        where it is missing.

    Example:
        >>> from tfmtl.features import CategoricalFeature, MultiValuedFeature
        >>> from tfmtl.model_inputs import transformed_inputs
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), MultiValuedFeature("tags", max_length=8))
        >>> spec = DatasetSpec("shop", features, (Task("click", label="clicked"),))
        >>> [(tensor.name, tensor.shape) for tensor in transformed_inputs(spec)]
        [('user', ()), ('tags', (8,)), ('tags__weights', (8,))]
    """
    inputs = []
    for feature in spec.features:
        if isinstance(feature, MULTIVALENT):
            inputs.append(TransformedInput(feature.name, "int64", (feature.max_length,)))
            inputs.append(TransformedInput(feature.name + WEIGHTS_SUFFIX, "float32", (feature.max_length,)))
        elif isinstance(feature, DenseFeature):
            inputs.append(TransformedInput(feature.name, "float32", (feature.length,)))
        else:
            inputs.append(TransformedInput(feature.name, "int64", ()))
    inputs += [TransformedInput(cross.name, "int64", ()) for cross in spec.crosses]
    inputs += [TransformedInput(task + EXPOSURE_SUFFIX, "float32", ()) for task in offsets(spec)]
    return tuple(inputs)


def offsets(spec: DatasetSpec) -> dict[str, Offset]:
    """Returns the offset of each count that has one.

    Args:
        spec: Spec of the dataset.

    Returns:
        Offsets by task name, in the order of the spec.

    Example:
        >>> from tfmtl.features import NumericalFeature
        >>> from tfmtl.model_inputs import offsets
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> task = Task("clicks", label="clicks", kind="count", offset="shown")
        >>> offsets(DatasetSpec("ads", (NumericalFeature("shown"),), (task,)))
        {'clicks': Offset(feature='shown', mean_of_last=None, floor=0.01)}
    """
    return {task.name: task.offset for task in spec.tasks if isinstance(task.offset, Offset)}


def multivalent_features(spec: DatasetSpec) -> tuple[str, ...]:
    """Returns the names of the multivalent features: those with several ids per row.

    Args:
        spec: Spec of the dataset.

    Returns:
        Names in the order of the spec.

    Example:
        >>> from tfmtl.features import CategoricalFeature, MultiValuedFeature
        >>> from tfmtl.model_inputs import multivalent_features
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), MultiValuedFeature("tags"))
        >>> multivalent_features(DatasetSpec("shop", features, (Task("click", label="clicked"),)))
        ('tags',)
    """
    return tuple(feature.name for feature in spec.features if isinstance(feature, MULTIVALENT))


def sequences(spec: DatasetSpec) -> tuple[str, ...]:
    """Returns the names of the multivalent features whose positions are in order of time.

    Args:
        spec: Spec of the dataset.

    Returns:
        Names in the order of the spec.

    Example:
        >>> from tfmtl.features import MultiValuedFeature, SequenceFeature
        >>> from tfmtl.model_inputs import sequences
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (MultiValuedFeature("tags"), SequenceFeature("history"))
        >>> sequences(DatasetSpec("shop", features, (Task("click", label="clicked"),)))
        ('history',)
    """
    return tuple(feature.name for feature in spec.features if isinstance(feature, SEQUENCES))


def vocabularies(spec: DatasetSpec) -> tuple[str, ...]:
    """Returns the names of the features that have a vocabulary of their own.

    The others are discretized numbers, or have hashed ids or the vocabulary of another feature.

    Args:
        spec: Spec of the dataset.

    Returns:
        Names in the order of the spec.

    Example:
        >>> from tfmtl.features import CategoricalFeature, NumericalFeature
        >>> from tfmtl.model_inputs import vocabularies
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), NumericalFeature("price"))
        >>> vocabularies(DatasetSpec("shop", features, (Task("click", label="clicked"),)))
        ('user',)
    """
    tokens = (feature for feature in spec.features if isinstance(feature, TOKENS))
    return tuple(feature.name for feature in tokens if feature.hashed is None and feature.vocabulary is None)


def shared_fields(spec: DatasetSpec) -> dict[str, str]:
    """Returns the features that use the vocabulary, and in a model the embeddings, of another one.

    Args:
        spec: Spec of the dataset.

    Returns:
        Name of the feature whose vocabulary it is, by the name of the feature that uses it.

    Example:
        >>> from tfmtl.features import CategoricalFeature, SequenceFeature
        >>> from tfmtl.model_inputs import shared_fields
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("item"), SequenceFeature("last_items", vocabulary="item"))
        >>> shared_fields(DatasetSpec("shop", features, (Task("click", label="clicked"),)))
        {'last_items': 'item'}
    """
    owners = {feature.name: spec.vocabulary_of(feature).name for feature in spec.features}
    return {name: owner for name, owner in owners.items() if name != owner}


def dense_lengths(spec: DatasetSpec) -> dict[str, int]:
    """Returns the length of the vector of each dense feature.

    Args:
        spec: Spec of the dataset.

    Returns:
        Lengths by name, in the order of the spec.

    Example:
        >>> from tfmtl.features import CategoricalFeature, DenseFeature
        >>> from tfmtl.model_inputs import dense_lengths
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), DenseFeature("title", length=64))
        >>> dense_lengths(DatasetSpec("shop", features, (Task("click", label="clicked"),)))
        {'title': 64}
    """
    return {feature.name: feature.length for feature in spec.features if isinstance(feature, DenseFeature)}


def embedding_rows(spec: DatasetSpec, vocabulary_sizes: Mapping[str, int]) -> dict[str, int]:
    """Returns the number of ids of each feature and cross, which is its number of rows in an embedding table.

    Args:
        spec: Spec of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one, without the ids of unseen
            tokens.

    Returns:
        Number of ids by the name of the feature or cross, in the order of the spec.

    Raises:
        ValueError: If the size of a vocabulary is missing.

    Example:
        >>> from tfmtl.features import CategoricalFeature, NumericalFeature
        >>> from tfmtl.model_inputs import embedding_rows
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), NumericalFeature("price", max_bucket=8))
        >>> spec = DatasetSpec("shop", features, (Task("click", label="clicked"),))
        >>> embedding_rows(spec, {"user": 100})
        {'user': 101, 'price': 10}
    """
    rows = {}
    for feature in spec.features:
        owner = spec.vocabulary_of(feature)
        if isinstance(owner, DenseFeature):
            continue
        if isinstance(owner, NUMBERS):
            rows[feature.name] = owner.buckets + 1
        elif owner.hashed is not None:
            rows[feature.name] = owner.hashed.buckets
        elif owner.name not in vocabulary_sizes:
            raise ValueError(f"`vocabulary_sizes` should contain `{owner.name}`. Received: {sorted(vocabulary_sizes)}")
        else:
            rows[feature.name] = vocabulary_sizes[owner.name] + owner.num_oov
    return rows | {cross.name: cross.buckets for cross in spec.crosses}
