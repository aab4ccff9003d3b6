"""Options of a simulated warehouse: impressions, clicks and conversions as logs of their own."""

import dataclasses
from collections.abc import Mapping

from tfmtl.config import require
from tfmtl.spec import DatasetSpec
from transforms.batches.dates import is_date

IMPRESSION, TIME = "impression_id", "time"
"""Columns of the impression's id, and of the event's time in milliseconds since 1970."""


@dataclasses.dataclass(frozen=True)
class EventOptions:
    """Times and faults of the events of a simulated log.

    Attributes:
        begin: First day of the log.
        days: Number of days. Events after the last day are not in the logs.
        delays: Mean time in hours from the cause to the event, which is exponential, by task.
        duplicates: Share of the events of each log that are written twice.
        orphans: Clicks and conversions of impressions that no log has, as a share of the impressions.
        early: Clicks before their impression, as a share of the impressions.
    """

    begin: str
    days: int = 14
    delays: Mapping[str, float] = dataclasses.field(default_factory=dict)
    duplicates: float = 0.0
    orphans: float = 0.0
    early: float = 0.0

    def __post_init__(self) -> None:
        require(is_date(self.begin), "begin", "a date such as 2026-11-01", self.begin)
        require(self.days >= 1, "days", "at least 1", self.days)
        for name, hours in self.delays.items():
            require(hours > 0, ("delays", name), "above 0", hours)
        for name in ("duplicates", "orphans", "early"):
            require(0 <= getattr(self, name) < 1, name, "from 0 to below 1", getattr(self, name))


def check_event_options(spec: DatasetSpec, options: EventOptions) -> None:
    """Checks that the tasks are a click and, at most, a conversion that follows it, and that each has a delay.

    Args:
        spec: Spec of the dataset.
        options: Options of the events.

    Raises:
        FieldError: If the tasks are others, or an option names another one.
    """
    names = [task.name for task in spec.tasks]
    follows = [task.follows for task in spec.tasks]
    is_chain = follows in ([None], [None, names[0]]) and all(task.kind == "binary" for task in spec.tasks)
    require(is_chain, "events", "given for a binary task, and at most one that follows it", names)
    for name in names:
        require(name in options.delays, ("events", "delays", name), "given", None)
    for name in options.delays:
        require(name in names, ("events", "delays", name), f"one of {', '.join(names)}", name)
