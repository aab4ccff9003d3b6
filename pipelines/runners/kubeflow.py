"""Compiles the pipeline for Kubeflow Pipelines 2."""

import dataclasses
import pathlib

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipelines.pipeline import create_pipeline
from pipelines.runners.beam_runner import with_runner
from pipelines.settings import Settings
from tfmtl.config import ConfigError
from transforms.readers.spans import has_spans


def compile_pipeline(settings: Settings, image: str, root: str, out: str | pathlib.Path) -> pathlib.Path:
    """Writes the pipeline's specification, which a Kubeflow Pipelines or Vertex AI client submits.

    Args:
        settings: of the experiment; `settings.data.path` as the containers see it, a bucket for example.
        image: the container image in which components run; it holds this package.
        root: where artifacts are written, a bucket for example; models are pushed below it.
        out: the file to write, `.yaml` or `.json`.

    Returns:
        The path of the file.

    Raises:
        ConfigError: if the file's ending is neither, or the log's pattern is of a kind that ExampleGen's driver there
            does not know.
    """
    data = settings.data
    if has_spans(data.pattern) and data.spans != 1:
        raise ConfigError(f"data.spans should be 1, as a run there reads the newest span. Received: {data.spans}")
    if "**" in data.pattern:
        raise ConfigError(f"data.pattern should name folders one by one. Received: {data.pattern!r}")
    settings = dataclasses.replace(settings, beam_pipeline_args=tuple(with_runner(settings.beam_pipeline_args)))
    out = pathlib.Path(out).resolve()
    if out.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(f"out should end in .yaml or .json. Received: {out.name}")
    root = root.rstrip("/")
    pipeline = create_pipeline(settings, root, f"{root}/serving/{settings.name}")
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    KubeflowV2DagRunner(config=config, output_dir=str(out.parent), output_filename=out.name).run(pipeline)
    return out
