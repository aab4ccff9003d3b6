"""The worlds of examples/worlds/, and the true logits of their rows."""

import dataclasses
import functools
import pathlib

import numpy as np
import pandas as pd

from tfmtl.config import build, read_yaml
from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Tokens
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.world import World

WORLDS = pathlib.Path(__file__).parents[4] / "examples" / "worlds"
NAMES = ("man", "apem", "adaftr")
ROWS = 30_000


def load(name, **changes):
    """Spec and simulator options of an example, with changed options of its premise."""
    document = read_yaml(WORLDS / f"{name}.yaml")
    spec, options = build(DatasetSpec, document, ("spec",)), build(SimulatorOptions, document, ("simulator",))
    return spec, dataclasses.replace(options, premise=dataclasses.replace(options.premise, **changes))


@functools.cache
def world(name, strength=1.0, **changes):
    """The world of an example with the given strength."""
    return World(*load(name, strength=strength, **changes))


@functools.cache
def rows(name, strength=1.0, **changes):
    """Codes of the features and logits of the tasks, in the columns `click` and `conversion`, of the first rows."""
    return frame(world(name, strength, **changes), ROWS)


def frame(made, count):
    """Codes of the features and logits of the tasks of a world's first rows."""
    drawn = made.rows(0, count)
    columns = {made.options.entities[scope].key: members for scope, members in drawn.members.items()}
    for scope, members in drawn.members.items():
        columns |= {column: codes(values)[members] for column, values in made.values[scope].items()}
    columns |= {column: codes(values) for column, values in drawn.values.items()}
    logits = {task: np.log(p / (1 - p)) for task, p in drawn.probabilities.items()}
    return pd.DataFrame({**columns, **logits, "position": drawn.position})


def codes(values):
    return values.codes[:, 0] if isinstance(values, Tokens) else values


def explained(logits, columns):
    """Share of the variance that an additive model of the columns' values explains, by least squares."""
    indicators = pd.get_dummies(columns.astype(str), dtype=float).to_numpy()
    design = np.column_stack([np.ones(len(logits)), indicators])
    residual = logits - design @ np.linalg.lstsq(design.T @ design, design.T @ logits, rcond=None)[0]
    return 1 - residual.var() / logits.var()
