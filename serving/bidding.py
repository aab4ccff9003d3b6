"""Bids from predicted probabilities."""

import numpy as np
from numpy.typing import ArrayLike


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
    columns = {"ctr": ctr, "cvr": cvr, "base_price": base_price, "weight": weight}
    arrays = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    for name, values in arrays.items():
        largest = 1.0 if name in ("ctr", "cvr") else np.finfo(np.float64).max
        wrong = ~((values >= 0) & (values <= largest))
        if wrong.any():
            expected = "in [0, 1]" if largest == 1.0 else "at least 0 and finite"
            place = "" if values.ndim == 0 else f" at index {int(np.flatnonzero(wrong.ravel())[0])}"
            raise ValueError(f"{name} should be {expected}. Received: {values.ravel()[wrong.ravel()][0]}{place}")
    upper = np.inf if cap is None else float(cap)
    if not 0 <= floor <= upper:
        raise ValueError(f"floor should be at least 0, and at most cap. Received: {floor}, {cap}")
    bids: np.ndarray = arrays["weight"] * arrays["ctr"] * arrays["cvr"] * arrays["base_price"]
    return np.clip(bids, floor, upper)
