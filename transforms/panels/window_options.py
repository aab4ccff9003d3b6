"""How daily rows become rows of windows: which days are seen, and which are to be predicted."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import FieldError, require
from tfmtl.features import NumberSequenceFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.validation.validate import raw_columns


@dataclasses.dataclass(frozen=True)
class Attributes:
    """A table with a row for each entity.

    Attributes:
        file: a CSV in the raw folder.
        entity: its column with the entity's id.
        columns: by feature of the spec, the table's column.
        groups: by feature, what its values are called; of a feature that is named here, all other values are `other`.
    """

    file: str
    entity: str
    columns: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in self.groups:
            require(name in self.columns, ("groups", name), f"one of {', '.join(self.columns)}", name)


@dataclasses.dataclass(frozen=True)
class WindowOptions:
    """Of `transforms.panels.windows.write_windows`.

    A window stands at a date d. Its sequences hold the days before d, its labels the sum over the `horizon` days from d
    on, so that it knows nothing of what it predicts.

    Attributes:
        daily: a CSV in the raw folder, with a row for each entity and day.
        entity: its column with the entity's id.
        date: its column with the day, such as 2016-09-25.
        series: by sequence of the spec, the column whose days it holds.
        targets: by label of the spec, the column that is summed.
        horizon: tau, days.
        step: days from one window of an entity to the next.
        first_date: of a window; by default the day after the first one of the file.
        begins: by column, the first day on which it was recorded at all.
        absent: what a day without a number is, between an entity's first day and the last one of the file: `zero`, or
            `missing`, where a window whose labels have such a day is left out.
        attributes: of the entities.
    """

    daily: str
    entity: str
    date: str
    series: Mapping[str, str]
    targets: Mapping[str, str]
    horizon: int = 7
    step: int = 7
    first_date: str | None = None
    begins: Mapping[str, str] = dataclasses.field(default_factory=dict)
    absent: Literal["zero", "missing"] = "zero"
    attributes: Attributes | None = None

    def __post_init__(self):
        for name in ("horizon", "step"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.first_date is None or _is_date(self.first_date), "first_date", "a date", self.first_date)
        for name, day in self.begins.items():
            require(name in self.columns, ("begins", name), f"one of {', '.join(self.columns)}", name)
            require(_is_date(day), ("begins", name), "a date", day)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the daily file that are read as numbers."""
        return tuple(dict.fromkeys([*self.series.values(), *self.targets.values()]))


def check_window_options(spec: DatasetSpec, options: WindowOptions) -> None:
    """Checks that the options fit the spec.

    Raises:
        FieldError: naming the option that does not, with its path below `WindowOptions`.
    """
    sequences = {feature.name for feature in spec.features if isinstance(feature, NumberSequenceFeature)}
    for name in options.series:
        require(name in sequences, ("series", name), f"a number_sequence of the spec: {', '.join(sequences)}", name)
    for label in spec.labels:
        require(label in options.targets, ("targets", label), "given", None)
    for label in options.targets:
        require(label in spec.labels, ("targets", label), f"one of {', '.join(spec.labels)}", label)
    attributes = options.attributes.columns if options.attributes else {}
    split = {spec.split.column} if isinstance(spec.split, TimeSplit) else set()
    made = {*options.series, *options.targets, *attributes, *split, *([spec.group_key] if spec.group_key else [])}
    for column in raw_columns(spec):
        if column not in made:
            raise FieldError(("attributes", "columns", column), "should be given. Received: None")
    for name in attributes:
        require(name in raw_columns(spec), ("attributes", "columns", name), "a column of the spec", name)
    if isinstance(spec.split, TimeSplit):
        for name in ("eval_from", "test_from"):
            bound = getattr(spec.split, name)
            require(_is_date(bound), (name,), "a date in the spec's split, such as 2016-09-05", bound)


def _is_date(text: object) -> bool:
    try:
        datetime.date.fromisoformat(str(text))
    except ValueError:
        return False
    return True
