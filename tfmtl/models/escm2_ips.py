"""ESCM2-IPS: ESMM with a loss of the conversion on clicked rows, weighted by the inverse propensity of the click."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from keras import ops

from tfmtl.losses.inverse_propensity import inverse_propensity, inverse_propensity_risk
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.task_losses import row_losses
from tfmtl.models.esmm import ESMM
from tfmtl.models.options.escm2_ips import INFO, ESCM2Options
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Labels, Logits, Tensor


@dataclasses.dataclass(frozen=True)
class Counterfactual:
    """Parts of the counterfactual risk of a task.

    Attributes:
        task: Name of the task.
        errors: Loss of the task's conditional head on each row, as if the outcome of each were observed, `(batch,)`.
        observed: Label of the previous task, `(batch,)`.
        inverse: Inverse of the probability that the outcome is observed, `(batch,)`.
        weights: Weights of the rows, `(batch,)`.
    """

    task: str
    errors: Tensor
    observed: Tensor
    inverse: Tensor
    weights: Tensor


@register_model("escm2_ips")
class ESCM2IPS(ESMM):
    """Entire Space Counterfactual Multi-Task Model (ESCM2) with inverse propensity scoring (IPS).

    The architecture and the losses are those of `ESMM`. For each task that follows another, a counterfactual risk is
    added:

    `lambda_c mean_r(o_r / p_r * e_r)`,

    where e is the cross-entropy of the task's *conditional* head (of a value, its loss), o the label of the previous
    task, and p the predicted probability of the previous task on the entire space (ctr for a conversion). The mean is
    over all rows. If p is right, it is in expectation the mean of e over all impressions, clicked or not. In ESMM
    alone, the conditional head is trained only through the product, so it may compensate for errors of ctr.

    Deviation from the paper: p is a constant in the counterfactual risk. Otherwise the risk of a clicked row could be
    lowered by raising its ctr, whatever the row is. `propensity_gradient=True` is the other reading.

    Deviation from the paper: `1 / p` is at most `max_weight` (100). Without a bound, a few clicks on rows with a small
    ctr dominate a step.

    Choices where the paper is not specific:

    - The paper searches for lambda_c. The default of 0.1 is a choice of this package, not a result of the paper.
    - The network below the losses is that of ESMM, as the regularizer of the paper does not depend on it.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `ESCM2Options()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import ESCM2IPS, ESCM2Options
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = ESCM2Options(embedding_dim=4, tower_units=(8,), counterfactual_weight=0.5)
        >>> model = ESCM2IPS(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion Rate
          Estimation](https://arxiv.org/abs/2204.05125), the IPS regularizer
    """

    options_class = ESCM2Options
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: ESCM2Options

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: ESCM2Options | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec, vocabulary_sizes, options or ESCM2Options(), **kwargs)

    @property
    def extra_loss_names(self) -> tuple[str, ...]:
        """Names of the losses that `extra_losses` returns: one for each task that follows another."""
        return tuple(f"{task}_counterfactual_loss" for task in self.follows)

    def extra_losses(
        self, labels: Labels, logits: Logits, taps: Mapping[str, Tensor], weights: RowWeights
    ) -> dict[str, Tensor]:
        """Computes the counterfactual risk of each task that follows another.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            taps: Tensors that the forward pass recorded; not used.
            weights: Weights of the rows.

        Returns:
            Scalars by the names in `extra_loss_names`.
        """
        extras = {}
        for part in self.counterfactuals(labels, logits, weights):
            risk = inverse_propensity_risk(part.errors, part.observed, part.inverse, part.weights)
            extras[f"{part.task}_counterfactual_loss"] = self.options.counterfactual_weight * risk
        return extras

    def counterfactuals(self, labels: Labels, logits: Logits, weights: RowWeights) -> Iterator[Counterfactual]:
        """Yields the parts of the counterfactual risk of each task that follows another.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            weights: Weights of the rows.
        """
        entire = self.entire_logits(logits)
        for task, previous in self.follows.items():
            errors = row_losses(self.spec.task(task), self.options, labels[task], logits[task])
            propensity = entire[previous] if self.options.propensity_gradient else ops.stop_gradient(entire[previous])
            inverse = inverse_propensity(propensity, self.options.max_weight)
            yield Counterfactual(task, errors, labels[previous], inverse, weights.of_pair(task, previous))
