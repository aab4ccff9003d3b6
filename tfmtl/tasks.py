"""Tasks of a dataset and the predictions of a model for them."""

import dataclasses
import re
from typing import Final, Literal

from tfmtl.config import require
from tfmtl.offsets import Offset

ENTIRE: Final = "entire"
"""Name of the entire space: all rows."""

CONDITIONAL: Final = "conditional"
"""Name of the conditional space: the rows on which the previous task's label is 1."""

_COMPARISON = re.compile(r"\s*(>=|<=|>|<)\s*(.*?)\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Task:
    """A prediction target: the probability of an event or the mean of a number of events.

    A task may follow another one, whose event is required for its own: a purchase follows a click. Tasks linked by
    `follows` form a chain. Such a task has two outputs: P(label = 1 | x) on the entire space, that is on all rows, and
    P(label = 1 | previous label = 1, x) on the conditional space.

    Attributes:
        name: Name of the task, by which losses, weights, metrics and thresholds are keyed.
        label: Name of the label column: 0 or 1 for a binary task, a number of events for a count.
        kind: `binary` for the probability of an event, `count` for the mean of a number of events.
        follows: Name of the previous task; null for none. Both tasks have to be binary.
        output: Name of the prediction on the entire space; the task's name by default.
        conditional_output: Name of the prediction on the conditional space; `<name>_given_<follows>` by default.
        positive: Values of the label column that are positive, all others being negative: texts or numbers, and
            comparisons such as `>= 4`. By default labels are 0 and 1, or true and false.
        offset: Exposure of a count, or the name of the numerical feature that is the exposure; null for none.
        open: Name of a column that is 1 on rows whose label is 0 but may still become positive, such as those that
            `tfmtl join` marks. The label of such a row is not known: the row has no weight in losses and metrics of
            this label. Null if all labels are known.

    Example:
        >>> from tfmtl.spec import Task
        >>> Task("buy", label="bought", follows="click").conditional_output
        'buy_given_click'
    """

    name: str
    label: str
    kind: Literal["binary", "count"] = "binary"
    follows: str | None = None
    output: str = ""
    conditional_output: str = ""
    positive: tuple[str | int | float | bool, ...] = ()
    offset: Offset | str | None = None
    open: str | None = None

    def __post_init__(self) -> None:
        self._check_positive()
        require(self.open is None or self.kind == "binary", "open", "omitted for a count", self.open)
        require(self.offset is None or self.kind == "count", "offset", "omitted for a binary task", self.offset)
        if isinstance(self.offset, str):
            object.__setattr__(self, "offset", Offset(self.offset))
        object.__setattr__(self, "output", self.output or self.name)
        if self.follows is None:
            expected = "omitted for a task without `follows`"
            require(not self.conditional_output, "conditional_output", expected, self.conditional_output)
        else:
            require(self.kind == "binary", "kind", "binary for a task with `follows`", self.kind)
            name = self.conditional_output or f"{self.name}_given_{self.follows}"
            object.__setattr__(self, "conditional_output", name)

    def _check_positive(self) -> None:
        require(not self.positive or self.kind == "binary", "positive", "omitted for a count", self.positive)
        texts = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in self.positive)
        for i, text in enumerate(texts):
            comparison = _COMPARISON.fullmatch(text)
            expected = "a value, or a comparison with a number such as '>= 4'"
            require(not comparison or bool(_NUMBER.fullmatch(comparison[2])), ("positive", i), expected, text)
        object.__setattr__(self, "positive", texts)


@dataclasses.dataclass(frozen=True)
class Output:
    """A served prediction.

    Attributes:
        name: Name of the output.
        task: Name of the task that it predicts.
        space: Space of the prediction, `entire` or `conditional`.

    Example:
        >>> from tfmtl.spec import CONDITIONAL, Output
        >>> Output("cvr", task="buy", space=CONDITIONAL).space
        'conditional'
    """

    name: str
    task: str
    space: Literal["entire", "conditional"]
