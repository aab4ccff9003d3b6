"""Bids from predicted probabilities and values."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

_PROBABILITIES = ("ctr", "cvr")
_DIVISORS = ("target_roas",)


def ocpc_bid(
    ctr: ArrayLike,
    cvr: ArrayLike,
    base_price: ArrayLike,
    *,
    weight: ArrayLike = 1.0,
    floor: float = 0.0,
    cap: float | None = None,
) -> np.ndarray:
    """Computes the price to bid for an impression under optimized cost per click (OCPC).

    `p_b = w * ctr * cvr * p_c`, in which `ctr * cvr` is the probability that the impression leads to a conversion, p_c
    is the price that the advertiser expects to pay for a conversion, and w is a weight by which a controller corrects
    for the cost so far. The probabilities should be calibrated: an error of their scale is an error of the price (see
    the model option `calibration`).

    Args:
        ctr: P(click | impression), in [0, 1].
        cvr: P(conversion | click), in [0, 1], of a shape that broadcasts with that of `ctr`.
        base_price: Expected price p_c of a conversion, at least 0, in any currency; the bids have its unit.
        weight: Weight w, at least 0.
        floor: Lower bound of the bid.
        cap: Upper bound of the bid; None for none.

    Returns:
        Bids p_b, float64, of the broadcast shape.

    Raises:
        ValueError: If a probability is not in [0, 1], or a price, weight or bound is negative or not finite.

    Example:
        >>> from serving.bidding import ocpc_bid
        >>> ocpc_bid(ctr=[0.05, 0.02], cvr=[0.1, 0.2], base_price=40.0, weight=1.1)
        array([0.22 , 0.176])

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equation 16
    """
    arrays = _checked({"ctr": ctr, "cvr": cvr, "base_price": base_price, "weight": weight})
    return _bounded(arrays["weight"] * arrays["ctr"] * arrays["cvr"] * arrays["base_price"], floor, cap)


def value_bid(
    expected_value: ArrayLike,
    *,
    target_roas: ArrayLike | None = None,
    cost_share: ArrayLike | None = None,
    weight: ArrayLike = 1.0,
    floor: float = 0.0,
    cap: float | None = None,
) -> np.ndarray:
    """Computes the price to bid for an impression by its expected value.

    `p_b = w * v / r`, in which v is the expected value of the impression, r the target return on ad spend (ROAS),
    revenue divided by cost, and w a weight by which a controller corrects for the cost so far. If all impressions are
    paid at their bids, the revenue is r times the cost. A target cost share s, cost divided by revenue, is `r = 1 / s`.
    The expected values should be calibrated, as an error of their scale is an error of the price.

    Args:
        expected_value: Expected value of an impression on the entire space, at least 0, in any currency; the bids have
            its unit. It is the output of a task of the kind `value` (`tfmtl.spec.Task`).
        target_roas: Target return r on ad spend, above 0, of a shape that broadcasts with that of the values.
        cost_share: Target cost share s, at least 0, given instead of `target_roas`.
        weight: Weight w, at least 0.
        floor: Lower bound of the bid.
        cap: Upper bound of the bid; None for none.

    Returns:
        Bids p_b, float64, of the broadcast shape.

    Raises:
        ValueError: If not one of `target_roas` and `cost_share` is given, or a value, target, weight or bound is out of
            range or not finite.

    Example:
        >>> from serving.bidding import value_bid
        >>> value_bid(expected_value=[0.8, 0.2], target_roas=4.0)
        array([0.2 , 0.05])
        >>> value_bid(expected_value=[0.8, 0.2], cost_share=0.25, cap=0.1)
        array([0.1 , 0.05])
    """
    given = {
        name: value for name, value in (("target_roas", target_roas), ("cost_share", cost_share)) if value is not None
    }
    if len(given) != 1:
        received = " and ".join(given) or "neither"
        raise ValueError(f"one of target_roas and cost_share should be given. Received: {received}")
    arrays = _checked({"expected_value": expected_value, **given, "weight": weight})
    share = arrays["cost_share"] if "cost_share" in arrays else 1 / arrays["target_roas"]
    return _bounded(arrays["weight"] * arrays["expected_value"] * share, floor, cap)


def _checked(columns: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Returns the columns as float64 arrays of numbers in their ranges."""
    arrays = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    for name, values in arrays.items():
        largest = 1.0 if name in _PROBABILITIES else np.finfo(np.float64).max
        wrong = ~((values >= 0) & (values <= largest))
        if name in _DIVISORS:
            wrong |= values == 0
        if wrong.any():
            expected = "in [0, 1]" if largest == 1.0 else "at least 0 and finite"
            expected = "above 0 and finite" if name in _DIVISORS else expected
            place = "" if values.ndim == 0 else f" at index {int(np.flatnonzero(wrong.ravel())[0])}"
            raise ValueError(f"{name} should be {expected}. Received: {values.ravel()[wrong.ravel()][0]}{place}")
    return arrays


def _bounded(bids: np.ndarray, floor: float, cap: float | None) -> np.ndarray:
    upper = np.inf if cap is None else float(cap)
    if not 0 <= floor <= upper:
        raise ValueError(f"floor should be at least 0, and at most cap. Received: {floor}, {cap}")
    return np.clip(bids, floor, upper)
