"""Mean weights of the gates, attention and selectors of a trained model, and its temperatures."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tfmtl.health.evaluate import recorded_values
from tfmtl.health.mechanisms import MECHANISMS

_LEFT_OUT = ("shared_representation",)
_KEYS = {
    "gate": "expert",
    "selector": "point",
    "pattern": "point",
    "attention": "field",
    "meta_attention": "view",
    "task_feature_attention": "field",
    "task_attention": "previous task",
    "self_attention": "token",
}
_TEMPERATURE = "temperature"
_MOST_KEYS = 64


@dataclasses.dataclass(frozen=True)
class Profile:
    """Mean of what a mechanism computes on rows, and how much it differs between them.

    Attributes:
        kind: Kind of the mechanism, such as `gate`.
        mechanism: The mechanism in words, such as `gate of click`.
        keys: Names of the entries of the last axis, such as `expert 1`.
        mean: Mean over the rows, `(queries, keys)`; one query for a mechanism whose values have no further axis.
        std: Standard deviation over the rows, `(queries, keys)`; 0 for values that do not depend on the row.

    Example:
        >>> import numpy as np
        >>> from tfmtl.health import Profile
        >>> keys, mean = ("expert 1", "expert 2"), np.array([[0.7, 0.3]])
        >>> profile = Profile("gate", "gate of click", keys, mean, np.zeros((1, 2)))
        >>> profile.to_plain()["mean"]
        [[0.7, 0.3]]
    """

    kind: str
    mechanism: str
    keys: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray

    def to_plain(self) -> dict[str, Any]:
        """Returns the profile as plain data, with six significant digits."""
        arrays = {name: [[float(f"{v:.6g}") for v in row] for row in getattr(self, name)] for name in ("mean", "std")}
        return {"kind": self.kind, "mechanism": self.mechanism, "keys": list(self.keys), **arrays}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Profile":
        """Builds the profile from the output of `to_plain`."""
        arrays = {name: np.asarray(plain[name]) for name in ("mean", "std")}
        return cls(plain["kind"], plain["mechanism"], tuple(plain["keys"]), **arrays)


def model_profile(model: Any, batches: Iterable[Any]) -> tuple[Profile, ...]:
    """Returns what the mechanisms of a trained model compute on average.

    The rows are those of `tfmtl.health.model_health`. The profile of weights that sum to 1, such as those of a gate or
    of attention, has rows that sum to 1. Values with more than two axes, such as the heads of an attention, are
    averaged over the axes before the last two. Mechanisms with more than 64 keys are left out.

    Args:
        model: A model of `tfmtl.models`, or another Keras model with layers of this library.
        batches: Batches of `(features, labels)`.

    Returns:
        A profile for each mechanism; nothing for a model without a mechanism.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.health import model_profile
        >>> from tfmtl.models import OMoE, OMoEOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = OMoE(spec, {"user": 100}, OMoEOptions(embedding_dim=4, num_experts=2, expert_units=(8,)))
        >>> (profile,) = model_profile(model, [({"user": np.arange(64)}, {"click": np.arange(64) % 2})])
        >>> profile.mechanism, profile.keys, profile.mean.shape
        ('gate of all tasks', ('expert 1', 'expert 2'), (1, 2))
    """
    recorded, constants = recorded_values(model, batches)
    layer = getattr(model, "embedding", None)
    fields = (*getattr(layer, "vocab_sizes", ()), *getattr(layer, "dense", ()))
    return tuple(_profiles(recorded, constants, fields))


def _profiles(recorded: Mapping[str, np.ndarray], constants: set[str], fields: tuple[str, ...]) -> Iterator[Profile]:
    for path, values in recorded.items():
        kind, *parts = path.split("/")
        if kind == _TEMPERATURE:
            yield _profile(kind, f"temperature of {' and '.join(parts)}", values.reshape(len(values), 1), False, ())
        elif kind in MECHANISMS and kind not in _LEFT_OUT and values.shape[-1] <= _MOST_KEYS:
            yield _profile(kind, MECHANISMS[kind].name(*parts), values, path in constants, fields)


def _profile(kind: str, name: str, values: np.ndarray, is_constant: bool, fields: tuple[str, ...]) -> Profile:
    mean, std = (values, np.zeros_like(values)) if is_constant else (values.mean(axis=0), values.std(axis=0))
    mean, std = (np.atleast_2d(one) for one in (mean, std))
    mean, std = (one.reshape(-1, *one.shape[-2:]).mean(axis=0) for one in (mean, std))
    count = mean.shape[-1]
    word = _KEYS.get(kind, kind.replace("_", " "))
    numbered = tuple(f"{word} {index + 1}" for index in range(count)) if count > 1 else (word,)
    return Profile(kind, name, fields if word == "field" and len(fields) == count else numbered, mean, std)
