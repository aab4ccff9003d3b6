"""Features that are vectors of numbers."""

import dataclasses
from typing import Literal

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class DenseFeature:
    """A vector of numbers per row, such as an embedding of an image or a text that another model computed.

    The numbers are inputs of a model as they are, not as ids of buckets: a linear map of the vector takes the place of
    an embedding. A standardized number is `(x - mean) / deviation`, with the mean and the standard deviation of its
    position in the training rows. A missing number, and each number of a row without the vector, is 0 after that, which
    is the mean.

    Attributes:
        name: Name of the column, a list of numbers.
        kind: Always `dense`.
        length: Number of values; a row with another number of them is rejected.
        separator: Separator of the numbers in a CSV file.
        standardize: Whether numbers are standardized. False suits vectors whose numbers have one scale already.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import DenseFeature
        >>> to_plain(DenseFeature("title_embedding", length=64))
        {'name': 'title_embedding', 'kind': 'dense', 'length': 64}
    """

    name: str
    kind: Literal["dense"] = "dense"
    length: int = 1
    separator: str = "|"
    standardize: bool = True

    def __post_init__(self) -> None:
        require(self.length >= 1, "length", "at least 1", self.length)
        require(bool(self.separator), "separator", "at least one character", self.separator)

    @property
    def max_length(self) -> int:
        """Number of values, as of other features with several values per row."""
        return self.length
