"""Conversion of rows (dicts, columns, DataFrames, Arrow tables) to the named tensors of a signature.

Where the model's description is known, its raw features are read as those of a log (`tfmtl.rows`): lists as texts are
split at the separator, whole numbers are tokens. Inputs of other signatures have the types that the signature gives.

A missing value is sent as "" (strings) or NaN (numbers). A list of variable length (tokens, weights) is padded on the
right with missing values; all lists of a request have one width, since tokens and their weights must have equal shapes.
A list whose width the signature fixes (a sequence) is padded on the left, since its last position is the most recent
one. A wrong name, type or length raises a `RowError` that names row and feature.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from serving.description import ModelDescription
from serving.errors import RowError
from serving.inputs import Feature, features_of
from tfmtl.rows import InvalidValue, ParsedRows, RowsError, parse_rows, to_columns
from tfmtl.rows.values import Column
from tfmtl.spec import RandomSplit, TimeSplit

__all__ = ["ERROR", "IGNORE", "Batch", "Feature", "features_of"]

ERROR = "error"
IGNORE = "ignore"


class Batch:
    """Rows that were validated against a signature.

    Args:
        rows: List of dicts, dict of columns, DataFrame, Arrow table, or rows that were converted already.
        features: All inputs of the signature by name.
        description: Description by which rows of raw features are read; None if each input has the type that the
            signature gives.
        extra: Whether columns that are no input are an error (`error`) or ignored (`ignore`). Labels and other columns
            of the description's spec are always ignored.

    Raises:
        RowError: If a row is invalid.
    """

    def __init__(
        self,
        rows: Any,
        features: Mapping[str, Feature],
        description: ModelDescription | None = None,
        extra: str = ERROR,
    ):
        self._features = features
        columns: dict[str, Any] = {}
        if isinstance(rows, ParsedRows):
            parsed = rows
        else:
            try:
                columns, count = to_columns(rows)
            except RowsError as error:
                raise RowError(str(error), error.row) from error
            columns = _select(columns, features, description, extra, rows)
            known = () if description is None else description.spec.features
            null = () if description is None else description.null
            parsed = parse_rows([feature for feature in known if feature.name in features], columns, count, null)
        if parsed.invalid:
            raise _invalid(parsed.invalid)
        self._size = parsed.count
        absent = [None] * self._size
        self._values: dict[str, Any] = {
            name: parsed.columns[name] if name in parsed.columns else feature.convert(columns.get(name, absent))
            for name, feature in features.items()
        }

    def __len__(self) -> int:
        return self._size

    def write(self, inputs: Any, start: int, stop: int) -> None:
        """Writes the rows from `start` to before `stop` to the inputs of a PredictRequest."""
        lists = [
            self._values[name]
            for name, feature in self._features.items()
            if feature.multivalent and feature.width is None
        ]
        width = max((int(values.lengths[start:stop].max(initial=0)) for values in lists), default=0) or 1
        for name, feature in self._features.items():
            feature.write(inputs[name], self._values[name], start, stop, width)


def _invalid(invalid: list[InvalidValue]) -> RowError:
    first = invalid[0]
    text = f"row {first.row}, feature {first.column!r} {str(first).removeprefix(first.column).lstrip()}"
    count = len({value.row for value in invalid})
    return RowError(text + (f"\n{count:,} rows are invalid." if count > 1 else ""), first.row, first.column)


def _select(
    columns: Mapping[str, Column],
    features: Mapping[str, Feature],
    description: ModelDescription | None,
    extra: str,
    rows: Any,
) -> dict[str, Any]:
    """Returns the columns that are inputs, by the input's name."""
    sources = {} if description is None else description.sources
    names = {name: name if name in columns else sources.get(name, name) for name in features}
    known = {*features, *names.values(), *(_other_columns(description) if description else ())}
    if extra != IGNORE:
        for name in columns:
            if name not in known:
                raise _unknown(name, features, rows)
    return {name: columns[source] for name, source in names.items() if source in columns}


def _other_columns(description: ModelDescription) -> list[str]:
    """Returns the columns of a log that are not features of requests."""
    spec = description.spec
    split = [spec.split.column] if isinstance(spec.split, TimeSplit) else []
    keys = list(spec.split.key) if isinstance(spec.split, RandomSplit) else []
    keys += spec.sampling.key if spec.sampling else ()
    others = [name for name in (spec.weight, spec.group_key) if name]
    return [*spec.labels, *spec.maturity_columns, *others, *split, *keys, *description.training_only]


def _unknown(name: Any, features: Iterable[str], rows: Any) -> RowError:
    closest = difflib.get_close_matches(str(name), list(features), n=1, cutoff=0.0)
    hint = f", the closest is {closest[0]!r}" if closest else ""
    is_list = isinstance(rows, list | tuple)
    row = next(index for index, row in enumerate(rows) if name in row) if is_list else None
    where = "columns" if row is None else f"row {row}"
    text = f"{where}: a feature should be one of the model's{hint}. Received: {name!r}"
    return RowError(f"{text}. extra='ignore' ignores columns that are not features.", row, str(name))
