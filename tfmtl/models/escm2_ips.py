"""ESCM^2 with inverse propensity scoring: ESMM, and a loss of the conversion itself, each click weighed by 1 / ctr."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from keras import ops

from tfmtl.config import require
from tfmtl.losses.chain_logits import entire_logits
from tfmtl.losses.inverse_propensity import inverse_propensity, inverse_propensity_risk
from tfmtl.models.core.task_losses import row_losses
from tfmtl.models.esmm import ESMM, ESMMOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class ESCM2Options(ESMMOptions):
    """Options of `ESCM2IPS`, besides those of `ESMM`. `max_weight` also bounds the inverse of a propensity.

    Attributes:
        counterfactual_weight: factor of the counterfactual risk, the paper's lambda_c. Its lambda_g, of the global
            risk, is the conversion's entry in `task_weights`.
        propensity_gradient: whether the counterfactual risk also changes the propensity, the predicted ctr.
    """

    counterfactual_weight: float = 0.1
    propensity_gradient: bool = False

    def __post_init__(self):
        super().__post_init__()
        weight = self.counterfactual_weight
        require(weight >= 0, "counterfactual_weight", "at least 0", weight)


@dataclasses.dataclass(frozen=True)
class Counterfactual:
    """What the counterfactual risk of a task is made of, all `(batch,)`.

    Attributes:
        task: its name.
        errors: the loss of its conditional head on each row, as if each had been observed.
        observed: the label of the task that it follows.
        inverse: the inverse of the probability of being observed.
    """

    task: str
    errors: Any
    observed: Any
    inverse: Any


@register_model("escm2_ips")
class ESCM2IPS(ESMM):
    """ESMM's losses and, for each task that follows one, `lambda_c mean_r(o_r / p_r * e_r)`.

    e is the cross-entropy of the task's *conditional* head, o the label of the task that it follows and p that task's
    predicted probability on the entire space (ctr for a conversion; ctcvr for what follows a conversion). The mean is
    over all rows: if p is right it is in expectation the mean of e over all impressions, clicked or not. ESMM alone
    trains the conditional head through the product, which leaves it free to be whatever makes up for errors in ctr.

    Decisions where the paper leaves room:

    - **D** p is a constant to the counterfactual risk: else the risk of a clicked row would be lowered by raising its
      ctr, whatever the row is. `propensity_gradient=True` is the other reading.
    - **D** `1 / p` is held at `max_weight` (100), without which a few clicks at a small ctr decide a step.
    - The paper searches for lambda_c; 0.1 is this package's default and not a finding of the paper.
    - The model below the losses is ESMM's: the paper's regularizer does not depend on it.

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion Rate
          Estimation](https://arxiv.org/abs/2204.05125), the IPS regularizer
    """

    options_class: ClassVar[type] = ESCM2Options
    paper = "Wang et al., 2022, Entire Space Counterfactual Multi-Task Model (ESCM^2, SIGIR)"
    equations = "the IPS regularizer, section 3"

    @property
    def extra_loss_names(self):
        return tuple(f"{task}_counterfactual_loss" for task in self.follows)

    def extra_losses(self, labels, logits, taps, sample_weight=None):
        extras = {}
        for one in self.counterfactuals(labels, logits):
            risk = inverse_propensity_risk(one.errors, one.observed, one.inverse, sample_weight)
            extras[f"{one.task}_counterfactual_loss"] = self.options.counterfactual_weight * risk
        return extras

    def counterfactuals(self, labels: Any, logits: Any) -> Iterator[Counterfactual]:
        """The parts of each task's counterfactual risk."""
        entire = entire_logits(self.follows, logits)
        for task, previous in self.follows.items():
            errors = row_losses(self.spec.task(task), self.options, labels[task], logits[task])
            propensity = entire[previous] if self.options.propensity_gradient else ops.stop_gradient(entire[previous])
            inverse = inverse_propensity(propensity, self.options.max_weight)
            yield Counterfactual(task, errors, ops.cast(labels[previous], "float32"), inverse)
