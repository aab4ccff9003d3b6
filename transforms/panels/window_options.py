"""Options of windows over daily rows: the days that are observed and the days that are predicted."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import FieldError, require
from tfmtl.features import NumberSequenceFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.dates import is_date


@dataclasses.dataclass(frozen=True)
class Attributes:
    """A table with one row for each entity.

    Attributes:
        file: Name of a CSV file in the raw folder.
        entity: Column of the entity's id.
        columns: Column of the table by feature of the spec.
        groups: New names of values by feature; all other values of a feature that is listed here become `other`.
    """

    file: str
    entity: str
    columns: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.groups:
            require(name in self.columns, ("groups", name), f"one of {', '.join(self.columns)}", name)


@dataclasses.dataclass(frozen=True)
class WindowOptions:
    """Options of `transforms.panels.windows.write_windows`.

    A window has a date d. Its sequences hold the days before d, and its labels are sums over the `horizon` days from d
    on, so that its features do not overlap with what it predicts.

    Attributes:
        daily: Name of a CSV file in the raw folder, with one row for each entity and day.
        entity: Column of the entity's id.
        date: Column of the day, such as 2016-09-25.
        series: Column of daily numbers by sequence of the spec.
        targets: Column of daily numbers that are summed, by label of the spec.
        horizon: Number of days that a label sums.
        step: Number of days between the windows of an entity.
        first_date: Date of the first window; by default the day after the first day of the file.
        begins: First day on which a column was recorded, by column.
        absent: Meaning of a day without a number that lies between the first day of an entity and the last day of the
            file: with `zero`, the number is 0; with `missing`, it is unknown, and windows whose labels contain such a
            day are left out.
        attributes: Table of attributes of the entities.
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

    def __post_init__(self) -> None:
        for name in ("horizon", "step"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.first_date is None or is_date(self.first_date), "first_date", "a date", self.first_date)
        for name, day in self.begins.items():
            require(name in self.columns, ("begins", name), f"one of {', '.join(self.columns)}", name)
            require(is_date(day), ("begins", name), "a date", day)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the daily file that are read as numbers."""
        return tuple(dict.fromkeys([*self.series.values(), *self.targets.values()]))


def check_window_options(spec: DatasetSpec, options: WindowOptions) -> None:
    """Checks that the options fit the spec.

    Args:
        spec: Spec of the dataset.
        options: Options of the windows.

    Raises:
        FieldError: If an option does not fit; the error has its path within `WindowOptions`.
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
    given = {*options.series, *options.targets, *attributes, *split, *([spec.group_key] if spec.group_key else [])}
    for column in raw_columns(spec):
        if column not in given:
            raise FieldError(("attributes", "columns", column), "should be given. Received: None")
    for name in attributes:
        require(name in raw_columns(spec), ("attributes", "columns", name), "a column of the spec", name)
    if isinstance(spec.split, TimeSplit):
        for name in ("eval_from", "test_from"):
            bound = getattr(spec.split, name)
            require(is_date(bound), (name,), "a date in the spec's split, such as 2016-09-05", bound)
