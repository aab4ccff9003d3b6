"""ESMM: conversion rates that are learned on all impressions through the product of the chain's probabilities."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from tfmtl.layers import Tower
from tfmtl.losses.batch_mean import mean_of_sums
from tfmtl.losses.chain_logits import entire_logits
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.heads import head_space, training_weights
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.task_losses import training_losses
from tfmtl.models.options.esmm import INFO, ESMMOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import CONDITIONAL, ENTIRE, DatasetSpec
from tfmtl.types import Features, Labels, Logits, Tensor


@register_model("esmm")
class ESMM(MultiTaskModel):
    """Entire Space Multi-Task Model (ESMM).

    The towers of the tasks share the embeddings x of the fields and no other weights. The tower of a task k that
    follows a task k' predicts the *conditional* probability c, and the loss is the cross-entropy of the product p,
    whose label is known on every row:

    `c_k = sigmoid(tower_k(x))` and `p_k = p_{k'} c_k`.

    So `spaces` is `conditional` for a task that follows another, because its head predicts P(z=1 | y=1, x), while its
    loss is a mean over all rows. The cross-entropy is computed from the logit of the product
    (`tfmtl.losses.product_logit`), which is finite and exact for all logits.

    The tasks form a chain of any length or a tree. A count neither follows nor is followed; it has a tower, and the
    likelihood of a count. The tower of a value that follows a task k' predicts the logarithm of the conditional mean,
    and its loss is that of the expected value `p_{k'} exp(tower_k(x))` on all rows.

    Choices where the paper is not specific:

    - The vectors of the fields are concatenated. A multivalent field is averaged, as in all models of this package.
    - A tower ends in one logit. In the paper, 360 x 200 x 80 x 2, it ends in a softmax over two, which is equivalent.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `ESMMOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import ESMM, ESMMOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = ESMMOptions(embedding_dim=4, tower_units=(8,))
        >>> model = ESMM(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Ma et al., 2018, Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click Conversion
          Rate](https://arxiv.org/abs/1804.07931), equations 1 to 3
    """

    options_class = ESMMOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: ESMMOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: ESMMOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or ESMMOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    @property
    def spaces(self) -> dict[str, str]:
        """Space of the head of each task by task name: `conditional` for a task that follows another."""
        return {task.name: head_space(task, CONDITIONAL) for task in self.spec.tasks}

    @property
    def follows(self) -> dict[str, str]:
        """Name of the previous task of each task that follows another, by task name."""
        return {task.name: task.follows for task in self.spec.tasks if task.follows}

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the tasks that are values."""
        return tuple(task.name for task in self.spec.tasks if task.kind == "value")

    def entire_logits(self, logits: Logits) -> dict[str, Tensor]:
        """Returns the logits of the products of probabilities, and the logarithms of the expected values.

        Args:
            logits: Logits of the heads by task name, each `(batch,)`.
        """
        return entire_logits(self.follows, logits, self.values)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        return {name: tower(inputs, training=training) for name, tower in self.towers.items()}

    def weighted_task_losses(
        self, labels: Labels, logits: Logits, weights: RowWeights
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Computes the mean loss over all rows of each task's product of probabilities, or of its expected value.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits of the heads by task name, each `(batch,)`.
            weights: Weights of the rows.

        Returns:
            The mean loss and the sum of the weights of this replica's rows, by task name.
        """
        entire = self.entire_logits(logits)
        losses = {}
        for task in self.spec.tasks:
            late = weights.late.get(task.name)
            loss = training_losses(task, self.options, labels[task.name], entire[task.name], late)
            rows = training_weights(self.spec, task.name, ENTIRE, labels, weights)
            total = ops.sum(rows)
            losses[task.name] = (mean_of_sums(ops.sum(rows * loss), total), total)
        return losses
