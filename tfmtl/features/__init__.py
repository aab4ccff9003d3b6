"""Kinds of features that a `tfmtl.spec.DatasetSpec` describes."""

from typing import TypeAlias

from tfmtl.features.dense_feature import DenseFeature
from tfmtl.features.hashing import Cross, Hashing
from tfmtl.features.number_features import NumberSequenceFeature, NumericalFeature
from tfmtl.features.token_features import CategoricalFeature, MultiValuedFeature, SequenceFeature
from tfmtl.features.training_only import TrainingOnly

__all__ = [
    "LISTS",
    "MULTIVALENT",
    "NUMBERS",
    "NUMBER_COLUMNS",
    "POSITIONS",
    "SEQUENCES",
    "TOKENS",
    "WEIGHTS_SUFFIX",
    "CategoricalFeature",
    "Cross",
    "DenseFeature",
    "Feature",
    "Hashing",
    "MultiValuedFeature",
    "NumberSequenceFeature",
    "NumericalFeature",
    "SequenceFeature",
    "TrainingOnly",
]

WEIGHTS_SUFFIX = "__weights"
"""Suffix of the weights of a transformed multivalent feature: `tags__weights` for `tags`. Padding has weight 0."""

Feature: TypeAlias = (
    CategoricalFeature | NumericalFeature | MultiValuedFeature | SequenceFeature | NumberSequenceFeature | DenseFeature
)
"""Any kind of feature; `kind` distinguishes them."""

MULTIVALENT = (MultiValuedFeature, SequenceFeature, NumberSequenceFeature)
"""Kinds of multivalent features: several ids per row, with a weight each, padded to a fixed length."""

SEQUENCES = (SequenceFeature, NumberSequenceFeature)
"""Kinds of multivalent features whose positions are in order of time."""

NUMBERS = (NumericalFeature, NumberSequenceFeature)
"""Kinds of features whose ids are buckets of numbers."""

TOKENS = (CategoricalFeature, MultiValuedFeature, SequenceFeature)
"""Kinds of features of tokens, whose ids come from a vocabulary or a hash."""

LISTS = (*MULTIVALENT, DenseFeature)
"""Kinds of features with several raw values per row."""

POSITIONS = (*SEQUENCES, DenseFeature)
"""Kinds of features with several raw values per row whose positions have a meaning."""

NUMBER_COLUMNS = (*NUMBERS, DenseFeature)
"""Kinds of features whose raw values are numbers."""
