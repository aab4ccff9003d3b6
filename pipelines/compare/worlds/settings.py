"""Settings of a comparison over worlds: simulated logs, the strengths of their premises, and the model of each."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.plan.candidates import Comparison, load_comparison
from tfmtl import config
from tfmtl.config import Document, require

KEY = "worlds"
"""Field that only the settings of a comparison over worlds have."""


@dataclasses.dataclass(frozen=True)
class World:
    """A simulated log with a premise, and the model whose advantage depends on it.

    Attributes:
        comparison: Path of the settings of a comparison, relative to this file, whose base has a simulator with a
            premise.
        row: Row of the model.
        output: Output whose metric is shown.
    """

    comparison: str
    row: str
    output: str


@dataclasses.dataclass(frozen=True)
class WorldsSettings:
    """Settings of a comparison over worlds.

    Attributes:
        name: Name of the comparison.
        worlds: Worlds by name.
        strengths: Strengths of the premises, from 0 to 1, in ascending order.
        tuned_at: Strength at which hyper-parameters are searched. The other strengths have those that it chooses.
        seeds: Seeds of the runs; by default those of each comparison.
    """

    name: str
    worlds: Mapping[str, World]
    strengths: tuple[float, ...] = (0.0, 0.5, 1.0)
    tuned_at: float = 1.0
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.worlds), "worlds", "at least one", dict(self.worlds))
        ascending = list(self.strengths) == sorted(set(self.strengths)) and len(self.strengths) >= 2
        inside = all(0 <= strength <= 1 for strength in self.strengths)
        expected = "two or more numbers from 0 to 1 in ascending order"
        require(ascending and inside, "strengths", expected, list(self.strengths))
        expected = f"one of the strengths, {', '.join(map(str, self.strengths))}"
        require(self.tuned_at in self.strengths, "tuned_at", expected, self.tuned_at)


@dataclasses.dataclass(frozen=True)
class WorldsPlan:
    """A validated comparison over worlds.

    Attributes:
        settings: Its settings.
        comparisons: The comparison of each world and strength.
    """

    settings: WorldsSettings
    comparisons: Mapping[tuple[str, float], Comparison]

    def strengths(self) -> tuple[float, ...]:
        """Returns the strengths in the order in which they are run: first the one with the search."""
        others = (strength for strength in self.settings.strengths if strength != self.settings.tuned_at)
        return (self.settings.tuned_at, *others)


def is_worlds_file(path: str | pathlib.Path) -> bool:
    """Returns whether a settings file describes a comparison over worlds.

    Args:
        path: YAML file.
    """
    return KEY in config.read_yaml(path).data


def load_worlds(
    path: str | pathlib.Path, *, seeds: tuple[int, ...] | None = None, jobs: int | None = None
) -> WorldsPlan:
    """Loads and validates a comparison over worlds.

    Args:
        path: YAML file.
        seeds: Seeds, which override those of the settings.
        jobs: Number of runs at a time, which overrides that of the comparisons.

    Raises:
        ConfigError: If a field is unknown, missing or invalid, or a world's base has no premise; the message names
            file, line and field.
    """
    document = config.read_yaml(path)
    settings: WorldsSettings = config.build(WorldsSettings, document)
    comparisons: dict[tuple[str, float], Comparison] = {}
    for name, world in settings.worlds.items():
        source = pathlib.Path(path).parent / world.comparison
        loaded = load_comparison(source, seeds=seeds or settings.seeds or None, jobs=jobs)
        _check(document, name, world, loaded)
        for strength in settings.strengths:
            comparisons[name, strength] = _at_strength(loaded, strength, settings.tuned_at)
    return WorldsPlan(settings, comparisons)


def _check(document: Document, name: str, world: World, comparison: Comparison) -> None:
    path = (KEY, name)
    if getattr(comparison.base.simulator, "premise", None) is None:
        message = f"should name a comparison whose base has `simulator.premise`. Received: {world.comparison!r}"
        raise document.error((*path, "comparison"), message)
    settings = comparison.settings
    if world.row not in settings.tested:
        expected = f"one of the rows that are tested against baselines: {', '.join(settings.tested) or 'there is none'}"
        raise document.error((*path, "row"), f"should be {expected}. Received: {world.row!r}")
    outputs = [output.name for output in comparison.spec.outputs]
    if world.output not in outputs:
        expected = f"one of {', '.join(outputs)}"
        raise document.error((*path, "output"), f"should be {expected}. Received: {world.output!r}")


def _at_strength(comparison: Comparison, strength: float, tuned_at: float) -> Comparison:
    simulator: Any = comparison.base.simulator
    premise = dataclasses.replace(simulator.premise, strength=strength)
    base = dataclasses.replace(comparison.base, simulator=dataclasses.replace(simulator, premise=premise))
    settings = comparison.settings
    if strength != tuned_at:
        settings = dataclasses.replace(settings, trials=0)
    return dataclasses.replace(comparison, base=base, settings=settings)
