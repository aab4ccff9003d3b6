"""Commands of `tfmtl` for a cluster: `compile`, `submit`, `schedule` and `training-job`."""

import sys
from collections.abc import Callable
from typing import Any

import click

from pipelines.output.completion import settings_files
from pipelines.output.options import json_option

FAILED = 3
"""Exit code of a run that did not succeed."""
_Command = Callable[..., Any]


def _cluster_options(command: _Command) -> _Command:
    """Adds the options of `submit` and `schedule`."""
    options = (
        click.argument("pipeline", type=click.Path(exists=True, dir_okay=False)),
        click.option(
            "--host",
            envvar=["KF_PIPELINES_ENDPOINT", "KFP_ENDPOINT"],
            help="Address of Kubeflow Pipelines; default: KF_PIPELINES_ENDPOINT, the cluster around, or kubectl's.",
        ),
        click.option("--namespace", envvar="KFP_NAMESPACE", help="Namespace, on a server for several users."),
        click.option("--experiment", help="Name of the experiment; default: Default."),
        click.option("--root", help="Folder of the artifacts, and parameter `root`; default: that of PIPELINE."),
        click.option(
            "--parameter", "parameters", metavar="NAME=VALUE", multiple=True, help="Parameter; may be repeated."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(name="compile", short_help="Compile the pipeline for Kubeflow Pipelines or Vertex AI.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--image", required=True, help="Container image with tfmtl installed (see the Dockerfile).")
@click.option("--root", required=True, help="Bucket or volume for artifacts; default of the parameter `root`.")
@click.option("--data", help="Raw log as the containers see it; default: that of the settings.")
@click.option("--target", type=click.Choice(["kfp", "vertex"]), default="kfp", show_default=True, help="Where it runs.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to write, .yaml or .json.")
@json_option
def compile_(settings: str, image: str, root: str, data: str | None, target: Any, out: str) -> None:
    """Compile the pipeline of SETTINGS to a specification for Kubeflow Pipelines 2 or Vertex AI.

    \b
    Example:
      tfmtl compile examples/demo.yaml --image registry/tfmtl:0.1 --root gs://bucket/tfmtl \\
        --data gs://bucket/log --out pipeline.yaml
    """
    from pipelines.settings_file import load_settings

    experiment = load_settings(settings, data=data)
    if experiment.tune.trials:
        from pipelines.tuning.plan import load_plan

        load_plan(settings)  # Raises an error if the space of the search is not valid.
    from pipelines.commands.compile import compile_settings  # Imports TFX, as `run` does.

    compile_settings(experiment, settings, image=image, root=root, out=out, target=target)


@click.command(short_help="Run a compiled pipeline on Kubeflow Pipelines.")
@_cluster_options
@click.option("--wait", is_flag=True, help="Wait for the end of the run, and print each change of a step.")
@json_option
def submit(wait: bool, **options: Any) -> None:
    """Run PIPELINE, a specification of `tfmtl compile`, on open-source Kubeflow Pipelines.

    A token, if the server asks for one, is read from the environment variable KFP_EXISTING_TOKEN. With --wait, the exit
    code is 3 if the run does not succeed. Ctrl-C ends the command and not the run.

    \b
    Example:
      tfmtl submit pipeline.yaml --host http://localhost:8080 --parameter date=2026-11-28 --wait
    """
    from pipelines.commands.submit import SubmitOptions, submit_pipeline

    sys.exit(0 if submit_pipeline(SubmitOptions(**options), wait) else FAILED)


@click.command(short_help="Run a compiled pipeline on Kubeflow Pipelines at given times.")
@_cluster_options
@click.option("--cron", required=True, help="Second, minute, hour, day of the month, month and day of the week.")
@click.option("--name", help="Name of the schedule; default: that of the pipeline.")
@click.option("--max-concurrency", default=1, show_default=True, type=click.IntRange(1, 10), help="Runs at a time.")
@click.option("--no-catchup", is_flag=True, help="Do not make up for runs that were missed.")
@json_option
def schedule(cron: str, name: str | None, max_concurrency: int, no_catchup: bool, **options: Any) -> None:
    """Run PIPELINE, a specification of `tfmtl compile`, at the times of a cron expression.

    A schedule of the same name in the experiment is replaced.

    \b
    Example:
      tfmtl schedule pipeline.yaml --host http://localhost:8080 --cron "0 0 4 * * *" --no-catchup
    """
    from pipelines.commands.schedule import schedule_pipeline
    from pipelines.commands.submit import SubmitOptions

    schedule_pipeline(SubmitOptions(**options), cron, name, max_concurrency, not no_catchup)


@click.command("training-job", short_help="Write the manifest of a training on several machines.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--image", required=True, help="Container image with tfmtl installed (see the Dockerfile).")
@click.option("--workers", required=True, type=click.IntRange(min=2), help="Number of machines.")
@click.option("--examples", required=True, help="Folder of the examples, as the workers see it.")
@click.option("--transform", required=True, help="Folder of the transform graph, as the workers see it.")
@click.option("--root", required=True, help="Folder to write the model to, as the workers see it.")
@click.option("--name", help="Name of the job; default: that of the settings.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to write, .yaml.")
@json_option
def training_job(**options: Any) -> None:
    """Write a TFJob, with which Kubeflow's training operator trains the model of SETTINGS on several machines.

    The job trains from examples and a transform graph that exist, such as the folder `prepared` of `tfmtl tune`. It
    does not evaluate or push the model. Resources, volumes and secrets are those of `kubeflow` in SETTINGS.

    \b
    Example:
      tfmtl training-job shop.yaml --image registry/tfmtl:0.1 --workers 4 --examples /data/prepared/examples \\
        --transform /data/prepared/transform --root /data/trained --out job.yaml
    """
    from pipelines.commands.training_job import write_training_job

    write_training_job(**options)
