"""Command `tfmtl training-job`: writes the manifest of a training on several machines."""

import pathlib
from typing import Any

import yaml
from rich.text import Text

from pipelines.kubeflow.training_job import training_job
from pipelines.output.invocation import present
from pipelines.settings_file import load_settings
from tfmtl.config import ConfigError


def write_training_job(settings: str, workers: int, out: str, **options: Any) -> None:
    """Writes the manifest, and prints its path.

    Args:
        settings: File of the settings.
        workers: Number of machines.
        out: File to write.
        **options: Other arguments of `pipelines.kubeflow.training_job.training_job`.

    Raises:
        ConfigError: If the settings, the file or another option is wrong.
    """
    path = pathlib.Path(out)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--out should end in .yaml. Received: {path.name}")
    job = training_job(load_settings(settings), workers=workers, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(job, sort_keys=False, width=10**6), encoding="utf-8")
    present({"workers": workers, "path": path}, Text(f"training of {workers} workers -> {path}", no_wrap=True))
