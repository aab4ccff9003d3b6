"""Command `tfmtl simulate`: draws the log that the settings' simulator describes."""

import dataclasses
import pathlib
import time

from pipelines.output.invocation import present
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from pipelines.simulated_log import draw
from pipelines.terminal import console, working
from tfmtl.config import ConfigError

_ROWS = {"impressions": "impressions", "panels": "rows", "ali_ccp": "rows to train on"}
"""Unit in which the rows of a simulator are counted, by its kind."""


def simulate_log(settings_path: str, out: str, rows: int | None = None, seed: int | None = None) -> None:
    """Draws the log that the `simulator` of a settings file describes.

    Args:
        settings_path: Path of the settings file.
        out: Folder to write to.
        rows: Number of rows; None for that of the settings.
        seed: Seed of the simulator; None for that of the settings.

    Raises:
        ConfigError: If the settings have no simulator, or its options do not fit the spec.
    """
    settings = load_settings(settings_path)
    options = settings.simulator
    if options is not None and rows is not None:
        options = dataclasses.replace(options, rows=rows)
    if options is not None and seed is not None:
        options = dataclasses.replace(options, seed=seed)
    try:
        seconds = draw_log(dataclasses.replace(settings, simulator=options), out)
    except ConfigError as error:
        raise ConfigError(f"{settings_path}: {error}") from error
    present({"rows": None if options is None else options.rows, "out": out, "seconds": seconds})


def draw_log(settings: Settings, out: str | pathlib.Path) -> float:
    """Draws the log that the settings' `simulator` describes, and prints its size and the time taken.

    Args:
        settings: Settings with a simulator.
        out: Folder to write to.

    Returns:
        The seconds taken.
    """
    options = settings.simulator
    content = "a log" if options is None else f"{options.rows:,} {_ROWS[options.kind]}"
    with working(f"simulating {content} ..."):
        start = time.monotonic()
        draw(settings, pathlib.Path(out))
    seconds = time.monotonic() - start
    console.print(f"{content} in {seconds:.1f} s -> {out}", highlight=False)
    return seconds
