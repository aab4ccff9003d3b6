"""Divisions of a log into rows for training, evaluation and test."""

import dataclasses
from typing import Literal

from tfmtl.config import require
from tfmtl.times import parse_time


@dataclasses.dataclass(frozen=True)
class RandomSplit:
    """A split by a hash of each row's key, so that a row is in the same split wherever it is read.

    Attributes:
        kind: Always `random`.
        key: Names of the columns that are hashed; all columns of the spec by default. Rows with equal keys are in the
            same split.
        eval: Share of the rows in the split `eval`, between 0 and 1.
        test: Share of the rows in the split `test`, between 0 and 1; the remaining rows are in `train`.
        salt: Prefix of the hashed key. Changing the salt reshuffles the split.

    Example:
        >>> from tfmtl.splits import RandomSplit
        >>> RandomSplit(key=("user",), eval=0.05, test=0.15).salt
        ''
    """

    kind: Literal["random"] = "random"
    key: tuple[str, ...] = ()
    eval: float = 0.1
    test: float = 0.1
    salt: str = ""

    def __post_init__(self) -> None:
        for name in ("eval", "test"):
            require(0 < getattr(self, name) < 1, name, "between 0 and 1", getattr(self, name))
        expected = f"below {1 - self.eval:g}, so that rows remain for train"
        require(self.eval + self.test < 1, "test", expected, self.test)


@dataclasses.dataclass(frozen=True)
class TimeSplit:
    """A split by time: earlier rows train a model, later rows evaluate and test it.

    If the bounds are times (`tfmtl.times.parse_time`), such as `2026-11-20` or `2026-11-20 12:00+01:00`, the values of
    the column are converted to moments, so that the same moments give the same split however they are written. If the
    bounds are numbers, numbers are compared, and otherwise strings.

    Attributes:
        column: Name of the column with the time of a row: a date, a timestamp, a number, or a string.
        eval_from: First time in the split `eval`; earlier rows are in `train`.
        test_from: First time in the split `test`.
        kind: Always `time`.

    Example:
        >>> from tfmtl.splits import TimeSplit
        >>> TimeSplit("day", eval_from="2026-11-19", test_from="2026-11-20").kind
        'time'
    """

    column: str
    eval_from: int | float | str
    test_from: int | float | str
    kind: Literal["time"] = "time"

    def __post_init__(self) -> None:
        numbers = [isinstance(bound, int | float) for bound in (self.eval_from, self.test_from)]
        require(numbers[0] == numbers[1], "test_from", "of the same type as eval_from", self.test_from)
        eval_time, test_time = parse_time(self.eval_from), parse_time(self.test_from)
        if isinstance(self.eval_from, str) and eval_time is not None and test_time is not None:
            ordered = eval_time < test_time
        else:
            ordered = self.eval_from < self.test_from  # type: ignore[operator]
        require(ordered, "test_from", f"after eval_from, {self.eval_from!r}", self.test_from)


@dataclasses.dataclass(frozen=True)
class GivenSplit:
    """A split that is given with the log, such as one made by `tfmtl ingest`, which writes a folder for each split.

    Attributes:
        kind: Always `given`.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.splits import GivenSplit
        >>> to_plain(GivenSplit())
        {'kind': 'given'}
    """

    kind: Literal["given"] = "given"
