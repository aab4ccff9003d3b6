"""Policy that chooses which of a model's versions are served."""

import dataclasses
from collections.abc import Iterable

from tfmtl.config import FieldError


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """Versions that are served at the same time: the newest `count`, those of `numbers`, or all.

    Attributes:
        count: Number of versions to serve, of which the newest ones are taken; None for no limit.
        numbers: Numbers of the versions to serve; None for any.

    Example:
        >>> VersionPolicy.latest().candidates([1, 3, 2])
        [3, 2, 1]
        >>> VersionPolicy.specific([1, 7]).candidates([1, 3, 2])
        [1]
    """

    count: int | None = 1
    numbers: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise FieldError("count", f"should be at least 1. Received: {self.count}")

    @classmethod
    def latest(cls, count: int = 1) -> "VersionPolicy":
        """Returns the policy `latest`: the newest `count` versions."""
        return cls(count)

    @classmethod
    def all(cls) -> "VersionPolicy":
        """Returns the policy `all`: every version."""
        return cls(None)

    @classmethod
    def specific(cls, numbers: Iterable[int]) -> "VersionPolicy":
        """Returns the policy `specific`: the versions of these numbers."""
        return cls(None, frozenset(numbers))

    def candidates(self, versions: Iterable[int]) -> list[int]:
        """Returns the versions to try, newest first, until `count` of them are served.

        Args:
            versions: Numbers of the versions that exist.
        """
        return sorted((v for v in versions if self.numbers is None or v in self.numbers), reverse=True)
