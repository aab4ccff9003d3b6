"""Command `tfmtl compile`: compiles the pipeline for Kubeflow Pipelines."""

from pipelines.runners.kubeflow import compile_pipeline
from pipelines.settings import load_settings
from pipelines.terminal import console


def compile_settings(settings_path: str, image: str, root: str, data: str | None, out: str) -> None:
    """Compiles the pipeline for Kubeflow Pipelines and prints the path of the result.

    Args:
        settings_path: Path of the settings file.
        image: Container image in which components run.
        root: Folder to write artifacts to.
        data: Path of the raw log inside the containers; None for that of the settings.
        out: File to write.
    """
    path = compile_pipeline(load_settings(settings_path, data=data), image, root, out)
    console.print(f"compiled -> {path}", highlight=False)
