"""Plan of a search: settings, objective and space, all validated before anything is read or trained."""

import dataclasses
import functools
import hashlib
import json
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

from pipelines.search.declared import declared_space, given_values
from pipelines.search.proposals import Method
from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values
from pipelines.settings import Settings
from pipelines.settings_file import load_settings, read_document
from pipelines.training_settings import TrainingSettings
from tfmtl import config
from tfmtl.config import ConfigError, Document, FieldError, to_plain
from tfmtl.models import MODELS
from tfmtl.search_space import Space, values_to_validate


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """A validated search.

    Attributes:
        settings: Settings of the experiment; the monitor of the training is the objective of the search.
        document: The settings file, with the sections of its base.
        space: Hyper-parameters to search, by name.
        given: Values of the settings as they are, of the hyper-parameters that have one.
        method: Search method.
        seed: Seed of the search.
    """

    settings: Settings
    document: Document
    space: Space
    given: Mapping[str, Any]
    method: Method
    seed: int

    @property
    def objective(self) -> str:
        """Name of the metric on the eval split that is optimized."""
        return self.settings.training.monitor

    @property
    def maximize(self) -> bool:
        """True if the objective is to be maximized: if it is an AUC or a Gini coefficient, not a loss."""
        return not self.objective.endswith("loss")

    @property
    def options(self) -> dict[str, Any]:
        """Options of the model in the settings as they are, as plain data."""
        options: dict[str, Any] = to_plain(self.settings.model.options)
        return options

    @property
    def training(self) -> dict[str, Any]:
        """Training settings as they are, as plain data."""
        return plain_training(self.settings.training)

    def key(self, fingerprint: str) -> str:
        """Computes a hash of everything that determines the proposals and the metrics of a search but the code.

        Args:
            fingerprint: Fingerprint of the data.

        Returns:
            16 hexadecimal digits.
        """
        return hashlib.sha256(json.dumps(self.to_plain(fingerprint), sort_keys=True).encode()).hexdigest()[:16]

    def to_plain(self, fingerprint: str) -> dict[str, Any]:
        """Returns everything that determines the proposals and the metrics of a search but the code, as plain data.

        Args:
            fingerprint: Fingerprint of the data.
        """
        return {
            "data": fingerprint,
            "model": self.settings.model.name,
            "options": self.options,
            "training": self.training,
            "space": to_plain(self.space),
            "method": self.method,
            "seed": self.seed,
        }


def load_plan(
    path: str | pathlib.Path, *, data: str | None = None, method: Method = "bayesian", seed: int = 0
) -> SearchPlan:
    """Loads the settings of an experiment and plans the search of its hyper-parameters.

    Args:
        path: YAML file of the settings.
        data: Path of the raw log, which replaces that of the file.
        method: Search method.
        seed: Seed of the search.

    Raises:
        ConfigError: If a field is unknown, missing or invalid, or a value of the space that the settings give is not
            valid; the message names file, line and field.
    """
    return make_plan(load_settings(path, data=data), read_document(path), method, seed)


def make_plan(settings: Settings, document: Document, method: Method, seed: int) -> SearchPlan:
    """Plans the search of the hyper-parameters of settings.

    Args:
        settings: Settings of the experiment.
        document: Their document, for the positions of errors.
        method: Search method.
        seed: Seed of the search.

    Raises:
        ConfigError: If the training does not start from random weights, or a value of the space is not valid.
    """
    if settings.training.warm_start is not None:
        expected = "null, as every trial starts from random weights"
        raise document.error(
            ("training", "warm_start"), f"should be {expected}. Received: {settings.training.warm_start!r}"
        )
    options = _options(settings)
    model = dataclasses.replace(settings.model, options=to_plain(options))
    settings = dataclasses.replace(settings, model=model)
    if settings.tune.space:
        space = _given_space(settings, document)
    else:
        space = declared_space(options, settings.training, functools.partial(_check, settings))
    return SearchPlan(settings, document, space, given_values(space, options, settings.training), method, seed)


def plain_training(training: TrainingSettings) -> dict[str, Any]:
    """Returns training settings as plain data in which single options of the optimizer can be changed.

    Args:
        training: Training settings.
    """
    return {**to_plain(training), "optimizer": to_plain(training.optimizer)}


def _options(settings: Settings) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", config.RenamedWarning)  # `load_settings` has shown it.
        document = Document(dict(settings.model.options))
        return config.build(MODELS.info(settings.model.name).options_class, document)


def _given_space(settings: Settings, document: Document) -> Space:
    """Returns the space of the settings, each value of which is valid by itself."""
    for name, dimension in settings.tune.space.items():
        for value in values_to_validate(dimension):
            try:
                _check(settings, {name: value})
            except ConfigError as error:
                message = f"should hold valid values. Received: {value!r} ({error})"
                raise document.error(("tune", "space", name), message) from error
    return settings.tune.space


def _check(settings: Settings, values: Mapping[str, Any]) -> None:
    """Raises a `ConfigError` if settings with these values are not valid."""
    options = with_drawn_values(settings.model.options, values, OPTIONS)
    built = config.build(MODELS.info(settings.model.name).options_class, Document(options))
    try:
        built.check_tasks(settings.spec)
    except FieldError as error:
        raise ConfigError(str(error)) from error
    config.build(TrainingSettings, Document(with_drawn_values(plain_training(settings.training), values, TRAINING)))
