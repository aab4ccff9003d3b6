"""Features that are known in training only."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainingOnly:
    """Use of a feature in training only, such as the position at which an item is shown.

    A model learns the effect of the feature from the training rows; epochs are compared, and probabilities calibrated,
    on rows of the eval split with their own values, from which their labels came about. In the exported model, and
    where it is evaluated on the test split, the feature is not an input, and every row has the same value of it: scores
    are those of all items at position 1, for example.

    Attributes:
        value: Value of the feature in the exported model.
    """

    value: str | int | float
