"""Command line `tfmtl`; each command imports what it runs, so that `--help` stays quick."""

import dataclasses
import sys

try:
    import click
except ImportError:  # The base installation has no command line.
    sys.exit('The command line needs the extra `pipeline`: python -m pip install "tfmtl[pipeline]"')

from pipelines.cluster_commands import compile_, schedule, submit, training_job
from pipelines.data_commands import ingest, init, join, schema, simulate
from pipelines.history_commands import clean, rollback, runs
from pipelines.output.completion import model_names, settings_files
from pipelines.output.options import add_output_options, json_option
from pipelines.program import Program
from pipelines.report_commands import report, ui
from pipelines.scoring_commands import export_check, predict, score
from pipelines.serving_commands import serve
from pipelines.settings_commands import settings as settings_command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfmtl")
@click.option("--traceback", is_flag=True, help="Show the traceback of an error.")
def main(traceback: bool) -> None:
    """Multi-task conversion models, from raw log to served prediction.

    \b
    Exit codes: 0 success, 1 an error while running, 2 wrong usage, settings or data,
    3 the model did not reach its thresholds and was not pushed, or a run on a cluster failed,
    4 the data have anomalies and no model was trained, 130 interrupted.
    """


for _command in (
    simulate,
    ingest,
    join,
    init,
    schema,
    serve,
    predict,
    score,
    export_check,
    runs,
    report,
    ui,
    rollback,
    clean,
    compile_,
    submit,
    schedule,
    training_job,
    settings_command,
):
    main.add_command(_command)


@main.command(short_help="Run the pipeline from raw log to pushed model.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; default: that of the settings.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder to write to; default: runs/NAME.")
@click.option(
    "--reference/--no-reference",
    default=None,
    help="Also fit one-hot logistic regression on the same rows; default: as in the settings, which is yes.",
)
@click.option("--no-cache", is_flag=True, help="Run every component again.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Number of workers that read the log; default: as in the settings, which is by size and cores.",
)
@click.option(
    "--report/--no-report",
    default=None,
    help="Also write the report of the run as HTML; default: as in the settings, which is yes.",
)
@click.option("--accept", is_flag=True, help="Accept anomalies of the data: they become the normal of later runs.")
@json_option
def run(
    settings: str,
    data: str | None,
    out: str | None,
    reference: bool | None,
    no_cache: bool,
    workers: int | None,
    report: bool | None,
    accept: bool,
) -> None:
    """Run the pipeline of SETTINGS on this machine: validate, transform, train, evaluate, push.

    The data are compared with the schema of `tfmtl schema`, if there is one, and with the last accepted run in OUT.

    \b
    Example:
      tfmtl run examples/movielens.yaml --data ml-1m
    """
    from pipelines.settings_file import load_settings

    experiment = load_settings(settings, data=data)
    if workers is not None:
        experiment = dataclasses.replace(experiment, workers=workers)
    from pipelines.log_check import check_log, check_out, check_warm_start  # Imports pandas.

    out = out or f"runs/{experiment.name}"
    check_warm_start(experiment)
    _check_search(settings, experiment.tune.trials)
    ignored = check_log(experiment)
    check_out(out)
    for line in ignored:
        click.echo(line)
    from pipelines.commands.run import NOT_BLESSED, run_settings  # Imports TFX, which takes ten seconds.

    blessed = run_settings(
        experiment, settings, out=out, reference=reference, cache=not no_cache, accept=accept, report=report
    )
    sys.exit(0 if blessed else NOT_BLESSED)


