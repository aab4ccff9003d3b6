"""Selection of the features of parsed lines by the rules of a preparation."""

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
        rows: Number of rows.
        row: Row index of each token, int64, shape `(tokens,)`.
        piece: Index of each token's feature among the pieces of the lines, int64, shape `(tokens,)`.
        field: Index of each token's field in the preparation's fields, int64, shape `(tokens,)`.
        tokens: Tokens, binary, shape `(tokens,)`.
        weights: Weight of each token, float32, shape `(tokens,)`, NaN where it is not a number; None if no field has
            weights.
        unknown: Number of tokens of each field that Ali-CCP does not have.
    """

    rows: int
    row: np.ndarray
    piece: np.ndarray
    field: np.ndarray
    tokens: pa.Array
    weights: np.ndarray | None
    unknown: dict[str, int]

    def masks(self) -> np.ndarray:
        """Returns the set of fields of each row as bits, bit `i` for field `i`; uint32, shape `(rows,)`."""
        masks = np.zeros(self.rows, np.uint32)
        for i in range(len(FIELDS)):
            masks[self.row[self.field == i]] |= np.uint32(1 << i)
        return masks

    def longest(self) -> np.ndarray:
        """Returns the largest number of tokens of a row in each field, int64, shape `(len(FIELDS),)`."""
        counts = np.bincount(self.row * len(FIELDS) + self.field, minlength=self.rows * len(FIELDS))
        longest: np.ndarray = counts.reshape(-1, len(FIELDS)).max(0, initial=0)
        return longest

    def encode(self, preparation: Preparation) -> list[bytes]:
        """Encodes each row as a serialized tf.Example.

        Args:
            preparation: Preparation that selected the features.
        """
        names, weight_names = preparation.columns, preparation.weight_columns
        return encode_tokens(names, self.rows, self.row, self.field, self.tokens, self.weights, weight_names)

    def filter(self, mask: np.ndarray) -> "Features":
        """Returns the features with some of the tokens.

        Args:
            mask: Mask of the tokens, bool, shape `(tokens,)`.
        """
        if mask.all():
            return self
        weights = None if self.weights is None else self.weights[mask]
        tokens = self.tokens.filter(pa.array(mask))
        return Features(self.rows, self.row[mask], self.piece[mask], self.field[mask], tokens, weights, self.unknown)


def select_features(pieces: Pieces, preparation: Preparation, max_values: int | None = None) -> Features:
    """Selects the features that a preparation ingests.

    Args:
        pieces: Pieces of well-formed lines.
        preparation: Rules of the selection.
        max_values: Largest number of tokens of a row in a field with weights. Those with the largest weights are
            selected, of equal weights the first; they keep their order. By default all tokens are selected.
    """
    names = pieces.fields()
    code = pc.fill_null(pc.index_in(names, value_set=_FIELDS), len(FIELDS)).to_numpy(zero_copy_only=False)
    unknown = _count_unknown(names, code)
    field = _field_indices(preparation)[code]
    piece = np.flatnonzero(field >= 0)
    row, field = pieces.row[piece], field[piece]
    rows = len(pieces.valid)
    selected = _find_last(row * len(FIELDS) + field, rows) | _field_mask(preparation, preparation.lists)[field]
    if not selected.all():
        piece, row, field = piece[selected], row[selected], field[selected]
    weights = None
    if preparation.weighted:
        weights = _parse_weights(pieces, piece, _field_mask(preparation, preparation.weighted)[field])
    features = Features(rows, row, piece, field, pieces.ids(piece), weights, unknown)
    return features if max_values is None else features.filter(_find_heaviest(features, max_values))


def find_invalid_weights(features: Features, pieces: Pieces) -> tuple[np.ndarray, pa.Array]:
    """Finds the rows with a weight that is not a finite number.

    Args:
        features: Features that were selected from the pieces.
        pieces: Pieces of well-formed lines.

    Returns:
        The mask of the rows, bool, shape `(rows,)`, and the first invalid weight of each row, binary, shape `(rows,)`.
    """
    mask = np.zeros(features.rows, bool)
    first_values = [b""] * features.rows
    if features.weights is not None and np.isnan(features.weights).any():
        invalid = np.flatnonzero(np.isnan(features.weights))
        rows, values = features.row[invalid], pieces.values(features.piece[invalid])
        mask[rows] = True
        for row, value in zip(rows.tolist(), values.to_pylist(), strict=True):
            first_values[row] = first_values[row] or value
    return mask, pa.array(first_values, pa.binary())


def _field_indices(preparation: Preparation) -> np.ndarray:
    """Returns the index in the preparation of each of `FIELDS`, and of an unknown field; -1 if it is not ingested."""
    indices = [preparation.fields.index(field) if field in preparation.fields else -1 for field in FIELDS]
    return np.array([*indices, -1])


def _field_mask(preparation: Preparation, fields: tuple[str, ...]) -> np.ndarray:
    """Returns the mask of the preparation's fields that are among `fields`."""
    return np.array([field in fields for field in preparation.fields])


def _find_last(key: np.ndarray, rows: int) -> np.ndarray:
    """Returns the mask of the tokens that are the last of their row and field."""
    last = np.zeros(rows * len(FIELDS), np.int64)
    last[key] = np.arange(len(key))  # If a key is repeated, the last assignment prevails.
    is_last: np.ndarray = last[key] == np.arange(len(key))
    return is_last


def _parse_weights(pieces: Pieces, piece: np.ndarray, weighted: np.ndarray) -> np.ndarray:
    """Returns the weight of each token: its value if its field has weights, else 1."""
    weights = np.ones(len(piece), np.float32)
    strings = pieces.values(piece[weighted]).view(pa.string())
    try:
        numbers = strings.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = np.full(len(strings), np.nan)
    with np.errstate(over="ignore"):
        parsed = numbers.astype(np.float32)
    if not np.isfinite(parsed).all():
        parsed = parse_numbers(strings)[0].astype(np.float32)
    weights[weighted] = parsed
    return weights


def _find_heaviest(features: Features, count: int) -> np.ndarray:
    """Returns the mask of the tokens with the `count` largest weights of each row and field."""
    assert features.weights is not None
    key = features.row * len(FIELDS) + features.field
    order = np.lexsort((-features.weights, key))  # The sort is stable: of equal weights the first token comes first.
    ordered = key[order]
    starts = np.flatnonzero(np.append(True, np.diff(ordered) != 0)) if len(ordered) else ordered
    rank = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    mask = np.empty(len(ordered), bool)
    mask[order] = rank < count
    return mask


def _count_unknown(names: pa.Array, code: np.ndarray) -> dict[str, int]:
    is_unknown = code == len(FIELDS)
    if not is_unknown.any():
        return {}
    counts = pc.value_counts(names.filter(pa.array(is_unknown)))
    fields = [name.decode() for name in counts.field("values").to_pylist()]
    return dict(zip(fields, counts.field("counts").to_pylist(), strict=True))
