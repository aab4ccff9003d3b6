"""The columns that metrics on arrays take."""

from typing import Any

import numpy as np


def as_floats(column: Any) -> np.ndarray:
    """The numbers of a column, `(rows,)`, in float64."""
    return np.asarray(column, dtype=np.float64).ravel()


def check_lengths(**columns: np.ndarray) -> None:
    """Raises `ValueError`, naming the columns, unless all are of one length."""
    lengths = [str(len(column)) for column in columns.values()]
    if len(set(lengths)) > 1:
        raise ValueError(f"{_listed(list(columns))} should be of one length. Received: {_listed(lengths)}")


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
