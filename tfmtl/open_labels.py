"""Open labels: rows whose event may still come, and how a model is trained on them."""

import dataclasses
from typing import Literal

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class OpenLabels:
    """Columns that say which labels may still become positive, and the treatment of these rows in training.

    - `wait`: an open row has no weight in the loss.
    - `importance`: each row is trained on as a negative one, and its copy as a positive one when the event has come.
      The loss is `tfmtl.losses.fake_negative_cross_entropy`.
    - `delay`: the delay of the event is modelled as exponential, with a rate that depends on the features. The loss is
      `tfmtl.losses.delayed_feedback`.

    Whatever the treatment is, metrics, gates, calibration and the reference models take the rows whose label is known,
    each once: those that are neither open nor a copy.

    Attributes:
        column: Name of a column that is 1 where the label is not known yet. It should not depend on the label:
            `<label>_pending` of `tfmtl join`.
        maturity: Treatment of the open rows: `wait`, `importance` or `delay`.
        copy: Name of a column that is 1 on a row which repeats an earlier one because its event has come,
            `<label>_copy` of `tfmtl join`. It is required for `importance`; null if the log has no such rows.
        elapsed: Name of a column with the days until the event, or, without an event, until the log or its
            window ended, `<label>_elapsed` of `tfmtl join`. It is given for `delay` only.

    Example:
        >>> from tfmtl.spec import OpenLabels, Task
        >>> Task("buy", label="bought", open="bought_pending").open.maturity
        'wait'
        >>> OpenLabels("bought_pending", maturity="delay", elapsed="bought_elapsed").columns
        ('bought_pending', 'bought_elapsed')
    """

    column: str
    maturity: Literal["wait", "importance", "delay"] = "wait"
    copy: str | None = None
    elapsed: str | None = None

    def __post_init__(self) -> None:
        choices = ("wait", "importance", "delay")
        require(self.maturity in choices, "maturity", f"one of {', '.join(choices)}", self.maturity)
        has_copy = self.copy is not None or self.maturity != "importance"
        require(has_copy, "copy", "the column that marks copies, which `maturity: importance` needs", self.copy)
        is_delay = self.maturity == "delay"
        expected = "the column of elapsed days" if is_delay else "omitted unless `maturity` is delay"
        require(is_delay == (self.elapsed is not None), "elapsed", expected, self.elapsed)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(name for name in (self.column, self.copy, self.elapsed) if name is not None)

    @property
    def trains_open_rows(self) -> bool:
        """True if the task is trained on open rows."""
        return self.maturity != "wait"
