"""Run of the whole pipeline on a small simulated log with invalid lines, shared by the tests of this folder."""

import dataclasses
import pathlib

import pytest

from pipelines.runners.lineage import Run
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import Settings
from pipelines.settings_file import load_settings
from transforms.simulation.simulator import simulate

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
ROWS = 12_000
BAD_LINES = {
    "1,2,search\n": "wrong_column_count",
    "u1,i1,search,c1,f,c1,c1,s1,3,1.0,2.0,3.0,a|b,1|1,maybe,0\n": "invalid_label",
    "u1,i1,search,c1,f,c1,c1,s1,3,1.0,2.0,3.0,a|b,1|1,2,0\n": "invalid_label",
    "u1,i1,search,c1,f,c1,c1,s1,3,1.0,2.0,3.0,a|b,1|1,0,1\n": "broken_chain",
    "u1,i1,search,c1,f,c1,c1,s1,3,much,2.0,3.0,a|b,1|1,0,0\n": "not_a_number",
    "u1,i1,search,c1,f,c1,c1,s1,3,1.0,2.0,3.0,a|b,1|x,0,0\n": "invalid_weights",
    "u1,i1,,c1,f,c1,c1,s1,3,1.0,2.0,3.0,a|b,1|1,0,0\n": "missing_required",
}


@dataclasses.dataclass(frozen=True)
class EndToEnd:
    """A finished run, its settings and its paths."""

    settings: Settings
    data: pathlib.Path
    paths: RunPaths
    run: Run
    bad_lines: dict[int, str]


def small_settings(data: pathlib.Path) -> Settings:
    """Returns the demonstration's settings with a narrow model, two epochs, and thresholds for 12,000 rows."""
    settings = load_settings(EXAMPLES / "demo.yaml", data=str(data))
    options = {"embedding_dim": 4, "num_experts": 2, "expert_units": [16], "tower_units": [8]}
    options |= {"calibration": {"click": "platt"}}
    loose = dataclasses.replace(settings.thresholds["ctr"], min_auc=0.5, calibration=(0.3, 3.0), max_auc_drop=0.2)
    return dataclasses.replace(
        settings,
        model=dataclasses.replace(settings.model, options=options),
        training=dataclasses.replace(settings.training, max_epochs=2, batch_size=256),
        thresholds={"ctr": loose, "cvr": None, "ctcvr": None},
    )


@pytest.fixture(scope="session")
def end_to_end(tmp_path_factory) -> EndToEnd:
    root = tmp_path_factory.mktemp("end_to_end")
    data = root / "data"
    settings = small_settings(data)
    simulate(settings.spec, dataclasses.replace(settings.simulator, rows=ROWS), data)
    log = data / "impressions.csv"
    first = sum(1 for _ in log.open()) + 1
    with log.open("a") as file:
        file.writelines(BAD_LINES)
    paths = RunPaths(root / "run")
    run = run_pipeline(settings, paths)
    bad = dict(zip(range(first, first + len(BAD_LINES)), BAD_LINES.values(), strict=True))
    return EndToEnd(settings, data, paths, run, bad)
