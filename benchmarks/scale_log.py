"""Log of benchmarks.scale: a few CSV files, each written once, by several processes."""

import json
import multiprocessing
import pathlib
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from pipelines.settings_file import load_settings
from tfmtl import config
from transforms.simulation.log_writer import write_log
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.simulator import CHUNK_ROWS, draw_chunks
from transforms.simulation.world import World
from transforms.storage.atomic import atomic_file

SETTINGS = pathlib.Path(__file__).with_name("scale.yaml")
FILES = 4
"""Number of files of the log."""
_DONE = "log.json"


def write_files(rows: int, folder: pathlib.Path, processes: int, settings: pathlib.Path = SETTINGS) -> dict[str, Any]:
    """Writes the log, unless it was written before; files that an interrupted call completed are kept.

    Args:
        rows: Number of rows.
        folder: Folder of the files.
        processes: Number of files that are written at a time.
        settings: Settings with the options of the simulator.

    Returns:
        Number of `rows` and of `bytes`.
    """
    done = folder / _DONE
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        chunks = -(-rows // CHUNK_ROWS)
        bounds = [min(rows, CHUNK_ROWS * (chunks * i // FILES)) for i in range(FILES)] + [rows]
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            parts = [
                pool.submit(_write_file, settings, rows, folder, i, bounds[i], bounds[i + 1]) for i in range(FILES)
            ]
            for part in parts:
                part.result()
        size = sum(path.stat().st_size for path in folder.glob("*.csv"))
        done.write_text(json.dumps({"rows": rows, "bytes": size}), encoding="utf-8")
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


def _write_file(path: pathlib.Path, rows: int, folder: pathlib.Path, number: int, first: int, last: int) -> None:
    file = folder / f"impressions-{number}.csv"
    if file.exists() or first == last:
        return
    settings = load_settings(path)
    plain = {**config.to_plain(settings.simulator), "rows": rows}
    world = World(settings.spec, config.build(SimulatorOptions, config.Document(plain)))
    truth = folder / f".truth-{number}"  # The true probabilities are not part of the log.
    with atomic_file(file) as temporary:
        chunks = draw_chunks(world, first, last)
        write_log(settings.spec, chunks, pathlib.Path(temporary), truth, decimals=1)
    truth.unlink()
