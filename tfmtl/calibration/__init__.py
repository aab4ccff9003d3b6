"""Calibration of logits: increasing maps after which the predicted probabilities agree with observed frequencies.

The functions take NumPy arrays; `import tfmtl.calibration` imports neither Keras nor TensorFlow. A model whose option
`calibration` names heads holds a map for each of them (`tfmtl.layers.LogitCalibration`), which its method `calibrate`
fits, so that `score`, `predict` and an export give calibrated outputs.

Example:
    >>> import numpy as np
    >>> from tfmtl.calibration import fit_platt
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=20_000)
    >>> labels = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))
    >>> line = fit_platt(2 * logits, labels)  # The map should be z / 4 - 1.
    >>> np.round(line(np.array([0.0, 4.0])), 1)
    array([-1.,  0.])
"""

from tfmtl.calibration.isotonic import fit_isotonic
from tfmtl.calibration.logit_map import LogitMap
from tfmtl.calibration.platt import fit_platt

__all__ = ["LogitMap", "fit_isotonic", "fit_platt"]
