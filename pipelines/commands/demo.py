"""Demonstration: simulates a log, runs the pipeline, serves the model, and compares its AUC with the oracle's."""

import pathlib

import numpy as np
from rich.table import Table

from pipelines.commands.report import write_report
from pipelines.commands.run import report_push, run_and_report
from pipelines.commands.simulate import draw_log
from pipelines.evaluation.results import read_metrics, results_table
from pipelines.output.invocation import present
from pipelines.prediction.output import scores_table
from pipelines.prediction.rows import read_rows
from pipelines.prepared.ground_truth import oracle_auc, test_split_indices
from pipelines.runners.local import RunPaths
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from pipelines.simulated_log import draw_once
from pipelines.terminal import console
from serving.client import TfmtlClient
from serving.server import EmbeddedServer
from tfmtl.spec import DatasetSpec
from transforms.simulation.simulator import IMPRESSIONS

SETTINGS = pathlib.Path("examples/demo.yaml")
OUT = pathlib.Path("runs/demo")
SHOWN = 8
"""Number of impressions that are printed with their scores."""


def main(settings_path: pathlib.Path = SETTINGS, out: pathlib.Path = OUT) -> bool:
    """Runs the demonstration.

    Args:
        settings_path: Settings with a `simulator`.
        out: Folder to write to.

    Returns:
        True if the model was blessed.
    """
    data = out / "data"
    make_log(settings_path, data)
    settings = load_settings(settings_path, data=str(data))
    paths = RunPaths(out)
    result = run_and_report(settings, paths)
    test_indices = test_split_indices(settings.spec, data)
    oracle_aucs = oracle_auc(settings.spec, data, test_indices)
    metrics = read_metrics(settings.spec, result.uri("Evaluator", "evaluation"))
    report_push(settings, paths, result)
    if result.blessed:
        present({}, scored_impressions(settings, paths, data, test_indices[:SHOWN]))
    title = "AUC by task and space, test split"
    present({}, results_table(settings.spec, metrics, title, oracle_aucs, "oracle"))
    write_report(out)
    return result.blessed


def make_log(settings_path: pathlib.Path, data: pathlib.Path) -> None:
    """Simulates the log, unless the folder already holds that of the same settings and code.

    Args:
        settings_path: Settings with a `simulator`.
        data: Folder of the log.
    """
    if not draw_once(load_settings(settings_path), data, draw_log):
        console.print(f"{data} already holds the simulated log", highlight=False)


def scored_impressions(settings: Settings, paths: RunPaths, data: pathlib.Path, indices: np.ndarray) -> Table:
    """Serves the pushed model, scores impressions with the client, and formats them as a table.

    Args:
        settings: Settings of the experiment.
        paths: Paths of the run.
        data: Folder of the log.
        indices: Indices of the impressions in the log, from 0.
    """
    log = read_rows(str(data / IMPRESSIONS), settings.spec, limit=int(indices.max()) + 1)
    with (
        EmbeddedServer({settings.name: paths.serving(settings.name)}) as server,
        TfmtlClient(server.address, settings.name) as client,
    ):
        client.wait_until_ready()
        scores = client.predict([log.features(index) for index in indices])
        title = f"Impressions of the test split, scored over gRPC at {server.address}"
    rows = log.table.take(indices).select([*_shown_columns(settings.spec), *settings.spec.labels])
    named = {output.name: scores[output.name] for output in settings.spec.outputs}
    return scores_table(rows, named, title, console.width)[0]


def _shown_columns(spec: DatasetSpec) -> list[str]:
    keys = [spec.group_key, spec.scenario]
    return [key for key in dict.fromkeys([*keys, spec.features[1].name]) if key]
