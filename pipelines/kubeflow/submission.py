"""Runs and schedules of a compiled pipeline on Kubeflow Pipelines."""

import contextlib
import datetime
import json
import os
import shlex
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import ParseError

from pipelines.kubeflow.connection import Connection
from pipelines.kubeflow.run_options import RunOptions, Schedule
from pipelines.kubeflow.specification import Specification
from tfmtl.config import ConfigError

_EXPERIMENT = "Default"
_EQUALS = 1
_PAGE = 100
_SHOWN = 10


def submit(connection: Connection, specification: Specification, options: RunOptions) -> str:
    """Starts a run, and returns its id.

    Args:
        connection: Connection to Kubeflow Pipelines.
        specification: Compiled pipeline.
        options: Experiment and parameters of the run.

    Raises:
        ConfigError: If there is no such experiment, or the server refuses the pipeline.
    """
    body = _body(specification, options)
    body["experiment_id"] = experiment_id(connection, options.experiment)
    body["job_name"] = f"{specification.name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
    with connection.errors(), _readable(specification):
        return str(connection.client.run_pipeline(**body).run_id)


def schedule(
    connection: Connection, specification: Specification, options: RunOptions, times: Schedule
) -> tuple[str, int]:
    """Creates a schedule, and deletes those of the experiment that have its name.

    Args:
        connection: Connection to Kubeflow Pipelines.
        specification: Compiled pipeline.
        options: Experiment and parameters of the runs.
        times: Name and times.

    Returns:
        The id of the schedule, and the number of schedules that it replaced.

    Raises:
        ConfigError: If there is no such experiment, or the server refuses the pipeline.
    """
    body = _body(specification, options)
    experiment = experiment_id(connection, options.experiment)
    earlier = _schedules(connection, experiment, times.name)
    with connection.errors(), _readable(specification):
        created = connection.client.create_recurring_run(
            experiment_id=experiment,
            job_name=times.name,
            cron_expression=times.cron,
            max_concurrency=times.max_concurrency,
            no_catchup=not times.catchup,
            **body,
        )
        # The new one exists before the earlier ones are deleted: an error leaves no day without a run.
        for one in earlier:
            connection.client.delete_recurring_run(one)
    return str(created.recurring_run_id), len(earlier)


def experiment_id(connection: Connection, name: str | None) -> str:
    """Returns the id of an experiment.

    Args:
        connection: Connection to Kubeflow Pipelines.
        name: Name of the experiment; None for the default one, which is created if it is missing.

    Raises:
        ConfigError: If there is none of this name.
    """
    name = name or os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME") or _EXPERIMENT
    client, space = connection.client, connection.namespace
    with connection.errors():
        found = client.list_experiments(page_size=1, namespace=space, filter=_named(name)).experiments
        if found:
            return str(found[0].experiment_id)
        if name == _EXPERIMENT:  # A server for several users has none in a new namespace.
            return str(client.create_experiment(name, namespace=space).experiment_id)
        others = client.list_experiments(page_size=_SHOWN, namespace=space).experiments or []
    names = ", ".join(one.display_name for one in others) or "none"
    advice = f"To create it: {shlex.join(['kfp', *connection.kfp_options, 'experiment', 'create', name])}"
    raise ConfigError(f"--experiment should be the name of an experiment: {names}. Received: {name!r}\n{advice}")


def _schedules(connection: Connection, experiment: str, name: str) -> list[str]:
    with connection.errors():
        answer = connection.client.list_recurring_runs(page_size=_PAGE, experiment_id=experiment, filter=_named(name))
    return [one.recurring_run_id for one in answer.recurring_runs or []]


def _body(specification: Specification, options: RunOptions) -> dict[str, Any]:
    return {
        "pipeline_package_path": str(specification.path),
        "params": options.values(specification),
        "pipeline_root": options.root,
    }


def _named(name: str) -> str:
    """Returns the filter of the API for a name."""
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": name}]})


@contextlib.contextmanager
def _readable(specification: Specification) -> Iterator[None]:
    """Raises a `ConfigError` if the client cannot read the specification."""
    try:
        yield
    except ParseError as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{specification.path} should be a pipeline that kfp knows. Received: {problem}") from error
