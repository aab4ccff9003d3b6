"""Terms that a model adds to the logits of its network."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from tfmtl.layers import FusedEmbedding
from tfmtl.losses.batch_mean import replica_mean
from tfmtl.model_inputs import offsets
from tfmtl.models.core.embedded_features import EmbeddedFeatures
from tfmtl.offsets import EXPOSURE_SUFFIX
from tfmtl.spec import ENTIRE
from tfmtl.types import Features, Logits, Tensor

_LARGEST_SHARE = 0.999
"""Largest share of a task's events among those of its previous task."""


class LogitTerms(EmbeddedFeatures):
    """Base of `MultiTaskModel` that adds constants, a linear term and offsets to the logits.

    The constants are those of the option `label_means`, and the linear term that of the option `wide`.

    The `call` of a subclass is wrapped, so that a model whose `call` knows nothing of the terms has them too. The terms
    are added to the logits that `call` returns, before a loss or an output forms products of probabilities. Only the
    `call` of the model's own class adds them, and not the `call` of a base class that it calls.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    wide: FusedEmbedding | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            cls.call = _add_terms_after(cls.call)

    @property
    def input_dtype(self) -> str:
        """Type of the features inside a call: float32 under any dtype policy. Layers convert it to their own type."""
        return "float32"

    def make_wide(self) -> FusedEmbedding | None:
        """Creates the layer of the option `wide`: one table, which holds a weight for each id and task, initially 0.

        Returns:
            The layer, whose weights are summed in float32 under any dtype policy; None without the option.
        """
        return self.make_linear(len(self.spec.tasks), "wide") if self.options.wide else None

    @property
    def sparse_embeddings(self) -> tuple[FusedEmbedding, ...]:
        """Embedding layers of whose tables a batch reads few rows; each is called with the model's features."""
        return super().sparse_embeddings if self.wide is None else (*super().sparse_embeddings, self.wide)

    def logit_constants(self) -> dict[str, float]:
        """Returns the constant of each task's logit that the option `label_means` gives, by task name."""
        means, spaces = self.options.label_means, self.spaces
        constants = {}
        for task in self.spec.tasks:
            if task.name not in means:
                continue
            mean = means[task.name]
            if task.kind != "binary":
                constants[task.name] = math.log(mean)
                continue
            if task.follows and spaces[task.name] != ENTIRE:
                mean = min(mean / means.get(task.follows, 1.0), _LARGEST_SHARE)
            constants[task.name] = math.log(mean / (1 - mean))
        return constants

    def add_logit_terms(self, features: Features, logits: Logits) -> Logits:
        """Adds constants, linear term and offsets to logits, and the loss of the option `wide_l2` to the losses.

        Args:
            features: Transformed features by name.
            logits: Logits of the network by task name, each `(batch,)`.

        Returns:
            Logits by task name, each `(batch,)` float32.

        Raises:
            ValueError: If the features lack the exposure of a task with an offset.
        """
        added = dict(logits)
        for name, constant in self.logit_constants().items():
            added[name] = added[name] + constant
        if self.wide is not None:
            weights = self.wide(features)
            if self.options.wide_l2:
                self.add_loss(self.options.wide_l2 * replica_mean(ops.sum(ops.square(weights), axis=(1, 2))))
            terms = ops.unstack(ops.sum(weights, axis=1), len(self.spec.tasks), axis=1)
            for task, term in zip(self.spec.tasks, terms, strict=True):
                added[task.name] = added[task.name] + term
        for name, offset in offsets(self.spec).items():
            added[name] = added[name] + _log_exposure(features, name, offset.floor)
        return added


def _log_exposure(features: Features, task: str, floor: float) -> Tensor:
    """Returns the logarithm of the exposure of a task, `(batch,)`, in which `floor` replaces smaller values and NaN."""
    name = task + EXPOSURE_SUFFIX
    if name not in features:
        raise ValueError(f"`features` should contain `{name}`, the exposure of `{task}`. Received: {list(features)}")
    exposure = ops.cast(features[name], "float32")
    return ops.log(ops.where(exposure > floor, exposure, floor))


def _add_terms_after(call: Callable[..., Logits]) -> Callable[..., Logits]:
    """Wraps the `call` of a model class so that it adds the terms, unless the `call` of a subclass does."""

    @functools.wraps(call)
    def call_and_add(self: Any, *args: Any, **kwargs: Any) -> Logits:
        logits = call(self, *args, **kwargs)
        if type(self).call is not call_and_add:
            return logits
        features = inspect.signature(call).bind(self, *args, **kwargs).args[1]
        added: Logits = self.add_logit_terms(features, logits)
        return added

    return call_and_add
