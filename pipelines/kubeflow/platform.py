"""Platform specification of open-source Kubeflow: the volumes and secrets of the steps."""

import copy
from collections.abc import Mapping
from typing import Any

from pipelines.kubeflow_settings import KubeflowSettings


def platform_document(specification: Mapping[str, Any], settings: KubeflowSettings) -> list[dict[str, Any]]:
    """Returns the second document of a compiled pipeline, in a list; none if there are no volumes and secrets.

    Each name stands there twice: where Kubeflow Pipelines reads it today, and where versions before 2.5 do.

    Args:
        specification: First document.
        settings: Settings with the volumes and secrets.
    """
    if not settings.volumes and not settings.secrets:
        return []
    config = {
        "pvcMount": [
            {"mountPath": one.path, "constant": one.claim, "pvcNameParameter": _constant(one.claim)}
            for one in settings.volumes
        ],
        "secretAsEnv": [
            {
                "secretName": one.name,
                "secretNameParameter": _constant(one.name),
                "keyToEnv": [{"secretKey": key, "envVar": variable} for variable, key in one.env.items()],
            }
            for one in settings.secrets
        ],
    }
    present = {name: value for name, value in config.items() if value}
    executors = {name: copy.deepcopy(present) for name in specification["deploymentSpec"]["executors"]}
    return [{"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}]


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}
