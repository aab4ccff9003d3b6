"""Compilation of the pipeline for Kubeflow Pipelines 2."""

import dataclasses
import json
import pathlib
import re

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipelines.pipeline import PUSHER, create_pipeline
from pipelines.runners.beam_runner import with_runner
from pipelines.settings import Settings
from tfmtl.config import ConfigError
from transforms.readers.spans import has_spans

_MAX_NAME = 128


def compile_pipeline(
    settings: Settings, image: str, root: str, out: str | pathlib.Path, schema: str = ""
) -> pathlib.Path:
    """Writes the pipeline's specification, which a client of Kubeflow Pipelines or Vertex AI can submit.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the path inside the containers, such as a bucket.
        image: Container image in which components run, with this package installed.
        root: Folder to write artifacts to, such as a bucket; models are pushed to a folder below it.
        out: File to write, `.yaml` or `.json`.
        schema: Text of the schema with which the log is compared; empty for none.

    Returns:
        Path of the file.

    Raises:
        ConfigError: If the file has another extension, the settings have no path of the log, or Kubeflow does not
            support the log's pattern or another setting.
    """
    data = settings.data
    if has_spans(data.pattern) and data.spans != 1:
        raise ConfigError(f"data.spans should be 1: Kubeflow reads the most recent span only. Received: {data.spans}")
    if settings.training.keep_days is not None:
        expected = "training.keep_days should be null: Kubeflow cannot look up the vocabularies of earlier runs"
        raise ConfigError(f"{expected}. Received: {settings.training.keep_days}")
    if "**" in data.pattern:
        raise ConfigError(f"data.pattern should not contain ** on Kubeflow. Received: {data.pattern!r}")
    settings = dataclasses.replace(settings, beam_pipeline_args=tuple(with_runner(settings.beam_pipeline_args)))
    out = pathlib.Path(out).resolve()
    if out.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(f"out should end in .yaml or .json. Received: {out.name}")
    if not data.path:
        raise ConfigError("data.path should be the path of the log inside the containers, or --data. Received: none")
    root = root.rstrip("/")
    pipeline = create_pipeline(
        settings,
        root,
        f"{root}/serving/{settings.name}",
        name=legal_name(settings.name),
        schema=schema,
        checkpoints=f"{root}/checkpoints/{settings.name}",
    )
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    job = KubeflowV2DagRunner(config=config).run(pipeline, write_out=False)
    specification = job["pipelineSpec"]
    specification["defaultPipelineRoot"] = root
    # TFX has one setting of the cache for all tasks of a pipeline.
    specification["root"]["dag"]["tasks"][PUSHER].pop("cachingOptions", None)
    text = json.dumps(job, indent=2) if out.suffix == ".json" else yaml.safe_dump(specification, sort_keys=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out


def legal_name(name: str) -> str:
    """Returns the name of a pipeline in the characters that Kubeflow allows: small letters, digits and hyphens.

    Args:
        name: Name of the settings.

    Raises:
        ConfigError: If the name has no letter or digit.

    Example:
        >>> from pipelines.runners.kubeflow import legal_name
        >>> legal_name("Three_tasks v2")
        'three-tasks-v2'
    """
    legal = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:_MAX_NAME].rstrip("-")
    if not legal:
        raise ConfigError(f"name should have a letter from a to z or a digit. Received: {name!r}")
    return legal
