"""Command `tfmtl run`: runs the pipeline and prints its results."""

import contextlib
import dataclasses
import functools
import pathlib
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipelines.commands.data_checks import RunChecks
from pipelines.commands.report import write_report
from pipelines.components.example_gen import ingest_report, sampling_steps
from pipelines.components.resolvers import RESOLVERS
from pipelines.evaluation.advice import advice
from pipelines.evaluation.logistic_regression import NAME, Reference, fit_reference
from pipelines.evaluation.records import GATES, read_gates
from pipelines.evaluation.results import OutputMetrics, read_metrics, results_table, scenario_note, shown_note
from pipelines.gates.gate import NOT_JUDGED
from pipelines.gates.report import gates_table, refusal, scenario_count
from pipelines.model_components import TUNER
from pipelines.output.invocation import present
from pipelines.runners.lineage import Run
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.runners.split_check import SplitError, check_splits
from pipelines.settings import Settings
from pipelines.terminal import ComponentProgress, console, working
from pipelines.training.health import read_health
from pipelines.training.workers import is_first_worker, join_training, other_machines_wait
from pipelines.tuning.tuner_step import BEST, best_line
from tfmtl.config import to_plain
from tfmtl.health import dead_sentences
from transforms.batches.rejects import format_report
from transforms.ingest.hash_collisions import describe_hashes, estimates
from transforms.ingest.manifest import REJECTS
from transforms.ingest.sampling import format_steps

NOT_BLESSED = 3
"""Exit code of a run whose model did not reach its thresholds."""


def run_settings(
    settings: Settings,
    settings_path: str,
    out: str | None,
    reference: bool | None,
    cache: bool,
    accept: bool = False,
    report: bool | None = None,
) -> bool:
    """Runs the pipeline and prints the report of the rows, the metrics and the pushed version.

    Args:
        settings: Settings of the experiment.
        settings_path: Path of their file, beside which the schema of the log may lie.
        out: Folder to write to; None for `runs/NAME`.
        reference: Also fits one-hot logistic regression on the same rows; None for the choice of the settings.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.
        accept: Accepts anomalies of the log as the new normal.
        report: Also writes the report of the run as HTML; None for the choice of the settings.

    Returns:
        True if the model was blessed, and has not been rolled back.
    """
    paths = RunPaths(pathlib.Path(out) if out else pathlib.Path("runs") / settings.name)
    checks = RunChecks(settings, settings_path, paths, accept)
    is_divided = settings.training.distribution.kind == "multi_worker"
    if is_divided and not is_first_worker():
        _join(settings, paths)
        return True
    with other_machines_wait(paths.artifacts.absolute()) if is_divided else contextlib.nullcontext():
        result = run_and_report(settings, paths, cache, checks)
    if TUNER in result.steps:
        console.print(best_line(result.uri(TUNER, BEST)), highlight=False, markup=False)
    fitted = None
    if settings.reference if reference is None else reference:
        with working("fitting one-hot logistic regression ..."):
            examples = result.uri("LogExampleGen", "examples")
            train_rows = ingest_report(examples).total.accepted.get("train", 0)
            fitted = fit_reference(settings.spec, examples, paths.root, train_rows)
    report_metrics(settings, result, fitted)
    report_push(settings, paths, result)
    if settings.report if report is None else report:
        write_report(paths.root)
    return result.blessed and not result.rolled_back_version


def _join(settings: Settings, paths: RunPaths) -> None:
    """Runs the training alone, as a worker beside that of the machine that runs the pipeline."""
    console.print(f"pipeline {settings.name!r} -> {paths.root}: waits for the training", highlight=False)
    plain = {"model": to_plain(settings.model), "training": to_plain(settings.training)}
    trained = join_training(paths.artifacts.absolute(), {"spec": settings.spec.to_dict(), **plain})
    ended = "the first machine evaluates and pushes the model" if trained else "the first machine had nothing to train"
    console.print(ended, highlight=False)


