"""Command `tfmtl schedule`: runs a compiled pipeline on Kubeflow Pipelines at given times."""

from pipelines.commands.submit import SubmitOptions, line
from pipelines.kubeflow.cron import check_cron
from pipelines.kubeflow.run_options import Schedule
from pipelines.output.invocation import present


def schedule_pipeline(
    arguments: SubmitOptions, cron: str, name: str | None = None, max_concurrency: int = 1, catchup: bool = True
) -> None:
    """Creates a schedule of a compiled pipeline, in place of those of the same name, and prints its page.

    Args:
        arguments: Options of the command.
        cron: Cron expression of six fields.
        name: Name of the schedule; None for that of the pipeline.
        max_concurrency: Number of runs at a time.
        catchup: Makes up for runs that were missed.

    Raises:
        ConfigError: If the file, a parameter or the expression is wrong, or the server does not accept it.
    """
    cron = check_cron(cron)
    specification, options = arguments.checked()
    from pipelines.kubeflow.connection import Connection  # Imports kfp, as the other does.
    from pipelines.kubeflow.submission import schedule

    times = Schedule(name or specification.name, cron, max_concurrency, catchup)
    connection = Connection(arguments.host, arguments.namespace)
    created, replaced = schedule(connection, specification, options, times)
    instead = f", in place of {replaced} of this name" if replaced else ""
    page = connection.page(f"/recurringrun/details/{created}")
    document = {"id": created, "name": times.name, "cron": cron, "replaced": replaced, "page": page}
    present(document, line(f"scheduled {times.name} at '{cron}'{instead} -> {page}"))
