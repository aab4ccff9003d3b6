"""Settings files: YAML text to validated settings, with the sections of a base file."""

import dataclasses
import pathlib

from pipelines.settings import Settings
from tfmtl import config
from tfmtl.config import FieldError
from tfmtl.models import MODELS


def load_settings(path: str | pathlib.Path, *, data: str | None = None) -> Settings:
    """Loads settings from a YAML file.

    A file may name another one as its `base`, by a path relative to its own folder. It then inherits the sections that
    it does not have itself.

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
    options_class = MODELS.info(settings.model.name).options_class
    given = "options" in document.data["model"]
    options = config.build(options_class, document, ("model", "options")) if given else options_class()
    try:
        options.check_tasks(settings.spec)
    except FieldError as error:
        raise document.error(("model", "options", *error.path), error.message) from error
    if data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(data)))
    return settings


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
