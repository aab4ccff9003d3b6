"""From the settings of a comparison to what is trained: each model's options and training, checked."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.fitters import fitter_of
from pipelines.compare.metrics.evaluate import HIGHER_IS_BETTER
from pipelines.compare.plan.search_space import OPTIONS, TRAINING, Space, extremes, put
from pipelines.compare.plan.settings import CompareSettings, ModelEntry, path_of_base
from pipelines.settings import Settings, TrainingSettings, load_settings
from tfmtl import config
from tfmtl.config import Document, FieldError, to_plain
from tfmtl.models import model_class
from tfmtl.spec import DatasetSpec

Plain = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One row of the table: what is trained with every seed.

    Attributes:
        row: its name in the table.
        model: its name among the fitters or models.
        options: as plain data.
        training: as plain data, without the seed; empty of what is no network.
        space: what is searched.
    """

    row: str
    model: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    space: Space


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A comparison, checked.

    Attributes:
        settings: as they were written.
        base: the experiment that it rests on, with the comparison's simulator and monitor.
        candidates: in the order of the settings.
    """

    settings: CompareSettings
    base: Settings
    candidates: tuple[Candidate, ...]

    @property
    def spec(self) -> DatasetSpec:
        """Of the data set."""
        return self.base.spec

    @property
    def monitor(self) -> str:
        """The validation metric by which everything is judged."""
        return self.base.training.monitor


def load_comparison(
    path: str | pathlib.Path, *, data: str | None = None, seeds: tuple[int, ...] | None = None
) -> Comparison:
    """The comparison in a YAML file; `data` replaces the log's path, and `seeds` the seeds.

    Raises:
        ConfigError: naming file, line and field, if anything is unknown, missing or wrong: a model's options, its
            training and every value of its space included.
    """
    document = config.read_yaml(path)
    settings: CompareSettings = config.build(CompareSettings, document)
    if seeds:
        try:
            settings = dataclasses.replace(settings, seeds=tuple(seeds))
        except FieldError as error:
            raise document.error(error.path, error.message) from error
    base = _base(settings, document, load_settings(path_of_base(path, settings.base), data=data))
    _check_claims(settings, document, base.spec)
    shared = {"embedding_dim": base.model.options.get("embedding_dim"), **settings.options}
    shared = {name: value for name, value in shared.items() if value is not None}
    resolver = _Resolver(document, base, shared, {**to_plain(base.training), **settings.training})
    return Comparison(settings, base, tuple(resolver.candidate(row, entry) for row, entry in settings.models.items()))


def _check_claims(settings: CompareSettings, document: Document, spec: DatasetSpec) -> None:
    outputs = tuple(output.name for output in spec.outputs)
    for i, claim in enumerate(settings.claims):
        for field, value, known in (("output", claim.output, outputs), ("metric", claim.metric, HIGHER_IS_BETTER)):
            if value is not None and value not in known:
                raise document.error(("claims", i, field), f"should be one of {', '.join(known)}. Received: {value!r}")


def _base(settings: CompareSettings, document: Document, base: Settings) -> Settings:
    """The base with the comparison's monitor, training and simulator."""
    training = {**to_plain(base.training), **settings.training}
    built = _built(TrainingSettings, training, ("training",), document)
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
            received = f"should be left out: {settings.base} has none. Received: {settings.simulator}"
            raise document.error(("simulator",), received)
        plain = {**to_plain(base.simulator), **settings.simulator}
        base = dataclasses.replace(base, simulator=_built(type(base.simulator), plain, ("simulator",), document))
    return base


@dataclasses.dataclass(frozen=True)
class _Resolver:
    document: Document
    base: Settings
    options: Mapping[str, Any]
    training: Mapping[str, Any]

    def candidate(self, row: str, entry: ModelEntry) -> Candidate:
        model = entry.name or row
        network = fitter_of(model).network
        self._check_shared(model, network)
        options = {**self._preset(row, model, entry.preset), **(self.options if network else {}), **entry.options}
        training = {**self.training, **entry.training}
        fields = [*entry.training, *(name for name in entry.space if name.startswith(f"{TRAINING}."))]
        if fields and not network:
            message = f"should have no field of training, for {model} is no network. Received: {fields[0]}"
            raise self.document.error(("models", row), message)
        self._check(row, model, options, training)
        for name, dimension in entry.space.items():
            for value in extremes(dimension):
                drawn = {name: value}
                try:
                    self._check(row, model, put(options, drawn, OPTIONS), put(training, drawn, TRAINING))
                except config.ConfigError as error:
                    path = ("models", row, "space", name)
                    raise self.document.error(
                        path, f"should hold good values. Received: {value!r} ({error})"
                    ) from error
        return Candidate(row, model, options, self._plain(training) if network else {}, entry.space)

    def _preset(self, row: str, model: str, name: str | None) -> Plain:
        if name is None:
            return {}
        path = ("models", row, "preset")
        if not fitter_of(model).network:
            raise self.document.error(path, f"should be left out, for {model} has none. Received: {name!r}")
        try:
            return to_plain(model_class(model).preset(name))
        except ValueError as error:
            raise self.document.error(path, f"should {str(error).partition(' should ')[2]}") from error

    def _plain(self, training: Mapping[str, Any]) -> Plain:
        """The training of a candidate, with the monitor of all, as plain data without seed."""
        plain = with_monitor({**training, "monitor": self.base.training.monitor})
        plain.pop("seed", None)
        return to_plain(plain)

    def _check_shared(self, model: str, network: bool) -> None:
        given = {name: value for name, value in self.options.items() if name in self.document.data.get("options", {})}
        if network:
            _built(model_class(model).options_class, given, ("options",), self.document)

    def _check(self, row: str, model: str, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        path = ("models", row)
        built = _built(fitter_of(model).options_class_of(model), options, (*path, "options"), self.document)
        try:
            built.check_tasks(self.base.spec)
        except FieldError as error:
            raise self.document.error((*path, "options", *error.path), error.message) from error
        _built(TrainingSettings, training, (*path, "training"), self.document)


def with_monitor(training: Mapping[str, Any]) -> Plain:
    """The training with its own monitor in its second stage, too, if it has one."""
    stage = training.get("fine_tuning")
    return dict(training) if stage is None else {**training, "fine_tuning": {**stage, "monitor": training["monitor"]}}


def _built(kind: Any, plain: Mapping[str, Any], path: config.Path, document: Document) -> Any:
    """The dataclass of plain data that stands at `path` of a document, though not all of it does."""
    data: Any = plain
    for part in reversed(path):
        data = {part: data}
    return config.build(kind, dataclasses.replace(document, data=data), path)
