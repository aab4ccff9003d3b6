"""`tfmtl simulate`: writes the log that the settings' simulator describes."""

import dataclasses
import pathlib
import time

from pipelines.settings import Settings, load_settings
from pipelines.simulated_log import draw
from pipelines.terminal import console
from tfmtl.config import ConfigError

_ROWS = {"impressions": "impressions", "panels": "rows", "ali_ccp": "rows to train on"}
"""What a simulator's rows are called, by its kind."""


def simulate_log(settings_path: str, out: str, rows: int | None = None, seed: int | None = None) -> None:
    """Writes the log that the settings' `simulator` describes."""
    settings = load_settings(settings_path)
    options = settings.simulator
    if options is not None and rows is not None:
        options = dataclasses.replace(options, rows=rows)
    if options is not None and seed is not None:
        options = dataclasses.replace(options, seed=seed)
    try:
        draw_log(dataclasses.replace(settings, simulator=options), out)
    except ConfigError as error:
        raise ConfigError(f"{settings_path}: {error}") from error


def draw_log(settings: Settings, out: str | pathlib.Path) -> None:
    """Writes the log that the settings' `simulator` describes, and says so."""
    options = settings.simulator
    what = "a log" if options is None else f"{options.rows:,} {_ROWS[options.kind]}"
    with console.status(f"simulating {what} ..."):
        start = time.monotonic()
        draw(settings, pathlib.Path(out))
    console.print(f"{what} in {time.monotonic() - start:.1f} s -> {out}", highlight=False)
