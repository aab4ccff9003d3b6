"""Manifest of a `TFJob`, with which Kubeflow's training operator runs the Trainer on several machines."""

import json
import re
from typing import Any

from pipelines.kubeflow.names import legal_name
from pipelines.kubeflow.resources import step_settings
from pipelines.kubeflow_settings import KubeflowSettings, StepSettings
from pipelines.settings import Settings
from pipelines.training_settings import LATEST
from tfmtl.config import ConfigError, to_plain

MODULE = "pipelines.kubeflow.train_worker"
"""Program of each worker."""
PORT = 2222
"""Port at which the workers find each other."""
_CONTAINER, _PORT_NAME = "tensorflow", "tfjob-port"
"""Names by which the operator finds the container to which it gives `TF_CONFIG`, and its port."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 50
"""Longest name of a job; those of its services, `NAME-worker-12`, have at most 63 characters."""


def training_job(
    settings: Settings,
    image: str,
    workers: int,
    examples: str,
    transform: str,
    root: str,
    name: str | None = None,
) -> dict[str, Any]:
    """Returns the manifest of a job that trains the model of the settings on several machines.

    Each worker has the resources and retries of the step `Trainer`, and the volumes, secrets and variables of all
    steps. The first one writes the model. If a worker is killed, the others end with an exit code that the operator
    takes for an interruption, and all start again; an error of the settings or the data ends the job.

    Args:
        settings: Settings of the experiment, whose `training.distribution.kind` is `multi_worker`.
        image: Container image with this package installed.
        workers: Number of machines, at least 2.
        examples: Folder of the examples, as the workers see it: an artifact of the step LogExampleGen, or the folder
            `examples` of prepared data.
        transform: Folder of the transform graph, as the workers see it.
        root: Folder to which the first worker writes `model` and `model_run`.
        name: Name of the job; None for that of the settings in legal characters.

    Raises:
        ConfigError: If the settings are not for several workers, or the name or a folder is wrong.
    """
    _check(settings)
    step = step_settings("Trainer", settings.kubeflow.steps)
    for option, path in (("examples", examples), ("transform", transform), ("root", root)):
        _check_path(option, path, settings.kubeflow)
    config = {
        "name": settings.name,
        "spec": settings.spec.to_dict(),
        "data": to_plain(settings.data.log_format),
        "model": to_plain(settings.model),
        "training": to_plain(settings.training),
    }
    words = ["--config", json.dumps(config, sort_keys=True), "--examples", examples, "--transform", transform]
    # Kubernetes replaces $(NAME) by a variable of the environment, and $$ by $.
    arguments = [word.replace("$", "$$") for word in (*words, "--out", root)]
    worker = {
        "replicas": workers,
        "restartPolicy": "ExitCode",
        "template": {
            # A sidecar of Istio refuses the connections of the workers to each other.
            "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
            "spec": _pod(image, arguments, step, settings.kubeflow),
        },
    }
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "TFJob",
        "metadata": {"name": _job_name(name, settings.name)},
        "spec": {
            "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": step.retries},
            "tfReplicaSpecs": {"Worker": worker},
        },
    }


def _pod(image: str, arguments: list[str], step: StepSettings, kubeflow: KubeflowSettings) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": _CONTAINER,
        "image": image,
        "command": ["python", "-m", MODULE],
        "args": arguments,
        "ports": [{"name": _PORT_NAME, "containerPort": PORT}],
        "resources": _resources(step),
    }
    env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in kubeflow.env.items()]
    env += [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}}
        for secret in kubeflow.secrets
        for variable, key in secret.env.items()
    ]
    if env:
        container["env"] = env
    pod: dict[str, Any] = {"containers": [container]}
    if kubeflow.volumes:
        names = [f"volume-{i}" for i in range(len(kubeflow.volumes))]
        mounts = zip(names, kubeflow.volumes, strict=True)
        container["volumeMounts"] = [{"name": name, "mountPath": one.path} for name, one in mounts]
        claims = zip(names, kubeflow.volumes, strict=True)
        pod["volumes"] = [{"name": name, "persistentVolumeClaim": {"claimName": one.claim}} for name, one in claims]
    return pod


def _resources(step: StepSettings) -> dict[str, dict[str, str]]:
    """Returns requests and limits, which are equal."""
    amounts = {"cpu": f"{step.cpu:g}", "memory": str(step.memory)}
    if step.accelerator is not None:
        amounts[step.accelerator] = str(step.accelerators)
    return {"requests": amounts, "limits": dict(amounts)}


def _check(settings: Settings) -> None:
    training = settings.training
    if training.distribution.kind != "multi_worker":
        expected = "training.distribution.kind should be multi_worker for a training job"
        raise ConfigError(f"{expected}. Received: {training.distribution.kind}")
    if training.warm_start == LATEST:
        expected = "training.warm_start should be a folder for a training job, which does not know the last model"
        raise ConfigError(f"{expected}. Received: {LATEST}")
    if settings.tune.trials:
        expected = "tune.trials should be 0 for a training job; `tfmtl tune` writes settings with its choice"
        raise ConfigError(f"{expected}. Received: {settings.tune.trials}")


def _check_path(option: str, path: str, kubeflow: KubeflowSettings) -> None:
    """Raises a `ConfigError` for a folder that the workers do not see."""
    folders = [one.path.rstrip("/") for one in kubeflow.volumes]
    if path.startswith("gs://") or any(path == one or path.startswith(f"{one}/") for one in folders):
        return
    expected = f"--{option} should be below the path of a volume in `kubeflow.volumes`, or in a bucket gs://"
    raise ConfigError(f"{expected}. Received: {path!r}; the volumes are at: {', '.join(folders) or 'none'}")


def _job_name(given: str | None, name: str) -> str:
    found = legal_name(name, _LONGEST_NAME) if given is None else given
    if len(found) > _LONGEST_NAME or not _NAME.fullmatch(found):
        rule = f"at most {_LONGEST_NAME} small letters, digits and hyphens, and begin with a letter"
        raise ConfigError(f"--name should have {rule}. Received: {found!r}")
    return found