@main.command(short_help="Train several models with several seeds and print one table.")
@click.argument(
    "settings", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files
)
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; default: that of the settings.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder to write to; default: runs/NAME.")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(min=0),
    multiple=True,
    help="Seed of a run; may be repeated; default: the seeds of the settings.",
)
@click.option("--report", type=click.Path(file_okay=False), help="Folder of the report; default: OUT/report.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Number of runs at a time; if above 1, each has one thread; default: that of the settings, which is 1.",
)
@click.option("--any-code", is_flag=True, help="Also use finished runs of other versions of the code.")
@click.option("--kept-only", is_flag=True, help="Train nothing: print the table of the finished runs.")
@json_option
def compare(
    settings: tuple[str, ...],
    data: str | None,
    out: str | None,
    seeds: tuple[int, ...],
    report: str | None,
    jobs: int | None,
    any_code: bool,
    kept_only: bool,
) -> None:
    """Train the models of each SETTINGS with every seed, and print a table with its statistics.

    The log is preprocessed once. Every finished run is kept, so an interrupted comparison continues where it stopped.

    \b
    Example:
      tfmtl compare examples/compare_demo.yaml
    """
    from pipelines.compare.plan.candidates import load_comparison
    from pipelines.compare.worlds.settings import is_worlds_file, load_worlds

    if len(settings) > 1 and (out or report):
        raise click.UsageError("--out and --report should be given with one SETTINGS only.")
    if any(map(is_worlds_file, settings)):
        if len(settings) > 1 or data:
            raise click.UsageError("a comparison over worlds should be given alone, and without --data.")
        plan = load_worlds(settings[0], seeds=seeds or None, jobs=jobs)
        from pipelines.log_check import check_out

        check_out(out or f"runs/{plan.settings.name}")
        from pipelines.commands.compare import CompareArguments
        from pipelines.commands.compare_worlds import compare_worlds

        sys.exit(0 if compare_worlds(plan, CompareArguments(out, report, any_code, kept_only)) else 1)
    comparisons = [load_comparison(path, data=data, seeds=seeds or None, jobs=jobs) for path in settings]
    from pipelines.log_check import check_out

    for comparison in comparisons:
        comparison.check_log()
        check_out(out or f"runs/{comparison.settings.name}")
    from pipelines.commands.compare import CompareArguments, compare_models  # Imports TFX, as `run` does.

    arguments = CompareArguments(out, report, any_code, kept_only)
    failed = [compare_models(comparison, arguments).outcome.failed for comparison in comparisons]
    sys.exit(1 if any(failed) else 0)


@main.command(short_help="Search the hyper-parameters of the model on the eval split.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--trials", default=20, show_default=True, type=click.IntRange(min=1), help="Number of trials.")
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; default: that of the settings.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder to write to; default: runs/NAME.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the proposals.")
@click.option(
    "--method",
    default="bayesian",
    show_default=True,
    type=click.Choice(["bayesian", "random"]),
    help="Bayesian optimization, or independent random draws.",
)
@json_option
def tune(settings: str, trials: int, data: str | None, out: str | None, seed: int, method: str) -> None:
    """Search hyper-parameters of the model of SETTINGS, and write settings with the best ones to OUT/tuned.yaml.

    The log is preprocessed once. The first trial has the settings as they are. Bad trials stop early. Every finished
    trial is kept, so an interrupted search continues where it stopped, and a larger --trials continues it.

    \b
    Example:
      tfmtl tune examples/movielens.yaml --data ml-1m --trials 30
      tfmtl run runs/movielens/tuned.yaml
    """
    from pipelines.tuning.plan import load_plan

    plan = load_plan(settings, data=data, method=method, seed=seed)  # type: ignore[arg-type]
    from pipelines.log_check import check_log, check_out
    from pipelines.raw_log import require_simulator

    out = out or f"runs/{plan.settings.name}"
    if plan.settings.data.path:
        check_log(plan.settings)
    else:
        require_simulator(plan.settings)
    check_out(out)
    from pipelines.commands.tune import tune_settings  # Imports TFX, as `run` does.

    sys.exit(0 if tune_settings(plan, settings, out, trials) else 1)


@main.command(short_help="List the models, or the options of one.")
@click.argument("name", required=False, shell_complete=model_names)
@json_option
def models(name: str | None) -> None:
    """List the models with their papers, or print the options and presets of the model NAME.

    \b
    Example:
      tfmtl models
      tfmtl models mmoe
    """
    from pipelines.commands.models import list_models, show_model

    if name is None:
        list_models()
    else:
        show_model(name)


@main.command(short_help="Print the script by which a shell completes commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script by which SHELL completes commands, options, models, settings files and run folders.

    The first comment of the script says where it goes.

    \b
    Example:
      tfmtl completion bash > ~/.local/share/bash-completion/completions/tfmtl
    """
    from pipelines.output.completion import script

    click.echo(script(shell))


def _check_search(settings: str, trials: int) -> None:
    """Raises a `ConfigError` if the settings ask for a search in the pipeline, and its space is not valid."""
    if trials:
        from pipelines.tuning.plan import load_plan

        load_plan(settings)


add_output_options(main)


def program() -> None:
    """Entry point of the console script `tfmtl`."""
    from pipelines.terminal import run_program

    run_program(main)


if __name__ == "__main__":
    program()
