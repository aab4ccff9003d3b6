"""Command `tfmtl compile`: compiles the pipeline for Kubeflow Pipelines or Vertex AI."""

from pipelines.commands.data_checks import read_schema
from pipelines.kubeflow.compile import Target, compile_pipeline
from pipelines.output.invocation import present
from pipelines.settings import Settings


def compile_settings(settings: Settings, settings_path: str, image: str, root: str, out: str, target: Target) -> None:
    """Compiles the pipeline for Kubeflow Pipelines or Vertex AI and prints the path of the result.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the path of the raw log inside the containers.
        settings_path: Path of their file, beside which the schema of the log may lie.
        image: Container image in which components run.
        root: Folder to write artifacts to.
        out: File to write.
        target: Where the pipeline runs.
    """
    path = compile_pipeline(settings, image, root, out, read_schema(settings_path), target)
    present({"path": path}, f"compiled -> {path}")
