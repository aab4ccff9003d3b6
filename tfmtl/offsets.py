"""Offsets of counts and values: the exposure to which a predicted mean is proportional."""

import dataclasses
from collections.abc import Sequence

from tfmtl.config import Path, require
from tfmtl.features import NUMBERS, Feature, NumberSequenceFeature

EXPOSURE_SUFFIX = "__exposure"
"""Suffix of the exposure among the inputs of a model: `views__exposure` for the task `views`."""


@dataclasses.dataclass(frozen=True)
class Offset:
    """Exposure of a count or value, to which the prediction is proportional, as in a Poisson regression with an offset.

    The rate of a row x with exposure e is `max(e, floor) * exp(f(x))`, where f(x) is what a model learns: `log max(e,
    floor)` is added to the logarithm of the rate. With f = 0 the prediction is the exposure itself, if it is at least
    `floor`. Examples of an exposure are the impressions of a day whose clicks are counted, and the mean of the last
    days of the series that is predicted.

    A floor, unlike `log(1 + e)`, leaves larger exposures exact, in whatever unit they are. It should be near the
    smallest exposure above 0: with a much smaller one, the rows whose exposure is 0 dominate the training if events
    follow them.

    Attributes:
        feature: Name of a numerical feature, whose value is the exposure, or of a number sequence.
        mean_of_last: Number of positions at the end of a number sequence whose mean is the exposure, without the
            positions that have no number. It is given for a number sequence only.
        floor: Exposure of the rows whose exposure is smaller, negative or missing. A missing value of a feature with a
            `default` is the default.

    Example:
        >>> from tfmtl.spec import Offset, Task
        >>> Task("pay_next_week", label="pay_7d", kind="count", offset=Offset("pay", mean_of_last=7)).offset.floor
        0.01
    """

    feature: str
    mean_of_last: int | None = None
    floor: float = 0.01

    def __post_init__(self) -> None:
        is_valid = self.mean_of_last is None or self.mean_of_last >= 1
        require(is_valid, "mean_of_last", "at least 1", self.mean_of_last)
        require(0 < self.floor < float("inf"), "floor", "above 0 and finite", self.floor)

    def check_feature(self, features: Sequence[Feature], path: Path) -> None:
        """Checks that the exposure is a number of a row.

        Args:
            features: Features of the dataset.
            path: Path of the offset in the spec.

        Raises:
            FieldError: If the feature is not a numerical feature or a number sequence, or `mean_of_last` does not fit.
        """
        numbers = {feature.name: feature for feature in features if isinstance(feature, NUMBERS)}
        expected = f"a numerical feature or a number sequence: {', '.join(numbers) or 'there is none'}"
        require(self.feature in numbers, path, expected, self.feature)
        feature, received = numbers[self.feature], self.mean_of_last
        if isinstance(feature, NumberSequenceFeature):
            expected = f"a number of positions up to {feature.max_length}, the length of {feature.name}"
            is_valid = received is not None and received <= feature.max_length
        else:
            expected, is_valid = f"omitted: {feature.name} is not a sequence", received is None
        require(is_valid, (*path, "mean_of_last"), expected, received)
