"""Log of a simulated week, of which each day is written when its run begins."""

import datetime
import pathlib

import pandas as pd

from pipelines.settings import Settings
from pipelines.simulated_log import draw
from transforms.simulation.simulator import IMPRESSIONS

DAYS = tuple(str(datetime.date(2026, 11, 16) + datetime.timedelta(day)) for day in range(7))
POISONED = DAYS[3]
"""Day whose prices are in cents instead of euros."""
_POISONED_COLUMN, _CENTS = "price", 100


class DailyLog:
    """Simulated log that grows by a day at a time. All days are drawn from one world, so that users and items return.

    Args:
        settings: Settings with a simulator of impressions.
        folder: Folder of the log.

    Attributes:
        rows: Number of impressions of a day.
    """

    def __init__(self, settings: Settings, folder: pathlib.Path):
        self.folder = folder
        whole = folder.with_name("simulated")
        draw(settings, whole)
        self._rows = pd.read_csv(whole / IMPRESSIONS, dtype=str, keep_default_na=False)
        self.rows = len(self._rows) // len(DAYS)

    def write(self, day: str) -> pathlib.Path:
        """Writes the rows of a day.

        Args:
            day: Date of the day, one of `DAYS`.

        Returns:
            The file.
        """
        start = DAYS.index(day) * self.rows
        rows = self._rows.iloc[start : start + self.rows]
        if day == POISONED:
            price = pd.to_numeric(rows[_POISONED_COLUMN]) * _CENTS
            rows = rows.assign(**{_POISONED_COLUMN: price.map("{:.0f}".format).replace("nan", "")})
        path = self.folder / f"day={day}" / IMPRESSIONS
        path.parent.mkdir(parents=True)
        rows.to_csv(path, index=False)
        return path
