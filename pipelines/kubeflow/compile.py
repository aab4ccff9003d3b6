"""Compilation of the pipeline for Kubeflow Pipelines 2 and Vertex AI."""

import json
import pathlib
from typing import Any, Literal

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipelines.beam_runner import IN_PROCESS, runs_elsewhere
from pipelines.components.example_validator import REFUSE
from pipelines.components.root import ROOT
from pipelines.kubeflow.names import legal_name
from pipelines.kubeflow.pipeline import ANOMALIES, create_cluster_pipeline
from pipelines.kubeflow.platform import platform_document
from pipelines.kubeflow.resources import resources, step_settings
from pipelines.settings import Settings
from tfmtl.config import ConfigError

Target = Literal["kfp", "vertex"]
COMMAND = ("python", "-m", "pipelines.runners.kubeflow_step")
"""Command of every container."""
OUTPUTS_SPEC = "--json_serialized_outputs_spec_args"
"""Argument with the declared outputs of a step, beside TFX's argument with the declared inputs."""
_READERS = ("LogExampleGen", "Evaluator")
"""Steps whose Beam jobs read rows, on other machines if the settings say so."""
_PREFIX = "comp-"
"""Beginning of the names of components, which Kubeflow's own compiler gives them and `kfp.local` cuts off."""
_RETRY = {"backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "600s"}


def compile_pipeline(
    settings: Settings,
    image: str,
    root: str,
    out: str | pathlib.Path,
    schema: str = "",
    target: Target = "kfp",
) -> pathlib.Path:
    """Writes the pipeline's specification, which a client of Kubeflow Pipelines or Vertex AI can submit.

    For open-source Kubeflow, volumes and secrets are a second YAML document of the file. Vertex AI has neither.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the path inside the containers, such as a bucket.
        image: Container image in which steps run, with this package installed.
        root: Folder to write artifacts to, such as a bucket, and default of the parameter `root`.
        out: File to write, `.yaml` or `.json`; the latter, a job, is for Vertex AI.
        schema: Text of the schema with which the log is compared; empty for none.
        target: Where the pipeline runs: `kfp` or `vertex`.

    Returns:
        Path of the file.

    Raises:
        ConfigError: If the file has another extension, the settings have no path of the log, or the target does not
            support them.
    """
    out = pathlib.Path(out).resolve()
    _check(settings, out, target)
    root = root.rstrip("/")
    pipeline = create_cluster_pipeline(settings, root, legal_name(settings.name), schema)
    config = KubeflowV2DagRunnerConfig(default_image=image, default_commands=list(COMMAND), use_pipeline_spec_2_1=True)
    job = KubeflowV2DagRunner(config=config).run(pipeline, write_out=False)
    specification = job["pipelineSpec"]
    specification["defaultPipelineRoot"] = root
    parameters = specification["root"]["inputDefinitions"]["parameters"]
    for name, value in (("data", settings.data.path), ("date", ""), (ROOT, root), (ANOMALIES, REFUSE)):
        if name in parameters:
            parameters[name] |= {"defaultValue": value, "isOptional": True}
    components = {f"{_PREFIX}{name}": one for name, one in specification["components"].items()}
    specification["components"] = components
    for name, task in specification["root"]["dag"]["tasks"].items():
        task["componentRef"]["name"] = f"{_PREFIX}{task['componentRef']['name']}"
        component = components[task["componentRef"]["name"]]
        executor = specification["deploymentSpec"]["executors"][component["executorLabel"]]
        _complete(name, task, component, executor["container"], settings)
    documents = [specification]
    if target == "kfp":
        documents += platform_document(specification, settings.kubeflow)
    text = json.dumps(job, indent=2) if out.suffix == ".json" else yaml.safe_dump_all(documents, sort_keys=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out


def _check(settings: Settings, out: pathlib.Path, target: Target) -> None:
    if out.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(f"out should end in .yaml or .json. Received: {out.name}")
    if out.suffix == ".json" and target == "kfp":
        raise ConfigError(f"out should end in .yaml, as .json is for --target vertex. Received: {out.name}")
    if not settings.data.path:
        raise ConfigError("data.path should be the path of the log inside the containers, or --data. Received: none")
    for field in ("volumes", "secrets"):
        if target == "vertex" and getattr(settings.kubeflow, field):
            raise ConfigError(
                f"kubeflow.{field} should be left out with --target vertex, which has no volumes or secrets"
            )


def _complete(
    name: str, task: dict[str, Any], component: dict[str, Any], container: dict[str, Any], settings: Settings
) -> None:
    """Adds what TFX's compiler leaves out: declared outputs, resources, retries and the environment."""
    step = step_settings(name, settings.kubeflow.steps)
    container["args"] += ["--step", name, OUTPUTS_SPEC, json.dumps(component["outputDefinitions"], sort_keys=True)]
    container["args"] += step.beam_pipeline_args
    arguments = [*settings.beam_pipeline_args, *step.beam_pipeline_args]
    if runs_elsewhere(arguments):
        container["args"] += ["--keep_uris"] if name in _READERS else [f"--runner={IN_PROCESS}"]
    container["resources"] = resources(step)
    if settings.kubeflow.env:
        container["env"] = [{"name": one, "value": value} for one, value in settings.kubeflow.env.items()]
    if step.retries:
        task["retryPolicy"] = {"maxRetryCount": step.retries, **_RETRY}
