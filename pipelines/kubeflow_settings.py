"""Settings of the pipeline on Kubeflow: the resources of its steps, volumes, secrets and paths."""

import dataclasses
import re
from collections.abc import Mapping

from tfmtl.config import require

STEPS = (
    "LogExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Tuner",
    "ServedModel",
    "Trainer",
    "Evaluator",
    "Pusher",
)
"""Names of the steps of the pipeline on Kubeflow."""
_QUANTITY = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class StepSettings:
    """Resources of a step. What is left out is that of `pipelines.kubeflow.resources.DEFAULTS`.

    Attributes:
        cpu: Number of processor cores, requested and limited.
        memory: Memory as a Kubernetes quantity (`4Gi`), requested and limited.
        accelerator: Name of the resource of an accelerator, such as `nvidia.com/gpu`; null for none.
        accelerators: Number of accelerators.
        retries: Number of times that a step which failed is run again.
        beam_pipeline_args: Further arguments for the Beam job of the step.
    """

    cpu: float | None = None
    memory: str | None = None
    accelerator: str | None = None
    accelerators: int = 1
    retries: int | None = None
    beam_pipeline_args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.cpu is None or self.cpu > 0, "cpu", "above 0", self.cpu)
        is_quantity = self.memory is None or _QUANTITY.fullmatch(self.memory) is not None
        require(is_quantity, "memory", "a quantity such as 4Gi", self.memory)
        require(self.accelerators >= 1, "accelerators", "at least 1", self.accelerators)
        require(self.retries is None or self.retries >= 0, "retries", "at least 0", self.retries)


@dataclasses.dataclass(frozen=True)
class Volume:
    """Volume that every step mounts.

    Attributes:
        claim: Name of the PersistentVolumeClaim.
        path: Absolute path in the containers.
    """

    claim: str
    path: str

    def __post_init__(self) -> None:
        require(self.path.startswith("/"), "path", "an absolute path", self.path)


@dataclasses.dataclass(frozen=True)
class Secret:
    """Secret whose values every step has as variables of its environment.

    Attributes:
        name: Name of the Secret.
        env: Key of the Secret by the name of the variable.
    """

    name: str
    env: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in self.env:
            require(_ENVIRONMENT.fullmatch(name) is not None, ("env", name), "the name of a variable", name)


@dataclasses.dataclass(frozen=True)
class KubeflowSettings:
    """Settings of the pipeline on Kubeflow.

    Attributes:
        destination: Folder of the served model's versions: a path on a volume, or a URI (`gs://`, `s3://`, `minio://`).
            `{root}` stands for the root of the run, and `{name}` for the name of the settings.
        checkpoints: Folder of the Trainer's checkpoints, with which a retry continues: a path on a volume, or a URI
            `gs://`. A training whose folder is on another store has none.
        steps: Resources by the name of the step.
        volumes: Volumes that every step mounts; on open-source Kubeflow only.
        secrets: Secrets in the environment of every step; on open-source Kubeflow only.
        env: Variables of the environment of every step, such as `AWS_ENDPOINT_URL`.
    """

    destination: str = "{root}/serving/{name}"
    checkpoints: str = "{root}/checkpoints/{name}"
    steps: Mapping[str, StepSettings] = dataclasses.field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    secrets: tuple[Secret, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.destination != "", "destination", "a folder", self.destination)
        for name in self.steps:
            require(name in STEPS, ("steps", name), f"one of {', '.join(STEPS)}", name)
        for name in self.env:
            require(_ENVIRONMENT.fullmatch(name) is not None, ("env", name), "the name of a variable", name)
