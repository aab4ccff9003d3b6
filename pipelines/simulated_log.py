"""Simulated logs, which are drawn again only if their settings or the simulator's code change."""

import json
import pathlib
from collections.abc import Callable

from pipelines.code_hash import code_hash
from pipelines.settings import Settings
from tfmtl.config import ConfigError, FieldError, to_plain
from transforms.ali_ccp.simulator_options import AliCcpOptions
from transforms.panels.simulator import simulate_panels
from transforms.panels.simulator_options import PanelOptions
from transforms.simulation.event_writer import simulate_events
from transforms.simulation.simulator import simulate

STAMP = "simulated.json"
"""Name of the file that records the settings and code of a complete log."""

_CODE = (
    "transforms.simulation.simulator",
    "transforms.simulation.event_writer",
    "transforms.panels.simulator",
    "transforms.ali_ccp.simulator",
)


def draw(settings: Settings, folder: pathlib.Path) -> None:
    """Draws the log that the settings' `simulator` describes.

    Args:
        settings: Settings with a simulator.
        folder: Folder to write to.

    Raises:
        ConfigError: If the settings have no simulator, or its options do not fit the spec.
    """
    options = settings.simulator
    if options is None:
        raise ConfigError("simulator: should be given to simulate a log. Received: none")
    try:
        if isinstance(options, PanelOptions):
            simulate_panels(settings.spec, options, folder)
        elif isinstance(options, AliCcpOptions):
            from transforms.ali_ccp.simulator import simulate_ali_ccp  # Imported here: it alone imports TensorFlow.

            simulate_ali_ccp(options, folder)
        elif options.events is not None:
            simulate_events(settings.spec, options, folder)
        else:
            simulate(settings.spec, options, folder)
    except FieldError as error:
        raise ConfigError(f"simulator.{error}") from error


def draw_once(
    settings: Settings, folder: pathlib.Path, draw: Callable[[Settings, pathlib.Path], object] = draw
) -> bool:
    """Draws a log, unless the folder already holds a complete log of the same spec, simulator and code.

    Args:
        settings: Settings with a simulator.
        folder: Folder of the log.
        draw: Function that draws the log.

    Returns:
        True if the log was drawn, False if it existed.
    """
    stamp = folder / STAMP
    made_by = json.dumps([settings.spec.to_dict(), to_plain(settings.simulator), code_hash(*_CODE)], sort_keys=True)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == made_by:
        return False
    stamp.unlink(missing_ok=True)  # Before drawing, so that an incomplete log has no stamp.
    draw(settings, folder)
    stamp.write_text(made_by, encoding="utf-8")
    return True
