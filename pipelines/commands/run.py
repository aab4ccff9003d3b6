"""What the commands do; `pipelines.cli` only declares them."""

import pathlib

from pipelines.components.example_gen import REJECTS, ingest_report, sampling_steps
from pipelines.evaluation.logistic_regression import reference_auc
from pipelines.evaluation.results import measured, results_table
from pipelines.pipeline import RESOLVERS
from pipelines.runners.lineage import Run
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import Settings, load_settings
from pipelines.terminal import ComponentProgress, console
from transforms.batches.rejects import format_report
from transforms.ingest.sampling import one_in

NOT_BLESSED = 3
"""Exit code of a run whose model did not reach its thresholds."""


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
