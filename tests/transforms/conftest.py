"""Fixtures: spec and simulator options of the demonstration, and small simulated logs."""

import dataclasses
import itertools
import pathlib

import pandas as pd
import pytest

from tfmtl.config import build, read_yaml
from tfmtl.spec import DatasetSpec
from transforms.simulation.log_writer import Simulation
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.simulator import simulate

DEMO = pathlib.Path(__file__).parents[2] / "examples" / "demo.yaml"


@dataclasses.dataclass(frozen=True)
class Log:
    """A simulated log.

    Attributes:
        spec: Spec of the log.
        options: Options of the simulator.
        files: Files that the simulator wrote.
        rows: Rows of the log.
        truth: True probabilities of the rows.
    """

    spec: DatasetSpec
    options: SimulatorOptions
    files: Simulation
    rows: pd.DataFrame
    truth: pd.DataFrame


def draw(spec: DatasetSpec, options: SimulatorOptions, folder: pathlib.Path) -> Log:
    """Simulates a log and reads it back with pandas."""
    files = simulate(spec, options, folder)
    return Log(spec, options, files, pd.read_csv(files.log), pd.read_csv(files.truth))


@pytest.fixture(scope="session")
def demo_spec() -> DatasetSpec:
    return build(DatasetSpec, read_yaml(DEMO), ("spec",))


@pytest.fixture(scope="session")
def demo_options() -> SimulatorOptions:
    return build(SimulatorOptions, read_yaml(DEMO), ("simulator",))


@pytest.fixture(scope="session")
def demo_log(demo_spec, demo_options, tmp_path_factory) -> Log:
    return draw(demo_spec, dataclasses.replace(demo_options, rows=100_000), tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def draw_into():
    """The function `draw`."""
    return draw


@pytest.fixture
def draw_log(tmp_path):
    """The function `draw` with a new folder at each call."""
    folders = (tmp_path / str(i) for i in itertools.count())
    return lambda spec, options: draw(spec, options, next(folders))
