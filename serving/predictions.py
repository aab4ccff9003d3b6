"""Result of a call of the client."""

import numpy as np


class Predictions(dict[str, np.ndarray]):
    """Predictions by output name, an array of shape `(rows,)` each, all by one version of the model.

    Args:
        outputs: Arrays by output name.
        version: Number of the version that answered; None if no row was scored.

    Example:
        >>> import numpy as np
        >>> from serving.predictions import Predictions
        >>> found = Predictions({"ctr": np.array([0.1])}, version=3)
        >>> found["ctr"], found.version
        (array([0.1]), 3)
    """

    def __init__(self, outputs: dict[str, np.ndarray], version: int | None):
        super().__init__(outputs)
        self.version = version

    def __reduce__(self) -> tuple:
        return Predictions, (dict(self), self.version)
