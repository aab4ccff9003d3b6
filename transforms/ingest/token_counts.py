"""How often each token of a feature stands in the log, counted column by column."""

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.features import CategoricalFeature, Feature
from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec

TOKEN, COUNT = "token", "count"
SCHEMA = pa.schema([(TOKEN, pa.binary()), (COUNT, pa.int64())])
EMPTY_VOCABULARY = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"
"""What stands alone in a vocabulary without tokens, as `tft.vocabulary` writes it: a table has to hold something."""
_MANY = 1 << 20


class TokenCounter:
    """Counts the tokens of the features that have a vocabulary.

    What `tft.vocabulary` leaves out is left out: empty tokens, and those with a line break. A missing value of a
    feature with a default counts as the default.

    Args:
        spec: of the data set.
    """

    def __init__(self, spec: DatasetSpec):
        self._features = [feature for feature in spec.features if feature.name in vocabularies(spec)]
        self._parts: dict[str, list[pa.Table]] = {feature.name: [] for feature in self._features}
        self._rows = dict.fromkeys(self._parts, 0)

    def add(self, typed: pa.RecordBatch) -> None:
        """Counts the rows of typed columns (`transforms.validation.validate.ValidatedBatch.typed`)."""
        for feature in self._features:
            self.add_counts(feature.name, count_tokens(_tokens(typed, feature)))

    def add_counts(self, feature: str, counts: pa.Table) -> None:
        """Adds what was counted elsewhere (`SCHEMA`), each token once."""
        self._parts[feature].append(counts)
        self._rows[feature] += counts.num_rows
        if self._rows[feature] > _MANY:
            self._parts[feature] = [merge(self._parts[feature])]
            self._rows[feature] = -self._parts[feature][0].num_rows  # As many again until the next merge.

    def counts(self) -> Mapping[str, pa.Table]:
        """Of each feature, its tokens and their counts (`SCHEMA`), in no order."""
        return {name: merge(parts) for name, parts in self._parts.items()}


def merge(parts: Iterable[pa.Table]) -> pa.Table:
    """One table of all counts, each token once."""
    tables = list(parts)
    if not tables:
        return SCHEMA.empty_table()
    summed = pa.concat_tables(tables).group_by(TOKEN).aggregate([(COUNT, "sum")])
    return pa.table([summed[TOKEN], summed[f"{COUNT}_sum"]], schema=SCHEMA)


def prune(counts: pa.Table, feature: Feature) -> pa.Table:
    """Without the tokens that are rarer than the feature's `min_frequency`."""
    least = getattr(feature, "min_frequency", 1)
    return counts.filter(pc.greater_equal(counts[COUNT], least)) if least > 1 else counts


def order(counts: pa.Table, feature: Feature) -> list[bytes]:
    """The vocabulary, as `tft.vocabulary` has it: the most frequent token first, of equals the last by its bytes.

    Args:
        counts: all of the feature's, each token once.
        feature: gives `min_frequency` and `max_tokens`.
    """
    kept = prune(counts, feature)
    places = pc.sort_indices(kept, sort_keys=[(COUNT, "descending"), (TOKEN, "descending")])
    top = getattr(feature, "max_tokens", None)
    tokens = kept[TOKEN].take(places if top is None else places[:top]).to_pylist()
    return tokens or [EMPTY_VOCABULARY]


def _tokens(typed: pa.RecordBatch, feature: Feature) -> pa.Array:
    """All tokens of a feature."""
    lists = typed.column(feature.name)
    tokens = lists.flatten()
    if isinstance(feature, CategoricalFeature) and feature.default:
        given = tokens.filter(pc.not_equal(tokens, b""))
        default = pa.repeat(pa.scalar(feature.default.encode(), pa.binary()), typed.num_rows - len(given))
        tokens = pa.concat_arrays([given, default])
    return tokens


def count_tokens(tokens: pa.Array) -> pa.Table:
    """How often each token stands in an array, without those that are left out of a vocabulary."""
    found = pc.value_counts(tokens)
    table = pa.table([found.field("values"), found.field("counts")], schema=SCHEMA)
    odd = pc.or_(pc.equal(table[TOKEN], b""), pc.match_substring_regex(table[TOKEN], r"[\n\r]"))
    return table.filter(pc.invert(odd)) if pc.any(odd).as_py() else table
