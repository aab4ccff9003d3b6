"""Options of runs and schedules on Kubeflow Pipelines."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.components.root import ROOT
from pipelines.kubeflow.specification import Specification
from tfmtl.config import ConfigError


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Experiment, folder and parameters of a run.

    Attributes:
        experiment: Name of an experiment; None for that of the environment variable
            `KF_PIPELINES_DEFAULT_EXPERIMENT_NAME`, or `Default`.
        root: Folder of the artifacts, and the parameter `root` of the pipeline if it has one that is not given; None
            for those of the specification.
        parameters: Values of parameters of the pipeline, which differ from their defaults.
    """

    experiment: str | None = None
    root: str | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def values(self, specification: Specification) -> dict[str, Any]:
        """Returns the parameters of a run.

        Args:
            specification: Compiled pipeline.

        Raises:
            ConfigError: If a parameter without a default is missing.
        """
        has_root = self.root is not None and ROOT in specification.parameters
        values = {ROOT: self.root, **self.parameters} if has_root else dict(self.parameters)
        missing = [name for name in specification.required if name not in values]
        if missing:
            raise ConfigError(f"--parameter should give: {', '.join(missing)}. Received: none")
        return values


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Times at which runs start.

    Attributes:
        name: Name of the schedule.
        cron: Cron expression with seconds.
        max_concurrency: Number of runs of the schedule at a time.
        catchup: Whether runs that were missed are made up for.
    """

    name: str
    cron: str
    max_concurrency: int = 1
    catchup: bool = True
