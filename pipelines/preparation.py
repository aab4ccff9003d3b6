"""Prepares data: simulates the log where the settings say so, and preprocesses it once for many trainings."""

import dataclasses
import functools
import json
import pathlib

from pipelines.prepared.prepared import PREPARED, Prepared
from pipelines.prepared.write_prepared import FORMAT, write_prepared
from pipelines.raw_log import locate_log, require_simulator
from pipelines.runners.local import Progress, RunPaths, run_pipeline
from pipelines.runners.split_check import check_splits
from pipelines.settings import Settings
from pipelines.simulated_log import draw_once
from transforms.storage.atomic import atomic_dir

LOG = "log"
_FOLDER = "prepared"


def simulated_log(settings: Settings, folder: pathlib.Path) -> pathlib.Path:
    """Simulates the log that the settings describe, unless the folder holds it already, made by the same code.

    Args:
        settings: Settings of the experiment.
        folder: Folder of the log.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: If the settings have no simulator, or one of Ali-CCP's raw files, which are ingested first.
    """
    require_simulator(settings)
    draw_once(settings, folder)
    return folder


def prepare(settings: Settings, root: pathlib.Path, progress: Progress | None = None) -> Prepared:
    """Runs the pipeline up to Transform, puts the rows of each split into one order, and keeps the result.

    Data that were prepared before are used again if they were made of the same log by the same code.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the log.
        root: Folder of the comparison or the search.
        progress: Called when a component starts and ends.

    Returns:
        The prepared data, in the folder `prepared` of `root`.

    Raises:
        SplitError: If a split has no rows.
        ValueError: If the true values of a simulated log are not those of its rows.
    """
    settings = locate_log(settings)
    check = functools.partial(check_splits, dataclasses.replace(settings, thresholds={}))  # No model is blessed here.
    run = run_pipeline(settings, RunPaths(root), progress, data_only=True, check_examples=check)
    examples, graph = run.uri("LogExampleGen", "examples"), run.uri("Transform", "transform_graph")
    made_of = {"examples": examples, "transform_graph": graph, "log": settings.data.path}
    folder = root / _FOLDER
    if (folder / PREPARED).exists():
        kept = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
        if [kept["made_of"], kept["spec"], kept.get("format")] == [made_of, settings.spec.to_dict(), FORMAT]:
            return Prepared.load(folder)
    with atomic_dir(folder) as new_folder:
        write_prepared(settings, examples, graph, made_of, new_folder)
    return Prepared.load(folder)
