"""Command `tfmtl run`: runs the pipeline and prints its results."""

import functools
import pathlib

from pipelines.components.example_gen import REJECTS, ingest_report, sampling_steps
from pipelines.evaluation.advice import advice
from pipelines.evaluation.logistic_regression import NAME, Reference, fit_reference
from pipelines.evaluation.results import read_metrics, results_table, scenario_note
from pipelines.pipeline import RESOLVERS
from pipelines.runners.lineage import Run
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.runners.split_check import SplitError, check_splits
from pipelines.settings import Settings
from pipelines.terminal import ComponentProgress, console
from pipelines.training.health import read_health
from tfmtl.health import dead_sentences
from transforms.batches.rejects import format_report
from transforms.ingest.sampling import format_steps

NOT_BLESSED = 3
"""Exit code of a run whose model did not reach its thresholds."""


def run_settings(settings: Settings, out: str | None, reference: bool | None, cache: bool) -> bool:
    """Runs the pipeline and prints the report of the rows, the metrics and the pushed version.

    Args:
        settings: Settings of the experiment.
        out: Folder to write to; None for `runs/NAME`.
        reference: Also fits one-hot logistic regression on the same rows; None for the choice of the settings.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.

    Returns:
        True if the model was blessed, and has not been rolled back.
    """
    paths = RunPaths(pathlib.Path(out) if out else pathlib.Path("runs") / settings.name)
    result = run_and_report(settings, paths, cache=cache)
    fitted = None
    if settings.reference if reference is None else reference:
        with console.status("fitting one-hot logistic regression ..."):
            examples = result.uri("LogExampleGen", "examples")
            train_rows = ingest_report(examples).total.accepted.get("train", 0)
            fitted = fit_reference(settings.spec, examples, paths.root, train_rows)
    report_metrics(settings, result, fitted)
    report_push(settings, paths, result)
    return result.blessed and not result.rolled_back_version


def run_and_report(settings: Settings, paths: RunPaths, cache: bool = True) -> Run:
    """Runs the pipeline, and prints one line per component and the report of the rows read.

    Args:
        settings: Settings of the experiment.
        paths: Paths to write to.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.

    Returns:
        The components that ran and their output artifacts.
    """
    console.print(f"pipeline {settings.name!r} -> {paths.root}", highlight=False)
    check = functools.partial(_check_examples, settings)
    result = run_pipeline(settings, paths, ComponentProgress(console), cache=cache, check_examples=check)
    cached = [step.name for step in result.steps.values() if step.cached and step.name not in RESOLVERS]
    if cached:
        console.print(f"from the cache: {', '.join(cached)}", highlight=False)
    examples = result.uri("LogExampleGen", "examples")
    report = ingest_report(examples)
    console.print(format_report(report), highlight=False)
    steps = sampling_steps(examples)
    if max(steps) > 1:
        console.print(f"statistics are computed on a sample: one row in {format_steps(steps)}", highlight=False)
    if sum(report.total.rejected.values()):
        console.print(f"rejected rows with line and reason: {examples}/{REJECTS}*", highlight=False)
    return result


def _check_examples(settings: Settings, examples: str) -> None:
    """Checks the splits; the report of the rows is printed before an error, which it explains."""
    try:
        notes = check_splits(settings, examples)
    except SplitError:
        report = ingest_report(examples)
        if report.total.read:
            console.print(format_report(report), highlight=False)
        raise
    for note in notes:
        console.print(f"    {note}", highlight=False, markup=False)


def report_metrics(settings: Settings, result: Run, reference: Reference | None) -> None:
    """Prints the table of the test metrics, what to know about them, and which mechanisms of the model are dead.

    Args:
        settings: Settings of the experiment.
        result: The finished run.
        reference: Logistic regression on the same rows; None if it is not fitted.
    """
    metrics = read_metrics(settings.spec, result.uri("Evaluator", "evaluation"))
    aucs = reference.auc if reference else None
    console.print(results_table(settings.spec, metrics, "Test split", aucs, NAME))
    notes = [scenario_note(settings.spec, metrics)]
    if reference is not None:
        notes += [reference.sample_note(), *advice(settings, metrics, reference.auc)]
    notes += dead_sentences(read_health(result.uri("Trainer", "model_run")))
    for note in filter(None, notes):
        console.print(note, highlight=False, markup=False)


def report_push(settings: Settings, paths: RunPaths, result: Run) -> None:
    """Prints whether the model was pushed, and the command that serves it.

    Args:
        settings: Settings of the experiment.
        paths: Paths of the run.
        result: The finished run.
    """
    base = paths.serving(settings.name)
    if result.rolled_back_version:
        console.print(
            f"This model was rolled back (version {result.rolled_back_version}): not pushed.", style="bold red"
        )
        console.print(f"to serve it again: tfmtl rollback {settings.name} --to VERSION", highlight=False)
    elif not result.blessed:
        console.print("The model did not reach its thresholds and was not pushed.", style="bold red")
        console.print(f"Reasons: {result.uri('Evaluator', 'evaluation')}/validations*", highlight=False)
    elif result.pushed_version:
        console.print(f"pushed version {result.pushed_version} -> {base}", highlight=False)
    else:
        console.print(f"The newest version in {base} is already this model: nothing was pushed.", highlight=False)
    if result.blessed and not result.rolled_back_version:
        console.print(f"to serve it: tfmtl serve {base}", highlight=False)
