"""What the commands do; `pipelines.cli` only declares them."""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from pipelines.example_gen import REJECTS, ingest_report, sampling_steps
from pipelines.kubeflow import compile_pipeline
from pipelines.lineage import Run
from pipelines.local import RunPaths, run_pipeline
from pipelines.pipeline import RESOLVERS
from pipelines.progress import ComponentProgress
from pipelines.reference import reference_auc
from pipelines.results import measured, results_table
from pipelines.settings import Settings, load_settings
from pipelines.simulated_log import draw
from pipelines.terminal import console
from serving.client import TfmtlClient
from serving.rows import Feature, features_of
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError
from tfmtl.models import MODELS
from transforms.rejects import format_report
from transforms.sample import one_in

NOT_BLESSED = 3
"""Exit code of a run whose model did not reach its thresholds."""
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


def run_settings(settings_path: str, data: str | None, out: str | None, reference: bool | None, cache: bool) -> bool:
    """Runs a pipeline and prints what came of it. Returns whether the model was blessed."""
    settings = load_settings(settings_path, data=data)
    paths = RunPaths(pathlib.Path(out) if out else pathlib.Path("runs") / settings.name)
    result = run_and_report(settings, paths, cache=cache)
    other = None
    if settings.reference if reference is None else reference:
        with console.status("fitting one-hot logistic regression ..."):
            other = reference_auc(settings.spec, result.uri("LogExampleGen", "examples"), paths.root)
    rows = measured(settings.spec, result.uri("Evaluator", "evaluation"))
    console.print(results_table(settings.spec, rows, "Test split", other, "logistic regression"))
    report_push(settings, paths, result)
    return result.blessed


def run_and_report(settings: Settings, paths: RunPaths, cache: bool = True) -> Run:
    """Runs a pipeline; prints a line a component, and the report of the rows read."""
    console.print(f"pipeline {settings.name!r} -> {paths.root}", highlight=False)
    result = run_pipeline(settings, paths, ComponentProgress(console), cache=cache)
    cached = [step.name for step in result.steps.values() if step.cached and step.name not in RESOLVERS]
    if cached:
        console.print(f"from the cache: {', '.join(cached)}", highlight=False)
    examples = result.uri("LogExampleGen", "examples")
    report = ingest_report(examples)
    console.print(format_report(report), highlight=False)
    steps = sampling_steps(examples)
    if max(steps) > 1:
        console.print(f"statistics are of a sample: one row in {one_in(steps)}", highlight=False)
    if sum(report.total.rejected.values()):
        console.print(f"rejected rows, each with its line and reason: {examples}/{REJECTS}*", highlight=False)
    return result


def report_push(settings: Settings, paths: RunPaths, result: Run) -> None:
    """Says whether the model was pushed, and how to serve it."""
    base = paths.serving(settings.name)
    if not result.blessed:
        console.print("The model did not reach its thresholds and was not pushed.", style="bold red")
        console.print(f"Why: {result.uri('Evaluator', 'evaluation')}/validations*", highlight=False)
    elif result.pushed_version:
        console.print(f"pushed version {result.pushed_version} -> {base}", highlight=False)
    else:
        console.print(f"The newest version in {base} is this model already: nothing was pushed.", highlight=False)
    if result.blessed:
        console.print(f"serve it: tfmtl serve {base}", highlight=False)


def compile_settings(settings_path: str, image: str, root: str, data: str | None, out: str) -> None:
    """Compiles a pipeline for Kubeflow."""
    path = compile_pipeline(load_settings(settings_path, data=data), image, root, out)
    console.print(f"compiled -> {path}", highlight=False)


def list_models() -> None:
    """Prints the models with papers and options."""
    table = Table(title="Models", title_justify="left")
    for column in ("name", "class", "paper", "equations", "options (default)"):
        table.add_column(column, overflow="fold")
    for name, model in sorted(MODELS.items()):
        options = dataclasses.asdict(model.options_class())
        listed = ", ".join(f"{key}={value}" for key, value in options.items())
        table.add_row(name, model.__name__, model.paper, model.equations, listed)
    console.print(table)


def serve_models(model_dirs: tuple[str, ...], host: str, port: int, poll_seconds: float) -> None:
    """Serves until interrupted. A model has the name of its folder."""
    models = {pathlib.Path(folder).resolve().name: str(pathlib.Path(folder).resolve()) for folder in model_dirs}
    if len(models) < len(model_dirs):
        raise ConfigError(f"model_dirs should have different names. Received: {', '.join(model_dirs)}")
    with EmbeddedServer(models, host=host, port=port, poll_seconds=poll_seconds) as server:
        console.print(f"serving {', '.join(models)} on {server.address}", highlight=False)
        try:
            server.wait()
        except KeyboardInterrupt:
            console.print("stopping")


def predict_rows(rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float) -> None:
    """Scores a CSV's rows; columns that are no features of the model are left out."""
    frame = pd.read_csv(rows, dtype=str, keep_default_na=False, nrows=limit)
    with TfmtlClient(host, model, deadline=deadline) as client:
        inputs = features_of(client.metadata().signatures["raw"])
        scores = client.predict(typed_columns(frame, inputs))
    scored = frame.assign(**scores)
    if out:
        scored.to_csv(out, index=False)
        console.print(f"{len(scored):,} rows scored -> {out}", highlight=False)
    else:
        console.print(scores_table(scored, f"{len(scored):,} rows scored by {model!r}", list(scores)))


def typed_columns(frame: pd.DataFrame, inputs: Mapping[str, Feature], separator: str = "|") -> dict[str, list]:
    """The columns of a CSV read as text that are features: numbers, lists of a bag, or text.

    Of a list whose width the signature fixes, a sequence, the last places are kept.
    """
    columns: dict[str, list] = {}
    for name, feature in inputs.items():
        if name not in frame:
            continue
        texts = frame[name].tolist()
        if feature.bag:
            kind, last = _number if feature.kind == "number" else str, feature.width or 0
            columns[name] = [[kind(part) for part in text.split(separator)][-last:] if text else [] for text in texts]
        elif feature.kind == "number":
            columns[name] = [_number(text) for text in texts]
        else:
            columns[name] = texts
    return columns


def _number(text: str) -> float | None:
    return float(text) if text else None


def scores_table(frame: pd.DataFrame, title: str, scores: Sequence[str]) -> Table:
    """Rows and their scores as a table."""
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(column, justify="right" if column in scores else "left")
    for row in frame.to_dict("records"):
        table.add_row(*[f"{value:.4f}" if name in scores else str(value) for name, value in row.items()])
    return table
