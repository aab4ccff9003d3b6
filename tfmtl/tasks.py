"""Tasks of a dataset and the predictions of a model for them."""

import dataclasses
import re
from typing import Final, Literal

from tfmtl.config import require
from tfmtl.offsets import Offset
from tfmtl.open_labels import OpenLabels

ENTIRE: Final = "entire"
"""Name of the entire space: all rows."""

CONDITIONAL: Final = "conditional"
"""Name of the conditional space: the rows on which the previous task's label is 1."""

_COMPARISON = re.compile(r"\s*(>=|<=|>|<)\s*(.*?)\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

_POWER = 1.5


@dataclasses.dataclass(frozen=True)
class Task:
    """A prediction target: the probability of an event, the mean of a number of events, or the mean of an amount.

    A task may follow another one, whose event is required for its own: a purchase follows a click. Tasks linked by
    `follows` form a chain. Such a task has two outputs: P(label = 1 | x) on the entire space, that is on all rows, and
    P(label = 1 | previous label = 1, x) on the conditional space.

    A value, such as the revenue of a purchase or the time that is spent after a click, is the last task of its chain.
    Its conditional output is E[label | previous label = 1, x], and its output on the entire space is the expected
    value: the probability of the chain up to the previous task, times the conditional output.

    Attributes:
        name: Name of the task, by which losses, weights, metrics and thresholds are keyed.
        label: Name of the label column: 0 or 1 for a binary task, a number of events for a count, a number of at least
            0 for a value. The label of a task that follows another is 0, or missing, where that event did not happen.
        kind: `binary` for the probability of an event, `count` for the mean of a number of events, `value` for the mean
            of an amount.
        follows: Name of the previous task, which is binary; null for none. A count follows no task.
        output: Name of the prediction on the entire space; the task's name by default.
        conditional_output: Name of the prediction on the conditional space; `<name>_given_<follows>` by default.
        positive: Values of the label column that are positive, all others being negative: texts or numbers, and
            comparisons such as `>= 4`. By default labels are 0 and 1, or true and false.
        offset: Exposure of a count or value, or the name of the numerical feature that is the exposure; null for none.
        open: Columns of labels that may still become positive, and how a model is trained on these rows; or the name of
            the column that is 1 on them, such as `<label>_pending` of `tfmtl join`, which leaves them out. An open
            label is not known: the row has no weight in the metrics of this label. Null if all labels are known. Where
            the label of the previous task is open, so is that of a value.
        power: Exponent p of the Tweedie distribution of a value, whose variance is proportional to `mean^p`, above 1
            and below 2. The loss of a row with the mean m grows as `m^(2 - p)`: the smaller p is, the more the largest
            values matter.

    Example:
        >>> from tfmtl.spec import Task
        >>> Task("buy", label="bought", follows="click").conditional_output
        'buy_given_click'

        The expected revenue of an impression, and that of a purchase:

        >>> task = Task("revenue", "price", "value", "buy", "expected_value", "conditional_value")
        >>> task.output, task.conditional_output
        ('expected_value', 'conditional_value')
    """

    name: str
    label: str
    kind: Literal["binary", "count", "value"] = "binary"
    follows: str | None = None
    output: str = ""
    conditional_output: str = ""
    positive: tuple[str | int | float | bool, ...] = ()
    offset: Offset | str | None = None
    open: OpenLabels | str | None = None
    power: float = _POWER

    def __post_init__(self) -> None:
        self._check_positive()
        require(self.open is None or self.kind != "count", "open", "omitted for a count", self.open)
        require(self.offset is None or self.kind != "binary", "offset", "omitted for a binary task", self.offset)
        require(1 < self.power < 2, "power", "above 1 and below 2", self.power)
        is_used = self.power == _POWER or self.kind == "value"
        require(is_used, "power", "omitted for a task that is not a value", self.power)
        if isinstance(self.open, str):
            object.__setattr__(self, "open", OpenLabels(self.open))
        is_late = isinstance(self.open, OpenLabels) and self.open.trains_open_rows
        require(self.kind == "binary" or not is_late, "open", "one that waits for a value", self.open)
        if isinstance(self.offset, str):
            object.__setattr__(self, "offset", Offset(self.offset))
        object.__setattr__(self, "output", self.output or self.name)
        if self.follows is None:
            expected = "omitted for a task without `follows`"
            require(not self.conditional_output, "conditional_output", expected, self.conditional_output)
        else:
            require(self.kind != "count", "kind", "binary or value for a task with `follows`", self.kind)
            name = self.conditional_output or f"{self.name}_given_{self.follows}"
            object.__setattr__(self, "conditional_output", name)

    @property
    def open_labels(self) -> OpenLabels | None:
        """Columns of open labels; None if all labels are known."""
        return self.open if isinstance(self.open, OpenLabels) else None

    def _check_positive(self) -> None:
        expected = "omitted for a count and for a value"
        require(not self.positive or self.kind == "binary", "positive", expected, self.positive)
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
