"""Compilation of the pipeline for Kubeflow Pipelines 2."""

import dataclasses
import json
import pathlib

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipelines.pipeline import PUSHER, create_pipeline
from pipelines.runners.beam_runner import with_runner
from pipelines.settings import Settings
from tfmtl.config import ConfigError
from transforms.readers.spans import has_spans


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
        ConfigError: If the file has another extension, or ExampleGen's driver on Kubeflow does not support the log's
            pattern.
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
    root = root.rstrip("/")
    pipeline = create_pipeline(
        settings,
        root,
        f"{root}/serving/{settings.name}",
        schema=schema,
        checkpoints=f"{root}/checkpoints/{settings.name}",
    )
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    KubeflowV2DagRunner(config=config, output_dir=str(out.parent), output_filename=out.name).run(pipeline)
    _never_cached(out, PUSHER)
    return out


def _never_cached(path: pathlib.Path, task: str) -> None:
    """Changes a specification so that a task always runs: TFX has one setting for all tasks of a pipeline."""
    text = path.read_text(encoding="utf-8")
    is_json = path.suffix == ".json"
    specification = json.loads(text) if is_json else yaml.safe_load(text)
    tasks = specification.get("pipelineSpec", specification)["root"]["dag"]["tasks"]
    tasks[task].pop("cachingOptions", None)
    text = json.dumps(specification, indent=2) if is_json else yaml.safe_dump(specification, sort_keys=False)
    path.write_text(text, encoding="utf-8")
