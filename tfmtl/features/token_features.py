"""Features of tokens, whose ids come from a vocabulary or from a hash."""

import dataclasses
from typing import Any, Literal

from tfmtl.config import require
from tfmtl.features.hashing import Hashing
from tfmtl.features.lists import check_length
from tfmtl.features.training_only import TrainingOnly

VOCABULARY_OPTIONS = ("min_frequency", "max_tokens", "num_oov")
"""Fields of features of tokens that determine their vocabulary."""


@dataclasses.dataclass(frozen=True)
class CategoricalFeature:
    """One token per row, looked up in a vocabulary that is built from the training rows.

    The ids `0 .. num_oov - 1` are shared by unseen and rare tokens, which are assigned by a hash. The tokens of the
    vocabulary have the ids from `num_oov`, in descending order of their frequency.

    Attributes:
        name: Name of the column.
        kind: Always `categorical`.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.
        default: Token that replaces a missing value; with null, a missing value has an id of the unseen tokens.
        required: Whether a missing value is an error, both when a log is ingested and when the model is served.
        training_only: Value that takes the place of the feature in evaluation and in the exported model, which do not
            read it; null if the feature is known where the model is served.
        hashed: Hash that gives the ids instead of a vocabulary; null for a vocabulary.
        vocabulary: Name of another feature of tokens, whose vocabulary or hash, and in a model whose embeddings, the
            feature shares; null for its own. The vocabulary is that of the tokens of both.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import CategoricalFeature
        >>> to_plain(CategoricalFeature("user", min_frequency=2))
        {'name': 'user', 'kind': 'categorical', 'min_frequency': 2}
    """

    name: str
    kind: Literal["categorical"] = "categorical"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1
    default: str | None = "<missing>"
    required: bool = False
    training_only: TrainingOnly | None = None
    hashed: Hashing | None = None
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        _check_vocabulary(self)


@dataclasses.dataclass(frozen=True)
class MultiValuedFeature:
    """An unordered list of tokens per row, optionally with a weight for each token.

    Tokens have ids as in a `CategoricalFeature`.

    Attributes:
        name: Name of the column.
        kind: Always `multi_valued`.
        weights: Name of the column with the weights, one for each token; with null, all tokens have weight 1.
        max_length: Maximum number of tokens per row; the first ones are kept.
        separator: Separator of the tokens, and of the weights, in a CSV file.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.
        hashed: Hash that gives the ids instead of a vocabulary; null for a vocabulary.
        vocabulary: Name of another feature of tokens, whose vocabulary or hash, and in a model whose embeddings, the
            feature shares; null for its own. The vocabulary is that of the tokens of both.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import MultiValuedFeature
        >>> to_plain(MultiValuedFeature("tags", weights="tag_weights", max_length=8))
        {'name': 'tags', 'kind': 'multi_valued', 'weights': 'tag_weights', 'max_length': 8}
    """

    name: str
    kind: Literal["multi_valued"] = "multi_valued"
    weights: str | None = None
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1
    hashed: Hashing | None = None
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        _check_vocabulary(self)
        check_length(self)


@dataclasses.dataclass(frozen=True)
class SequenceFeature:
    """A list of tokens per row in order of time, the oldest first.

    The most recent token is always at the last position: a shorter sequence is padded on the left, and of a longer one
    the last `max_length` positions are kept. A position without a token stays in the sequence and is treated as
    padding. Tokens have ids as in a `CategoricalFeature`.

    Attributes:
        name: Name of the column.
        kind: Always `sequence`.
        max_length: Number of positions; the most recent ones are kept.
        separator: Separator of the tokens in a CSV file.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.
        hashed: Hash that gives the ids instead of a vocabulary; null for a vocabulary.
        vocabulary: Name of another feature of tokens, whose vocabulary or hash, and in a model whose embeddings, the
            feature shares; null for its own. The vocabulary is that of the tokens of both.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import SequenceFeature
        >>> to_plain(SequenceFeature("history", max_length=50))
        {'name': 'history', 'kind': 'sequence', 'max_length': 50}
    """

    name: str
    kind: Literal["sequence"] = "sequence"
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1
    hashed: Hashing | None = None
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        _check_vocabulary(self)
        check_length(self)


def _check_vocabulary(feature: Any) -> None:
    names = ("hashed", "vocabulary") if feature.hashed is not None else ()
    if feature.vocabulary is not None:
        names = ("vocabulary", "hashed")
    if names:
        own = {one.name: one.default for one in dataclasses.fields(feature)}
        for name in (*VOCABULARY_OPTIONS, names[1]):
            value = getattr(feature, name)
            require(value == own[name], name, f"omitted beside `{names[0]}`", value)
    require(feature.min_frequency >= 1, "min_frequency", "at least 1", feature.min_frequency)
    require(feature.num_oov >= 1, "num_oov", "at least 1", feature.num_oov)
    require(feature.max_tokens is None or feature.max_tokens >= 1, "max_tokens", "at least 1", feature.max_tokens)
