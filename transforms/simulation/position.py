"""Position at which an item is shown, which depends on its relevance and changes the probability of a click."""

import dataclasses
import math

import numpy as np
from scipy.special import ndtr

from tfmtl.config import require
from transforms.simulation.draws import Draws


@dataclasses.dataclass(frozen=True)
class PositionOptions:
    """Position of each impression in a list that an earlier model has ranked.

    The position is 1 for the items of the highest rank. The logit of the first task is lower by `bias * log2(position)`
    than at position 1, so that the log confounds the position with relevance, and with what else determines the rank.

    Attributes:
        column: Column of the position.
        slots: Number of positions.
        bias: Decrease of the logit for each doubling of the position.
        policy: Correlation of the rank with the true logit, from 0 to 1.
        promoted: Kind of entity of which some are promoted: their rank is higher, whatever their relevance. Empty for
            none.
        promotion: Correlation of the rank with the promotion, from 0 to 1. The rest of the rank is random.
    """

    column: str
    slots: int = 8
    bias: float = 0.6
    policy: float = 0.6
    promoted: str = ""
    promotion: float = 0.0

    def __post_init__(self) -> None:
        require(self.slots >= 2, "slots", "at least 2", self.slots)
        require(self.bias >= 0, "bias", "0 or more", self.bias)
        require(0 <= self.policy <= 1, "policy", "from 0 to 1", self.policy)
        require(bool(self.promoted) or not self.promotion, "promoted", "a kind of entity", self.promoted)
        largest = math.sqrt(1 - self.policy**2)
        require(0 <= self.promotion <= largest, "promotion", f"from 0 to {largest:.3f}", self.promotion)


def draw_positions(
    options: PositionOptions, draws: Draws, relevance: np.ndarray, promotion: np.ndarray | float
) -> np.ndarray:
    """Draws the positions of rows.

    Args:
        options: Options of the position.
        draws: Random numbers of the rows.
        relevance: True logits of the first task with mean 0 and standard deviation 1, `(rows,)`.
        promotion: Promotion of each row's entity, standard normal, `(rows,)`; 0 for none.

    Returns:
        Positions from 1 to `slots`, int64 `(rows,)`.
    """
    rest = math.sqrt(max(0.0, 1 - options.policy**2 - options.promotion**2))
    rank = ndtr(options.policy * relevance + options.promotion * promotion + rest * draws.normal("position"))
    positions: np.ndarray = 1 + np.minimum((options.slots * (1 - rank)).astype(np.int64), options.slots - 1)
    return positions
