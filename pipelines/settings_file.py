"""Settings files: YAML text to validated settings, with the sections of a base file."""

import dataclasses
import pathlib

from pipelines.settings import ModelSettings, Settings
from tfmtl import config
from tfmtl.config import FieldError
from tfmtl.models import MODELS
from tfmtl.spec import ENTIRE, DatasetSpec


def load_settings(path: str | pathlib.Path, *, data: str | None = None) -> Settings:
    """Loads settings from a YAML file.

    A file may name another one as its `base`, by a path relative to its own folder. It then inherits the sections that
    it does not have itself. Options of the model that the file does not give are those of its preset, and the monitor
    that it does not give is `main_metric`.

    Args:
        path: Path of the file.
        data: Path of the raw log, which replaces that of the file.

    Returns:
        The validated settings.

    Raises:
        ConfigError: If a field is unknown, missing or wrong, the model's options included. The message gives file,
            line and field.
    """
    document = read_document(path)
    settings: Settings = config.build(Settings, document)
    settings = dataclasses.replace(settings, model=_resolved_model(settings, document))
    if "monitor" not in (document.data.get("training") or {}):
        training = dataclasses.replace(settings.training, monitor=main_metric(settings.spec))
        settings = dataclasses.replace(settings, training=training)
    if data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(data)))
    return settings


def main_metric(spec: DatasetSpec) -> str:
    """Returns the metric that is monitored by default: the AUC of the last binary task over all rows, or the loss.

    It is the loss if there is no binary task, or if there is a value, which the AUC of another task does not judge.

    Args:
        spec: Tasks of the dataset.
    """
    binary = [o.name for o in spec.outputs if o.space == ENTIRE and spec.task(o.task).kind == "binary"]
    has_values = any(task.kind == "value" for task in spec.tasks)
    return f"{binary[-1]}_auc" if binary and not has_values else "loss"


def _resolved_model(settings: Settings, document: config.Document) -> ModelSettings:
    """Returns the model with all options that differ from the defaults of its class, validated."""
    model, path = settings.model, ("model", "options")
    info = MODELS.info(model.name)
    if "options" in document.data["model"]:
        config.build(info.options_class, document, path)
    merged = info.options(model.preset, model.options)
    data = {**document.data, "model": {**document.data["model"], "options": merged}}
    options = config.build(info.options_class, dataclasses.replace(document, data=data), path)
    try:
        options.check_tasks(settings.spec)
    except FieldError as error:
        raise document.error((*path, *error.path), error.message) from error
    return dataclasses.replace(model, options=merged)


def read_document(path: str | pathlib.Path) -> config.Document:
    """Reads a settings file, with the sections of its base that it does not have, without validating it.

    Args:
        path: Path of the file.

    Raises:
        ConfigError: If the file, or its base, cannot be read or is not valid YAML.
    """
    return _with_base(config.read_yaml(path))


def _with_base(document: config.Document) -> config.Document:
    """Returns a document with the sections of its base that it does not have."""
    base = document.data.get("base") if isinstance(document.data, dict) else None
    if base is None:
        return document
    if not isinstance(base, str):
        raise document.error(("base",), f"should be the path of another settings file. Received: {base!r}")
    below = _with_base(config.read_yaml(pathlib.Path(document.source).parent / base))
    return config.overlay(document.without("base"), below)
