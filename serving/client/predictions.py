"""Predictions with the version of the model that made them."""

from collections.abc import Mapping

import numpy as np


class Predictions(dict[str, np.ndarray]):
    """Array of each prediction by its name, in the order of the spec.

    Attributes:
        version: Number of the version of the model that made all of them.

    Example:
        >>> import numpy as np
        >>> from serving.client import Predictions
        >>> predictions = Predictions({"ctr": np.float32([0.25])}, version=3)
        >>> predictions["ctr"].tolist(), predictions.version
        ([0.25], 3)
    """

    version: int

    def __init__(self, arrays: Mapping[str, np.ndarray] | None = None, version: int = 0):
        super().__init__(arrays or {})
        self.version = version
