"""Resources of the steps of the pipeline on Kubeflow."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from pipelines.kubeflow_settings import StepSettings

DEFAULTS: Mapping[str, StepSettings] = {
    "LogExampleGen": StepSettings(cpu=2, memory="4Gi", retries=2),
    "StatisticsGen": StepSettings(cpu=1, memory="2Gi", retries=2),
    "SchemaGen": StepSettings(cpu=1, memory="2Gi", retries=2),
    "ExampleValidator": StepSettings(cpu=1, memory="2Gi", retries=0),
    "Transform": StepSettings(cpu=1, memory="3Gi", retries=2),
    "Tuner": StepSettings(cpu=4, memory="8Gi", retries=2),
    "ServedModel": StepSettings(cpu=1, memory="2Gi", retries=2),
    "Trainer": StepSettings(cpu=4, memory="8Gi", retries=2),
    "Evaluator": StepSettings(cpu=2, memory="4Gi", retries=2),
    "Pusher": StepSettings(cpu=1, memory="2Gi", retries=0),
}
"""Resources by step. ExampleValidator and Pusher fail on purpose if they refuse a log or a model: no retry helps."""
_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def step_settings(name: str, given: Mapping[str, StepSettings]) -> StepSettings:
    """Returns the resources of a step, with the default ones in place of those that are not given.

    Args:
        name: Name of the step.
        given: Resources of the settings by step.

    Example:
        >>> from pipelines.kubeflow.resources import step_settings
        >>> from pipelines.kubeflow_settings import StepSettings
        >>> step_settings("Pusher", {"Pusher": StepSettings(memory="8Gi")})
        StepSettings(cpu=1, memory='8Gi', accelerator=None, accelerators=1, retries=0, beam_pipeline_args=())
    """
    own, default = given.get(name, StepSettings()), DEFAULTS[name]
    missing = {field: getattr(default, field) for field in ("cpu", "memory", "retries") if getattr(own, field) is None}
    return dataclasses.replace(own, **missing)


def resources(settings: StepSettings) -> dict[str, Any]:
    """Returns the message `ResourceSpec` of a container, with numbers for Vertex AI and quantities for Kubeflow.

    Args:
        settings: Resources of the step, none of which is missing.
    """
    assert settings.cpu is not None
    assert settings.memory is not None
    gigabytes = round(quantity(settings.memory) / 1e9, 6)
    cores = f"{settings.cpu:g}"
    spec: dict[str, Any] = {}
    for kind in ("Limit", "Request"):
        spec |= {f"cpu{kind}": settings.cpu, f"memory{kind}": gigabytes}
        spec |= {f"resourceCpu{kind}": cores, f"resourceMemory{kind}": settings.memory}
    if settings.accelerator is not None:
        count = settings.accelerators
        spec["accelerator"] = {"type": settings.accelerator, "count": str(count)}
        spec["accelerator"] |= {"resourceType": settings.accelerator, "resourceCount": str(count)}
    return spec


def quantity(text: str) -> float:
    """Returns the number of bytes of a Kubernetes quantity.

    Args:
        text: Quantity such as `4Gi` or `500M`.

    Example:
        >>> from pipelines.kubeflow.resources import quantity
        >>> quantity("1.5Gi")
        1610612736.0
    """
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
