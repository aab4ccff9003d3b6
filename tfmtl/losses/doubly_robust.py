"""Doubly robust risk: imputed errors of all rows, corrected by the errors of the observed rows."""

from keras import ops

from tfmtl.losses.batch_mean import batch_mean, mask_values
from tfmtl.types import Tensor, TensorLike


def doubly_robust_risk(
    errors: TensorLike,
    imputed: TensorLike,
    observed: TensorLike,
    inverse: TensorLike,
    sample_weight: TensorLike | None = None,
) -> Tensor:
    """Estimates the mean error of all rows from imputed errors and the errors of the observed rows.

    The estimate is `mean_r(d_r + o_r w_r (e_r - d_r))`. It is unbiased if either the imputed errors d or the weights
    `w = 1 / P(o = 1 | x)` are correct. Its variance is that of `w (e - d)`, whereas the variance of
    `inverse_propensity_risk` is that of `w e`.

    Args:
        errors: Losses e of the rows, `(batch,)`. The losses of unobserved rows are ignored and may be NaN.
        imputed: Expected losses d of the rows, `(batch,)`.
        observed: Indicator o of observed rows, 0 or 1, `(batch,)`.
        inverse: Inverse propensities w, `(batch,)`, see `tfmtl.losses.inverse_propensity`.
        sample_weight: Weights of the rows, `(batch,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if there is no row.

    Example:
        >>> from tfmtl.losses import doubly_robust_risk
        >>> risk = doubly_robust_risk(
        ...     errors=[0.5, 3.0], imputed=[1.0, 2.0], observed=[1.0, 0.0], inverse=[4.0, 2.0]
        ... )
        >>> float(risk)  # (1 + 4 * (0.5 - 1) + 2) / 2
        0.5

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model](https://arxiv.org/abs/2204.05125),
          the DR regularizer
    """
    errors, imputed, observed, inverse = _to_float32(errors, imputed, observed, inverse)
    errors = mask_values(errors, observed)
    return batch_mean(imputed + observed * inverse * (errors - imputed), sample_weight)


def imputation_risk(
    errors: TensorLike,
    imputed: TensorLike,
    observed: TensorLike,
    inverse: TensorLike,
    sample_weight: TensorLike | None = None,
) -> Tensor:
    """Computes the squared error of imputed losses, weighted by inverse propensities: the loss of an imputation model.

    The loss is `mean_r(o_r w_r (e_r - d_r)^2)`. No gradient flows through the errors e.

    Args:
        errors: Losses e of the rows, `(batch,)`. The losses of unobserved rows are ignored and may be NaN.
        imputed: Expected losses d of the rows, `(batch,)`.
        observed: Indicator o of observed rows, 0 or 1, `(batch,)`.
        inverse: Inverse propensities w, `(batch,)`, see `tfmtl.losses.inverse_propensity`.
        sample_weight: Weights of the rows, `(batch,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if no row is observed.

    Example:
        >>> from tfmtl.losses import imputation_risk
        >>> risk = imputation_risk(errors=[0.5, 3.0], imputed=[1.0, 2.0], observed=[1.0, 0.0], inverse=[4.0, 2.0])
        >>> float(risk)  # (4 * 0.5^2 + 0) / 2
        0.5

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model](https://arxiv.org/abs/2204.05125),
          second term of the DR regularizer
    """
    errors, imputed, observed, inverse = _to_float32(errors, imputed, observed, inverse)
    errors = mask_values(ops.stop_gradient(errors), observed)
    return batch_mean(observed * inverse * ops.square(errors - imputed), sample_weight)


def _to_float32(*values: TensorLike) -> list[Tensor]:
    return [ops.cast(value, "float32") for value in values]
