"""Counts of the tokens of each feature, and the vocabularies and quantiles that follow from them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import NUMBERS, TOKENS, CategoricalFeature, DenseFeature, Feature
from tfmtl.spec import DatasetSpec
from transforms.ingest.moments import is_token, moments, sums_token
from transforms.ingest.quantiles import bounds, rounded_tokens

TOKEN, COUNT = "token", "count"
SCHEMA = pa.schema([(TOKEN, pa.binary()), (COUNT, pa.int64())])
"""Schema of a table of token counts."""
EMPTY_VOCABULARY = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"
"""The only line of a vocabulary without tokens, as `tft.vocabulary` writes it, because a lookup table cannot be
empty."""
_NUMBER = r"^[+-]?[0-9][0-9.]*(e[+-]?[0-9]+)?$"
_MERGE_ROWS = 1 << 20
"""Number of rows of unmerged counts above which the counts of a feature are merged."""


class TokenCounter:
    """Counts the tokens of features with a vocabulary, and the rounded numbers of those with quantiles or moments.

    The tokens of a feature that uses the vocabulary of another one are counted as tokens of that one. Tokens that
    `tft.vocabulary` ignores are not counted: empty tokens and tokens with a line break. A missing value of a feature
    with a default counts as the default.

    Args:
        spec: Spec of the dataset.
    """

    def __init__(self, spec: DatasetSpec):
        self._features = counted_features(spec)
        self._parts: dict[str, list[pa.Table]] = {owner: [] for _, owner in self._features}
        self._rows = dict.fromkeys(self._parts, 0)

    def add(self, typed: pa.RecordBatch) -> None:
        """Counts the tokens of a batch of rows.

        Args:
            typed: Typed columns (`transforms.validation.validate.ValidatedBatch.typed`).
        """
        for feature, owner in self._features:
            self.add_counts(owner, count_tokens(_tokens(typed, feature)))

    def add_counts(self, feature: str, counts: pa.Table) -> None:
        """Adds counts that were computed elsewhere.

        Args:
            feature: Name of the feature.
            counts: Counts (`SCHEMA`) in which each token occurs once.
        """
        self._parts[feature].append(counts)
        self._rows[feature] += counts.num_rows
        if self._rows[feature] > _MERGE_ROWS:
            self._parts[feature] = [merge(self._parts[feature])]
            self._rows[feature] = -self._parts[feature][0].num_rows  # As many new rows until the next merge.

    def counts(self) -> Mapping[str, pa.Table]:
        """Returns the counts (`SCHEMA`) by feature, in no particular order of the tokens."""
        return {name: merge(parts) for name, parts in self._parts.items()}


def counted_features(spec: DatasetSpec) -> list[tuple[Feature, str]]:
    """Returns the features whose values are counted, each with the name under which they are.

    Args:
        spec: Spec of the dataset.
    """
    counted: list[tuple[Feature, str]] = []
    for feature in spec.features:
        owner = spec.vocabulary_of(feature)
        if isinstance(owner, TOKENS):
            is_counted = owner.hashed is None
        else:
            is_counted = owner.standardize if isinstance(owner, DenseFeature) else owner.quantiles is not None
        if is_counted:
            counted.append((feature, owner.name))
    return counted


def merge(parts: Iterable[pa.Table]) -> pa.Table:
    """Adds tables of counts.

    Args:
        parts: Tables of counts (`SCHEMA`).

    Returns:
        One table in which each token occurs once.
    """
    tables = list(parts)
    if not tables:
        return SCHEMA.empty_table()
    summed = pa.concat_tables(tables).group_by(TOKEN).aggregate([(COUNT, "sum")])
    return pa.table([summed[TOKEN], summed[f"{COUNT}_sum"]], schema=SCHEMA)


def prune(counts: pa.Table, feature: Feature) -> pa.Table:
    """Removes the tokens that occur less often than the feature's `min_frequency`.

    Args:
        counts: Counts (`SCHEMA`) in which each token occurs once.
        feature: Feature of the tokens.

    Returns:
        The remaining counts.
    """
    min_frequency = getattr(feature, "min_frequency", 1)
    return counts.filter(pc.greater_equal(counts[COUNT], min_frequency)) if min_frequency > 1 else counts


def lines_of(counts: pa.Table, feature: Feature) -> list[bytes]:
    """Returns the lines of a feature's file: those of its vocabulary, the bounds of its quantiles, or its moments.

    Args:
        counts: All counts of the feature (`SCHEMA`), in which each token occurs once.
        feature: Feature of the counts.
    """
    if isinstance(feature, TOKENS):
        return order(counts, feature)
    # Counts of earlier days may be those of the feature when it had another kind.
    if isinstance(feature, DenseFeature):
        length = feature.length
        counts = counts.filter(pa.array([is_token(token, length) for token in counts[TOKEN].to_pylist()], pa.bool_()))
        found = moments(counts[TOKEN].to_pylist(), counts[COUNT].to_numpy(), length)
        return [f"{mean} {deviation}".encode() for mean, deviation in found]
    counts = counts.filter(pc.match_substring_regex(counts[TOKEN], _NUMBER))
    assert feature.quantiles is not None
    numbers = np.array(counts[TOKEN].to_pylist(), "S").astype(np.float32)
    return [str(bound).encode() for bound in bounds(numbers, counts[COUNT].to_numpy(), feature.quantiles)]


def order(counts: pa.Table, feature: Feature) -> list[bytes]:
    """Returns the vocabulary of a feature, identical to that of `tft.vocabulary`.

    Tokens are in descending order of their counts; tokens with equal counts are in descending order of their bytes.

    Args:
        counts: All counts of the feature (`SCHEMA`), in which each token occurs once.
        feature: Feature whose `min_frequency` and `max_tokens` limit the vocabulary.

    Returns:
        The tokens; `EMPTY_VOCABULARY` if none remains.
    """
    kept = prune(counts, feature)
    indices = pc.sort_indices(kept, sort_keys=[(COUNT, "descending"), (TOKEN, "descending")])
    max_tokens = getattr(feature, "max_tokens", None)
    tokens = kept[TOKEN].take(indices if max_tokens is None else indices[:max_tokens]).to_pylist()
    return tokens or [EMPTY_VOCABULARY]


def count_tokens(tokens: pa.Array) -> pa.Table:
    """Counts the tokens of an array, without those that a vocabulary cannot hold.

    Args:
        tokens: Tokens, binary, without nulls.

    Returns:
        Counts (`SCHEMA`) in which each token occurs once.
    """
    found = pc.value_counts(tokens)
    table = pa.table([found.field("values"), found.field("counts")], schema=SCHEMA)
    ignored = pc.or_(pc.equal(table[TOKEN], b""), pc.match_substring_regex(table[TOKEN], r"[\n\r]"))
    return table.filter(pc.invert(ignored)) if pc.any(ignored).as_py() else table


def _tokens(typed: pa.RecordBatch, feature: Feature) -> pa.Array:
    """Returns all tokens of a feature, with its default for missing values, its rounded numbers, or sums."""
    lists = typed.column(feature.name)
    tokens = lists.flatten()
    if isinstance(feature, NUMBERS):
        return rounded_tokens(tokens)
    if isinstance(feature, DenseFeature):
        return sums_token(tokens, feature.length)
    if isinstance(feature, CategoricalFeature) and feature.default:
        given = tokens.filter(pc.not_equal(tokens, b""))
        default = pa.repeat(pa.scalar(feature.default.encode(), pa.binary()), typed.num_rows - len(given))
        tokens = pa.concat_arrays([given, default])
    return tokens
