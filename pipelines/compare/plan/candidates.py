"""Rows of a comparison, resolved from its settings: options and training settings of each model, validated."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.fitters import fitter_of
from pipelines.compare.metrics.names import HIGHER_IS_BETTER
from pipelines.compare.plan.settings import CompareSettings, ModelEntry, base_path
from pipelines.raw_log import require_simulator
from pipelines.search.declared import Check, declared_space, given_values
from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from pipelines.training_settings import TrainingSettings
from tfmtl import config
from tfmtl.config import Document, FieldError, to_plain
from tfmtl.models import MODELS
from tfmtl.search_space import Space, values_to_validate
from tfmtl.spec import DatasetSpec

Plain = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One row of the table, which is trained with every seed.

    Attributes:
        row: Name of the row.
        model: Name of the model or other fitter.
        options: Options of the model, as plain data.
        training: Training settings without the seed, as plain data; empty for a model that is not a network.
        space: Hyper-parameters to search.
        given: Values of these settings, of the hyper-parameters of the space that have one.
    """

    row: str
    model: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    space: Space
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A validated comparison.

    Attributes:
        settings: Settings of the comparison.
        base: Settings of the experiment that the comparison uses, with the comparison's simulator and monitor.
        candidates: Rows of the table, in the order of the settings.
    """

    settings: CompareSettings
    base: Settings
    candidates: tuple[Candidate, ...]

    @property
    def spec(self) -> DatasetSpec:
        """Spec of the dataset."""
        return self.base.spec

    @property
    def monitor(self) -> str:
        """Validation metric for early stopping and trials."""
        return self.base.training.monitor

    def check_log(self) -> None:
        """Checks that the raw log exists, or can be simulated.

        Raises:
            FileNotFoundError: If the log does not exist and cannot be simulated.
            ConfigError: If the log does not fit the settings.
            LogError: If a file cannot be read, or lacks a column of the spec.
        """
        if self.base.data.path:
            from pipelines.log_check import check_log  # Imports pandas.

            check_log(self.base)
        else:
            require_simulator(self.base)


def load_comparison(
    path: str | pathlib.Path,
    *,
    data: str | None = None,
    seeds: tuple[int, ...] | None = None,
    jobs: int | None = None,
) -> Comparison:
    """Loads and validates a comparison.

    Args:
        path: YAML file of the comparison.
        data: Path of the raw log, which overrides that of the base's settings.
        seeds: Seeds, which override those of the settings.
        jobs: Number of runs at a time, which overrides that of the settings.

    Raises:
        ConfigError: If a field is unknown, missing or invalid, the options and training settings of each model and
            every value of its search space included; the message names file, line and field.
    """
    document = config.read_yaml(path)
    settings: CompareSettings = config.build(CompareSettings, document)
    if seeds or jobs:
        try:
            settings = dataclasses.replace(settings, seeds=tuple(seeds or settings.seeds), jobs=jobs or settings.jobs)
        except FieldError as error:
            raise document.error(error.path, error.message) from error
    base = _with_overrides(settings, document, load_settings(base_path(path, settings.base), data=data))
    _check_claims(settings, document, base.spec)
    shared = {"embedding_dim": base.model.options.get("embedding_dim"), **settings.options}
    shared = {name: value for name, value in shared.items() if value is not None}
    resolver = _Resolver(document, base, settings, shared, {**to_plain(base.training), **settings.training})
    return Comparison(settings, base, tuple(resolver.candidate(row, entry) for row, entry in settings.models.items()))


def with_monitor(training: Mapping[str, Any]) -> Plain:
    """Returns training settings whose second stage, if there is one, has the same monitor.

    Args:
        training: Training settings as plain data, with a monitor.
    """
    stage = training.get("fine_tuning")
    return dict(training) if stage is None else {**training, "fine_tuning": {**stage, "monitor": training["monitor"]}}


def _check_claims(settings: CompareSettings, document: Document, spec: DatasetSpec) -> None:
    outputs = tuple(output.name for output in spec.outputs)
    for i, claim in enumerate(settings.claims):
        for field, value, known in (("output", claim.output, outputs), ("metric", claim.metric, HIGHER_IS_BETTER)):
            if value is not None and value not in known:
                raise document.error(("claims", i, field), f"should be one of {', '.join(known)}. Received: {value!r}")


def _with_overrides(settings: CompareSettings, document: Document, base: Settings) -> Settings:
    """Returns the base with the training fields, the monitor and the simulator fields of the comparison."""
    training = {**to_plain(base.training), **settings.training}
    built = _build_at(TrainingSettings, training, ("training",), document)
    if built.warm_start is not None:
        raise document.error(("training", "warm_start"), f"should be null. Received: {built.warm_start!r}")
    if settings.monitor is not None:
        built = dataclasses.replace(built, monitor=settings.monitor)
    try:
        base = dataclasses.replace(base, training=built)
    except FieldError as error:
        raise document.error(("monitor",), error.message) from error
    if settings.simulator:
        if base.simulator is None:
            message = f"should be omitted, as {settings.base} has no simulator. Received: {settings.simulator}"
            raise document.error(("simulator",), message)
        plain = {**to_plain(base.simulator), **settings.simulator}
        base = dataclasses.replace(base, simulator=_build_at(type(base.simulator), plain, ("simulator",), document))
    return base


@dataclasses.dataclass(frozen=True)
class _Resolver:
    document: Document
    base: Settings
    settings: CompareSettings
    options: Mapping[str, Any]
    training: Mapping[str, Any]

    def candidate(self, row: str, entry: ModelEntry) -> Candidate:
        model = entry.name or row
        network = fitter_of(model).network
        if network:
            self._check_shared_options(model)
        options = self._options(row, model, entry)
        training = {**self.training, **entry.training}
        fields = [*entry.training, *(name for name in entry.space if name.startswith(f"{TRAINING}."))]
        if fields and not network:
            message = f"should have no training settings, as {model} is not a network. Received: {fields[0]}"
            raise self.document.error(("models", row), message)
        built_options, built_training = self._build(row, model, options, training)
        declaring_training = built_training if network else None
        whole_training = {**training, "optimizer": to_plain(built_training.optimizer)}

        def check(values: Mapping[str, Any]) -> None:
            drawn = with_drawn_values(options, values, OPTIONS), with_drawn_values(whole_training, values, TRAINING)
            self._build(row, model, *drawn)

        space: Space = entry.space
        self._check_space(row, space, check)
        if self.settings.trials and not space and fitter_of(model).tunable:
            declared = declared_space(built_options, declaring_training, check)
            space = {name: dimension for name, dimension in declared.items() if name not in self.settings.fixed}
        if any(name.startswith(f"{TRAINING}.optimizer.") for name in space):
            training = whole_training  # With the kind of the optimizer, which its drawn options need.
        given = given_values(space, built_options, declaring_training)
        return Candidate(row, model, options, self._plain_training(training) if network else {}, space, given)

    def _options(self, row: str, model: str, entry: ModelEntry) -> Plain:
        path: config.Path = ("models", row, "preset")
        if not fitter_of(model).network:
            if entry.preset is not None:
                message = f"should be omitted, as {model} has no presets. Received: {entry.preset!r}"
                raise self.document.error(path, message)
            return dict(entry.options)
        preset = self.settings.preset if entry.preset is None else entry.preset
        try:
            options: Plain = to_plain(MODELS.info(model).options(preset, {**self.options, **entry.options}))
        except ValueError as error:
            path = ("preset",) if entry.preset is None else path
            raise self.document.error(path, f"should {str(error).partition(' should ')[2]}") from error
        return options

    def _plain_training(self, training: Mapping[str, Any]) -> Plain:
        """Returns the training settings of a candidate with the comparison's monitor, without the seed."""
        plain = with_monitor({**training, "monitor": self.base.training.monitor})
        plain.pop("seed", None)
        result: Plain = to_plain(plain)
        return result

    def _check_shared_options(self, model: str) -> None:
        written = {name: value for name, value in self.options.items() if name in self.document.data.get("options", {})}
        _build_at(MODELS.info(model).options_class, written, ("options",), self.document)

    def _build(
        self, row: str, model: str, options: Mapping[str, Any], training: Mapping[str, Any]
    ) -> tuple[Any, TrainingSettings]:
        """Builds the options and training settings of a row, whose errors name file and line."""
        path = ("models", row)
        built = _build_at(fitter_of(model).options_class_of(model), options, (*path, "options"), self.document)
        try:
            built.check_tasks(self.base.spec)
        except FieldError as error:
            raise self.document.error((*path, "options", *error.path), error.message) from error
        return built, _build_at(TrainingSettings, training, (*path, "training"), self.document)

    def _check_space(self, row: str, space: Space, check: Check) -> None:
        for name, dimension in space.items():
            for value in values_to_validate(dimension):
                try:
                    check({name: value})
                except config.ConfigError as error:
                    message = f"should hold valid values. Received: {value!r} ({error})"
                    raise self.document.error(("models", row, "space", name), message) from error


def _build_at(kind: Any, plain: Mapping[str, Any], path: config.Path, document: Document) -> Any:
    """Builds a dataclass from plain data as if it stood at `path` of a document, whose lines errors then name."""
    data: Any = plain
    for part in reversed(path):
        data = {part: data}
    return config.build(kind, dataclasses.replace(document, data=data), path)
