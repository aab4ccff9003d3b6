"""Increasing piecewise linear map of logits."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LogitMap:
    """Piecewise linear map f of a logit, which is linear between its knots and beyond them.

    `f(x_k) = y_k` at the knots, `f(z) = y_1 + a (z - x_1)` below the first and `f(z) = y_K + b (z - x_K)` above the
    last one.

    Attributes:
        knots: Logits x, `(K,)`, strictly increasing.
        values: Calibrated logits y at the knots, `(K,)`, not decreasing.
        first_slope: Slope a below the first knot.
        last_slope: Slope b above the last knot.

    Example:
        >>> import numpy as np
        >>> from tfmtl.calibration import LogitMap
        >>> LogitMap(np.array([0.0, 2.0]), np.array([1.0, 2.0]))(np.array([-1.0, 1.0, 3.0]))
        array([0. , 1.5, 3. ])
    """

    knots: np.ndarray
    values: np.ndarray
    first_slope: float = 1.0
    last_slope: float = 1.0

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Returns the calibrated logits.

        Args:
            logits: Logits z of any shape.
        """
        below = np.minimum(logits - self.knots[0], 0)
        above = np.maximum(logits - self.knots[-1], 0)
        inside = np.interp(logits, self.knots, self.values)
        calibrated: np.ndarray = inside + self.first_slope * below + self.last_slope * above
        return calibrated
