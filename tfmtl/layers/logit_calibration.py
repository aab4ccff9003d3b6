"""Increasing piecewise linear maps of a logit."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.calibration.logit_map import LogitMap
from tfmtl.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class LogitCalibration(keras.layers.Layer):
    """Calibrates logits by a piecewise linear map for each group of rows (`tfmtl.calibration.LogitMap`).

    `f_g(z) = y_g1 + sum_k s_gk c_gk(z)`, in which `c_gk(z)` is the length of the part of the k-th segment that lies
    between the first knot x_g1 and z, negative below x_g1, and s_gk the segment's slope. All maps are the identity
    until `set_maps` is called; no weight is trainable.

    Args:
        groups: Number of groups, such as scenarios.
        knots: Largest number of knots of a map.

    Call arguments:
        logits: z, `(batch,)`.
        group: Group of each row, `(batch,)` integers; None if there is one group.

    Returns:
        Calibrated logits, `(batch,)` float32.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> import numpy as np
        >>> from tfmtl.calibration import LogitMap
        >>> from tfmtl.layers import LogitCalibration
        >>> layer = LogitCalibration()
        >>> layer.set_maps({0: LogitMap(np.array([0.0, 1.0]), np.array([-1.0, -0.5]), 0.5, 0.5)})
        >>> [float(logit) for logit in layer(np.array([0.0, 4.0], "float32"))]
        [-1.0, 1.0]
    """

    def __init__(self, groups: int = 1, knots: int = 64, **kwargs: Any) -> None:
        for name, value in (("groups", groups), ("knots", knots)):
            if value < 1:
                raise ValueError(f"`{name}` should be at least 1. Received: {value}")
        super().__init__(**kwargs)
        self.groups, self.knots = groups, knots
        frozen = {"trainable": False, "dtype": "float32", "autocast": False}
        self.positions = self.add_weight(name="positions", shape=(groups, knots), initializer="zeros", **frozen)
        self.slopes = self.add_weight(name="slopes", shape=(groups, knots + 1), initializer="ones", **frozen)
        self.first_value = self.add_weight(name="first_value", shape=(groups,), initializer="zeros", **frozen)
        self.built = True

    def build(self, logits_shape: Shape, group_shape: Shape | None = None) -> None:
        """The weights depend on the arguments alone."""

    def set_maps(self, maps: Mapping[int, LogitMap]) -> None:
        """Sets the map of each group.

        Args:
            maps: Maps by group; a group without one gets the identity.

        Raises:
            ValueError: If a map has more knots than the layer.
        """
        positions = np.zeros((self.groups, self.knots), np.float32)
        slopes = np.ones((self.groups, self.knots + 1), np.float32)
        first = np.zeros(self.groups, np.float32)
        for group, one in maps.items():
            count = len(one.knots)
            if count > self.knots:
                raise ValueError(f"a map should have at most {self.knots} knots. Received: {count}")
            positions[group] = one.knots[-1]
            positions[group, :count] = one.knots
            inner = np.diff(one.values) / np.diff(one.knots)
            slopes[group] = one.last_slope
            slopes[group, :count] = [one.first_slope, *inner]
            first[group] = one.values[0]
        for weight, values in ((self.positions, positions), (self.slopes, slopes), (self.first_value, first)):
            weight.assign(values)

    def call(self, logits: Tensor, group: Tensor | None = None) -> Tensor:
        logits = ops.cast(logits, "float32")
        if group is None:
            group = ops.zeros(ops.shape(logits), "int32")
        positions, slopes = ops.take(self.positions, group, axis=0), ops.take(self.slopes, group, axis=0)
        ends = positions[:, 1:]
        lengths = ops.clip(logits[:, None] - positions[:, :-1], 0.0, ends - positions[:, :-1])
        below = ops.minimum(logits - positions[:, 0], 0.0)
        above = ops.maximum(logits - positions[:, -1], 0.0)
        inner = ops.sum(slopes[:, 1:-1] * lengths, axis=1)
        return ops.take(self.first_value, group, axis=0) + slopes[:, 0] * below + inner + slopes[:, -1] * above

    def compute_output_shape(self, logits_shape: Shape, group_shape: Shape | None = None) -> Shape:
        return tuple(logits_shape)

    def get_config(self) -> Config:
        return {**super().get_config(), "groups": self.groups, "knots": self.knots}
