"""Command `tfmtl submit`: runs a compiled pipeline on Kubeflow Pipelines."""

import dataclasses
from collections.abc import Sequence

from rich.text import Text

from pipelines.kubeflow.run_options import RunOptions
from pipelines.kubeflow.specification import Specification, read_specification
from pipelines.output.invocation import present
from pipelines.terminal import console


@dataclasses.dataclass(frozen=True)
class SubmitOptions:
    """Options of the commands `submit` and `schedule`.

    Attributes:
        pipeline: File that `tfmtl compile` wrote.
        parameters: Parameters of the pipeline, as `name=value`.
        host: Address of Kubeflow Pipelines; None for that of the cluster, or of `kubectl`.
        namespace: Namespace of the experiment.
        experiment: Name of the experiment; None for the default one.
        root: Folder of the artifacts; None for that of the specification.
    """

    pipeline: str
    parameters: Sequence[str] = ()
    host: str | None = None
    namespace: str | None = None
    experiment: str | None = None
    root: str | None = None

    def checked(self) -> tuple[Specification, RunOptions]:
        """Returns the specification and the options of the run. Raises `ConfigError` if they do not fit each other."""
        specification = read_specification(self.pipeline)
        options = RunOptions(self.experiment, self.root, specification.values(self.parameters))
        options.values(specification)
        return specification, options


def submit_pipeline(arguments: SubmitOptions, wait: bool = False) -> bool:
    """Starts a run of a compiled pipeline, and prints its page; on request, follows it to its end.

    Args:
        arguments: Options of the command.
        wait: Waits for the end of the run.

    Returns:
        False if the command has waited, and the run did not succeed.

    Raises:
        ConfigError: If the file or a parameter is wrong, or the server does not accept it.
    """
    specification, options = arguments.checked()
    from pipelines.kubeflow.connection import Connection  # Imports kfp, as the others do.
    from pipelines.kubeflow.following import SUCCEEDED, follow
    from pipelines.kubeflow.submission import submit

    connection = Connection(arguments.host, arguments.namespace)
    run = submit(connection, specification, options)
    page = connection.page(f"/runs/details/{run}")
    document = {"id": run, "name": specification.name, "page": page, "state": None, "reason": None}
    present(document, line(f"submitted {specification.name} -> {page}"))
    if not wait:
        return True
    state, reason = follow(connection, specification, run, print_line)
    shown = line(f"run {state.lower()}{f': {reason}' if reason else ''}")
    present({"state": state.lower(), "reason": reason or None}, shown)
    return state == SUCCEEDED


def line(text: str) -> Text:
    """Returns a line that is printed as it is, so that an address remains one word.

    Args:
        text: The line.
    """
    return Text(text, no_wrap=True)


def print_line(text: str) -> None:
    """Prints a line as it is.

    Args:
        text: The line.
    """
    console.print(line(text), highlight=False, soft_wrap=True)
