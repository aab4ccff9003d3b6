"""Which lines of a block are rejected, each for the first reason that was found."""

import numpy as np
import pyarrow as pa

from transforms.ali_ccp.lines import Lines
from transforms.batches.raw_batch import Reject


class LineVerdict:
    """Collects reasons against lines; a line keeps the first one.

    Args:
        lines: that are judged.
    """

    def __init__(self, lines: Lines):
        self.lines = lines
        self._reasons: list[tuple[str, str, pa.Array]] = []
        self._charge = np.full(len(lines.place), -1, np.int32)

    def reject(self, mask: np.ndarray, reason: str, expected: str, cells: pa.Array) -> None:
        """Rejects the lines of the mask for `reason`: their `cells` hold something else than what is expected."""
        if mask.any():
            self._charge[mask & (self._charge < 0)] = len(self._reasons)
            self._reasons.append((reason, expected, cells))

    @property
    def accepted(self) -> np.ndarray:
        """The lines against which nothing was said, bool `(lines,)`."""
        return self._charge < 0

    def rejects(self) -> list[Reject]:
        """All others of the block, in order."""
        rejects = list(self.lines.rejects)
        for row in np.flatnonzero(~self.accepted).tolist():
            reason, expected, cells = self._reasons[self._charge[row]]
            received = repr(cells[row].as_py().decode()) if len(cells[row].as_py()) else "nothing"
            rejects.append(self.lines.reject(row, reason, f"{expected}. Received: {received}"))
        return sorted(rejects, key=lambda reject: reject.line)
