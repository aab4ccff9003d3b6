"""ESCM^2 with the doubly robust risk: a further tower imputes the conversion's error where there is no click."""

import dataclasses
from typing import Any, ClassVar

from keras import ops

from tfmtl import introspection
from tfmtl.config import require
from tfmtl.layers import Tower
from tfmtl.losses.doubly_robust import doubly_robust_risk, imputation_risk
from tfmtl.models.escm2_ips import ESCM2IPS, ESCM2Options
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class ESCM2DROptions(ESCM2Options):
    """Options of `ESCM2DR`, besides those of `ESCM2IPS`.

    Attributes:
        imputation_weight: factor of the loss by which the imputation learns.
    """

    imputation_weight: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        require(self.imputation_weight >= 0, "imputation_weight", "at least 0", self.imputation_weight)


@register_model("escm2_dr")
class ESCM2DR(ESCM2IPS):
    """ESMM's losses and, for each task that follows one, `lambda_c mean(d + o / p * (e - d))`, with an imputed error d.

    e, o and p are those of `ESCM2IPS`. `d = softplus(tower(x))` is a tower's of its own, on the shared embeddings, with
    hidden layers as wide as the others'; it learns by `mean(o / p * (e - d)^2)`. Where d is near e, clicks of a small
    ctr move the risk less; where p is wrong and d is right, the risk is still right.

    Decisions where the paper leaves room:

    - p is a constant, and `1 / p` is bounded, as in `ESCM2IPS`.
    - **D** d is a softplus: an error is at least 0, and the risk, which is linear in d, could be lowered without end.
    - **D** e is a constant to the imputation's loss: else the conversion would be pulled to where its error is the
      imputed one, right or wrong.
    - The paper weighs both terms by its lambda_c; here each has a factor, equal by default.
    - As in the paper d does not depend on the conversion's head, so the head's own gradient is that of `ESCM2IPS`: what
      differs reaches the embeddings through the imputation.

    The imputation is part of training only: nothing that is served depends on it. Recorded, besides what the towers
    record: `imputation/<task>`, d, `(batch,)`.

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion Rate
          Estimation](https://arxiv.org/abs/2204.05125), the DR regularizer
    """

    options_class: ClassVar[type] = ESCM2DROptions
    equations = "the DR regularizer, section 3"

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: ESCM2DROptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.imputations = {
            task: Tower(options.tower_units, dropout=options.dropout, name=f"imputation_{task}")
            for task in self.follows
        }

    @property
    def upper_layers(self):
        return (*self.imputations.values(), *super().upper_layers)

    @property
    def extra_loss_names(self):
        return (*super().extra_loss_names, *(f"{task}_imputation_loss" for task in self.follows))

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        for task, tower in self.imputations.items():
            introspection.record(f"imputation/{task}", ops.softplus(tower(inputs, training=training)))
        return {name: tower(inputs, training=training) for name, tower in self.towers.items()}

    def extra_losses(self, labels, logits, taps, sample_weight=None):
        """Both terms of each task; none where no forward pass gave `taps`."""
        extras = {}
        for one in self.counterfactuals(labels, logits) if taps else ():
            parts = one.errors, taps[f"imputation/{one.task}"], one.observed, one.inverse, sample_weight
            extras[f"{one.task}_counterfactual_loss"] = self.options.counterfactual_weight * doubly_robust_risk(*parts)
            extras[f"{one.task}_imputation_loss"] = self.options.imputation_weight * imputation_risk(*parts)
        return extras
