"""Which features of the lines are kept, by the rules of a preparation."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.fields import FIELDS, Preparation
from transforms.ali_ccp.lines import Pieces
from transforms.batches.parsing import parse_numbers
from transforms.examples.from_tokens import encode_tokens

_FIELDS = pa.array([field.encode() for field in FIELDS], pa.binary())


@dataclasses.dataclass(frozen=True)
class Features:
    """Tokens of rows.

    Attributes:
        rows: how many rows there are.
        row: of each token, int64 `(tokens,)`.
        number: of each token, that of its feature among the pieces of the lines; int64 `(tokens,)`.
        field: of each token, its place in the fields of the preparation; int64 `(tokens,)`.
        tokens: binary `(tokens,)`.
        weights: of each token, float32 `(tokens,)`, NaN where it is no number; None if no field has any.
        unknown: tokens of fields that Ali-CCP does not have, by field.
    """

    rows: int
    row: np.ndarray
    number: np.ndarray
    field: np.ndarray
    tokens: pa.Array
    weights: np.ndarray | None
    unknown: dict[str, int]

    def masks(self) -> np.ndarray:
        """Of each row, the fields that it has: bit `i` is that of field `i`; uint32 `(rows,)`."""
        masks = np.zeros(self.rows, np.uint32)
        for i in range(len(FIELDS)):
            masks[self.row[self.field == i]] |= np.uint32(1 << i)
        return masks

    def longest(self) -> np.ndarray:
        """Of each field, how many tokens a row has at most; int64 `(len(FIELDS),)`."""
        lists = np.bincount(self.row * len(FIELDS) + self.field, minlength=self.rows * len(FIELDS))
        return lists.reshape(-1, len(FIELDS)).max(0, initial=0)

    def encode(self, preparation: Preparation) -> list[bytes]:
        """Of each row, a serialized tf.Example."""
        names, weight_names = preparation.columns, preparation.weight_columns
        return encode_tokens(names, self.rows, self.row, self.field, self.tokens, self.weights, weight_names)

    def take(self, which: np.ndarray) -> "Features":
        """The tokens of a mask."""
        if which.all():
            return self
        weights = None if self.weights is None else self.weights[which]
        tokens = self.tokens.filter(pa.array(which))
        parts = (self.row[which], self.number[which], self.field[which], tokens, weights)
        return Features(self.rows, *parts, self.unknown)


def keep_features(pieces: Pieces, preparation: Preparation, max_values: int | None = None) -> Features:
    """The features that a preparation keeps of some lines.

    Args:
        pieces: of lines that are as they should be.
        preparation: which fields, and of which of them all values.
        max_values: of a list with weights, how many tokens are kept: those of the largest weights, of equal ones the
            first; they stay in their order.
    """
    names = pieces.field()
    code = pc.fill_null(pc.index_in(names, value_set=_FIELDS), len(FIELDS)).to_numpy(zero_copy_only=False)
    unknown = _count_unknown(names, code)
    field = _places(preparation)[code]
    kept = np.flatnonzero(field >= 0)
    row, field = pieces.row[kept], field[kept]
    rows = len(pieces.whole)
    last = _last(row * len(FIELDS) + field, rows) | _of(preparation, preparation.lists)[field]
    if not last.all():
        kept, row, field = kept[last], row[last], field[last]
    weights = _weights(pieces, kept, _of(preparation, preparation.weighted)[field]) if preparation.weighted else None
    features = Features(rows, row, kept, field, pieces.ids(kept), weights, unknown)
    return features if max_values is None else features.take(_heaviest(features, max_values))


def bad_values(features: Features, pieces: Pieces) -> tuple[np.ndarray, pa.Array]:
    """The rows with a weight that is no finite number, bool `(rows,)`, and what stands there, binary `(rows,)`."""
    bad = np.zeros(features.rows, bool)
    cells = [b""] * features.rows
    if features.weights is not None and np.isnan(features.weights).any():
        odd = np.flatnonzero(np.isnan(features.weights))
        bad[features.row[odd]] = True
        for row, value in zip(features.row[odd].tolist(), pieces.values(features.number[odd]).to_pylist(), strict=True):
            cells[row] = cells[row] or value
    return bad, pa.array(cells, pa.binary())


def _places(preparation: Preparation) -> np.ndarray:
    """From the place of a field in `FIELDS` to that in the preparation; -1 if it is not kept, or unknown."""
    places = [preparation.fields.index(field) if field in preparation.fields else -1 for field in FIELDS]
    return np.array([*places, -1])


def _of(preparation: Preparation, fields: tuple[str, ...]) -> np.ndarray:
    """Which fields of the preparation are among `fields`."""
    return np.array([field in fields for field in preparation.fields])


def _last(key: np.ndarray, rows: int) -> np.ndarray:
    """Which tokens are the last ones of their row and field."""
    last = np.zeros(rows * len(FIELDS), np.int64)
    last[key] = np.arange(len(key))  # Of a key that is there twice, the last assignment stays.
    return last[key] == np.arange(len(key))


def _weights(pieces: Pieces, kept: np.ndarray, weighted: np.ndarray) -> np.ndarray:
    weights = np.ones(len(kept), np.float32)
    text = pieces.values(kept[weighted]).view(pa.string())
    try:
        numbers = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = np.full(len(text), np.nan)
    with np.errstate(over="ignore"):
        narrow = numbers.astype(np.float32)
    if not np.isfinite(narrow).all():
        narrow = parse_numbers(text)[0].astype(np.float32)
    weights[weighted] = narrow
    return weights


def _heaviest(features: Features, count: int) -> np.ndarray:
    """A mask of the tokens of the `count` largest weights of each row and field."""
    assert features.weights is not None
    key = features.row * len(FIELDS) + features.field
    order = np.lexsort((-features.weights, key))  # Stable: of equal weights the first one comes first.
    ordered = key[order]
    starts = np.flatnonzero(np.append(True, np.diff(ordered) != 0)) if len(ordered) else ordered
    rank = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    heavy = np.empty(len(ordered), bool)
    heavy[order] = rank < count
    return heavy


def _count_unknown(names: pa.Array, code: np.ndarray) -> dict[str, int]:
    odd = code == len(FIELDS)
    if not odd.any():
        return {}
    found = pc.value_counts(names.filter(pa.array(odd)))
    texts = [name.decode() for name in found.field("values").to_pylist()]
    return dict(zip(texts, found.field("counts").to_pylist(), strict=True))