def run_and_report(settings: Settings, paths: RunPaths, cache: bool = True, checks: RunChecks | None = None) -> Run:
    """Runs the pipeline, and prints one line per component and the report of the rows read.

    Args:
        settings: Settings of the experiment.
        paths: Paths to write to.
        cache: Reuses the outputs of an earlier run with the same inputs, parameters and code.
        checks: Data checks of the run; by default those of settings without a schema.

    Returns:
        The components that ran and their output artifacts.
    """
    console.print(f"pipeline {settings.name!r} -> {paths.root}", highlight=False)
    progress = ComponentProgress(console)
    check = functools.partial(_check_examples, settings, progress)
    checks = checks or RunChecks(settings, None, paths, accept=False)
    with checks.refusal():
        result = run_pipeline(
            settings,
            paths,
            progress,
            cache=cache,
            check_examples=check,
            schema=checks.schema,
            anomalies=checks.anomalies,
            report_checks=checks.report,
        )
    cached = [step.name for step in result.steps.values() if step.cached and step.name not in RESOLVERS]
    if cached:
        console.print(f"from the cache: {', '.join(cached)}", highlight=False)
    examples = result.uri("LogExampleGen", "examples")
    report = ingest_report(examples)
    rows = {name: value for name, value in report.to_dict().items() if name != "distinct"}
    hashed = {
        name: {"tokens": round(tokens), "buckets": buckets}
        for name, (tokens, buckets) in estimates(settings.spec, report).items()
    }
    found = {"hashed": hashed} if hashed else {}
    present({"name": settings.name, "out": paths.root, "cached": cached, "rows": rows, **found})
    console.print(format_report(report), highlight=False)
    for line in describe_hashes(settings.spec, report):
        console.print(line, highlight=False)
    steps = sampling_steps(examples)
    if max(steps) > 1:
        console.print(f"statistics are computed on a sample: one row in {format_steps(steps)}", highlight=False)
    if sum(report.total.rejected.values()):
        console.print(f"rejected rows with line and reason: {examples}/{REJECTS}*", highlight=False)
    return result


def _check_examples(settings: Settings, progress: ComponentProgress, examples: str) -> None:
    """Checks the splits; the report of the rows is printed before an error, which it explains."""
    progress.rows(ingest_report(examples).total.accepted)
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
    evaluation = result.uri("Evaluator", "evaluation")
    metrics = read_metrics(settings.spec, evaluation)
    aucs = reference.auc if reference else None
    notes = [shown_note(metrics, evaluation), scenario_note(settings.spec, metrics)]
    if reference is not None:
        notes += [reference.sample_note(), *advice(settings, metrics, reference.auc)]
    notes += dead_sentences(read_health(result.uri("Trainer", "model_run")))
    document = {"metrics": [_record(one) for one in metrics], "reference_auc": aucs, "notes": [*filter(None, notes)]}
    if reference is not None and reference.gini:
        document["reference_gini"] = reference.gini
    ginis = reference.gini if reference else None
    present(document, results_table(settings.spec, metrics, "Test split", aucs, NAME, ginis))
    for note in filter(None, notes):
        console.print(note, highlight=False, markup=False)


def _record(one: OutputMetrics) -> dict[str, Any]:
    """Returns metrics as plain data, with the names of their task, output and space."""
    names = {"task": one.output.task, "output": one.output.name, "space": one.output.space}
    return {**names, **{field.name: getattr(one, field.name) for field in dataclasses.fields(one)[1:]}}


def report_push(settings: Settings, paths: RunPaths, result: Run) -> None:
    """Prints whether the model was pushed, and the command that serves it.

    Args:
        settings: Settings of the experiment.
        paths: Paths of the run.
        result: The finished run.
    """
    base = paths.serving(settings.name)
    report_gates(result)
    if result.rolled_back_version:
        words = f"This model was rolled back (version {result.rolled_back_version}): not pushed."
        present({"pushed_version": None, "destination": base}, Text(words, style="bold red"))
        console.print(f"to serve it again: tfmtl rollback {settings.name} --to VERSION", highlight=False)
        return
    pushed = {"pushed_version": result.pushed_version or None, "destination": base}
    if not result.blessed:
        present(pushed)
        return
    if result.pushed_version:
        present(pushed, f"pushed version {result.pushed_version} -> {base}")
    else:
        present(pushed, f"The newest version in {base} is already this model: nothing was pushed.")
    console.print(f"to serve it: tfmtl serve {base}", highlight=False)


def report_gates(result: Run) -> None:
    """Prints what the gates found: the table of all if the model was refused, or a line, and what was not judged.

    Args:
        result: The finished run.
    """
    folder = result.uri("Evaluator", "evaluation")
    gates = read_gates(folder)
    shown: list[RenderableType] = []
    if not result.blessed:
        shown = [gates_table(gates), *filter(None, [scenario_count(gates)]), Text(refusal(gates), style="bold red")]
    present({"blessed": result.blessed, "gates": gates}, *shown)
    open_gates = [gate for gate in gates if gate.status == NOT_JUDGED]
    if result.blessed:
        console.print(f"gates: {len(gates) - len(open_gates):,} passed", highlight=False)
    for gate in open_gates:
        console.print(f"not judged: {gate.reason}", highlight=False, markup=False)
    console.print(f"all gates: {folder}/{GATES}", highlight=False)
