"""`tfmtl compile`: compiles the pipeline for Kubeflow Pipelines."""

from pipelines.runners.kubeflow import compile_pipeline
from pipelines.settings import load_settings
from pipelines.terminal import console


def compile_settings(settings_path: str, image: str, root: str, data: str | None, out: str) -> None:
    """Compiles a pipeline for Kubeflow."""
    path = compile_pipeline(load_settings(settings_path, data=data), image, root, out)
    console.print(f"compiled -> {path}", highlight=False)
