"""Platt scaling: a line through the logits."""

import numpy as np

from tfmtl.calibration.logit_map import LogitMap

_STEPS = 50
_SMALLEST_SLOPE = 1e-3
_RIDGE = 1e-9
_TOLERANCE = 1e-10


def fit_platt(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitMap:
    """Fits the line `f(z) = a z + b` that minimizes the cross-entropy of `sigmoid(f(z))`, by Newton's method.

    The targets are those of Platt, `(n+ + 1) / (n+ + 2)` for the positive and `1 / (n- + 2)` for the negative rows,
    with which a and b are finite where a threshold separates the labels. A slope below 0.001 for logits of standard
    deviation 1 is replaced by it, so that the order of rows does not change.

    Args:
        logits: Logits z, `(rows,)`.
        labels: Labels, 0 or 1, `(rows,)`.
        weights: Nonnegative weights of the rows, `(rows,)`; 1 by default.

    Returns:
        The line, as a map with the knots 0 and 1.

    Raises:
        ValueError: If no row is positive, or none is negative.

    References:
        - Platt, 1999, Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood
          Methods
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    weights = np.ones_like(logits) if weights is None else np.asarray(weights, np.float64)
    positive, negative = float(weights @ labels), float(weights @ (1 - labels))
    if positive <= 0 or negative <= 0:
        raise ValueError(f"labels should have both classes. Received: {positive:g} positive, {negative:g} negative")
    targets = np.where(labels > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    center = float(weights @ logits / weights.sum())
    scale = float(np.sqrt(weights @ (logits - center) ** 2 / weights.sum())) or 1.0
    inputs = np.stack([(logits - center) / scale, np.ones_like(logits)])
    slope, shift = _newton(inputs, targets, weights)
    if slope < _SMALLEST_SLOPE:
        slope, shift = _SMALLEST_SLOPE, _newton(inputs[1:], targets, weights)[0]
    slope, shift = slope / scale, shift - slope * center / scale
    return LogitMap(np.array([0.0, 1.0]), np.array([shift, shift + slope]), slope, slope)


def _newton(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Minimizes the cross-entropy of `sigmoid(theta inputs)` from 0; steps that do not reduce it are halved."""
    theta = np.zeros(len(inputs))
    loss = _loss(theta @ inputs, targets, weights)
    for _ in range(_STEPS):
        predicted = _sigmoid(theta @ inputs)
        gradient = inputs @ (weights * (predicted - targets))
        curvature = (inputs * (weights * predicted * (1 - predicted))) @ inputs.T
        step = np.linalg.solve(curvature + _RIDGE * weights.sum() * np.eye(len(theta)), gradient)
        while (reduced := _loss((theta - step) @ inputs, targets, weights)) > loss and np.abs(step).max() > _TOLERANCE:
            step = step / 2
        if reduced > loss or np.abs(step).max() <= _TOLERANCE:
            break
        theta, loss = theta - step, reduced
    return theta


def _loss(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ (np.logaddexp(0, logits) - targets * logits))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = np.exp(-np.logaddexp(0, -logits))
    return probabilities
