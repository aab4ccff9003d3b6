"""ESCM2-DR: ESMM with the doubly robust risk, whose imputed errors a further tower predicts."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers import Tower
from tfmtl.losses.doubly_robust import doubly_robust_risk, imputation_risk
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.escm2_ips import ESCM2IPS
from tfmtl.models.options.escm2_dr import INFO, ESCM2DROptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Labels, Logits, Tensor


@register_model("escm2_dr")
class ESCM2DR(ESCM2IPS):
    """Entire Space Counterfactual Multi-Task Model (ESCM2) with the doubly robust (DR) risk.

    The architecture and the losses are those of `ESMM`. For each task that follows another, an imputation tower
    predicts the error of the task's conditional head, and two losses are added:

    `lambda_c mean(d + o / p * (e - d))` and `lambda_d mean(o / p * (e - d)^2)` with `d = softplus(tower(x))`,

    where e, o and p are those of `ESCM2IPS`. The second loss trains the imputation. Where d is close to e, clicks on
    rows with a small ctr change the risk less. Where p is wrong and d is right, the risk is still right.

    The imputation towers read the shared embeddings, with hidden layers as wide as those of the other towers. They are
    used in training only: no output depends on them. The imputed errors are recorded as `imputation/<task>`,
    `(batch,)`.

    As in `ESCM2IPS`, p is a constant in both losses, and `1 / p` is bounded.

    Deviation from the paper: d is a softplus, because an error is at least 0, and because the risk, which is linear in
    d, could otherwise be lowered without bound.

    Deviation from the paper: e is a constant in the loss of the imputation. Otherwise the conversion would be trained
    to have the imputed error, right or wrong.

    Choices where the paper is not specific:

    - The paper weights both losses by lambda_c. Here each has a factor; by default the two are equal.
    - As in the paper, d does not depend on the conversion's head, so the gradient of that head is the same as in
      `ESCM2IPS`. The difference reaches the embeddings through the imputation.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `ESCM2DROptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import ESCM2DR, ESCM2DROptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = ESCM2DROptions(embedding_dim=4, tower_units=(8,), imputation_weight=0.5)
        >>> model = ESCM2DR(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion Rate
          Estimation](https://arxiv.org/abs/2204.05125), the DR regularizer
    """

    options_class = ESCM2DROptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: ESCM2DROptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: ESCM2DROptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or ESCM2DROptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.imputations = {
            task: Tower(options.tower_units, dropout=options.dropout, name=f"imputation_{task}")
            for task in self.follows
        }

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: towers and imputation towers."""
        return (*self.imputations.values(), *super().upper_layers)

    @property
    def extra_loss_names(self) -> tuple[str, ...]:
        """Names of the losses that `extra_losses` returns: two for each task that follows another."""
        return (*super().extra_loss_names, *(f"{task}_imputation_loss" for task in self.follows))

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        for task, tower in self.imputations.items():
            introspection.record(f"imputation/{task}", ops.softplus(tower(inputs, training=training)))
        return {name: tower(inputs, training=training) for name, tower in self.towers.items()}

    def extra_losses(
        self, labels: Labels, logits: Logits, taps: Mapping[str, Tensor], weights: RowWeights
    ) -> dict[str, Tensor]:
        """Computes the doubly robust risk and the loss of the imputation of each task that follows another.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            taps: Tensors that the forward pass recorded. Without them, which have the imputed errors, there is no loss.
            weights: Weights of the rows.

        Returns:
            Scalars by the names in `extra_loss_names`.
        """
        extras = {}
        for part in self.counterfactuals(labels, logits, weights) if taps else ():
            imputed = taps[f"imputation/{part.task}"]
            values = (part.errors, imputed, part.observed, part.inverse, part.weights)
            risk, loss = doubly_robust_risk(*values), imputation_risk(*values)
            extras[f"{part.task}_counterfactual_loss"] = self.options.counterfactual_weight * risk
            extras[f"{part.task}_imputation_loss"] = self.options.imputation_weight * loss
        return extras
