"""The compiled pipeline under an emulation of Kubeflow's driver and launcher, with an S3-compatible store."""

import dataclasses
import os

import pandas as pd
import pytest

from pipelines.components.example_validator import FINDINGS
from pipelines.data_checks.anomalies import Findings
from pipelines.evaluation.records import GATES
from pipelines.gates.gate import gates_from_json
from pipelines.pushing.destination import is_complete, versions
from pipelines.pushing.model_record import served_model
from pipelines.settings_file import load_settings
from tests.pipelines.compiled import compile_demo
from tests.pipelines.kubeflow.launcher import Emulator
from tests.pipelines.kubeflow.small_settings import REPOSITORY, ROWS, write_settings
from tests.s3_server import BUCKET
from transforms.simulation.simulator import simulate
from transforms.storage import files

pytestmark = [pytest.mark.slow, pytest.mark.long]
STORE, DESTINATION = f"minio://{BUCKET}", f"minio://{BUCKET}/tfmtl/serving/demo"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory, s3):
    """Returns an emulator whose pipeline has run once, and the result."""
    folder = tmp_path_factory.mktemp("kubeflow")
    settings = load_settings(REPOSITORY / "examples" / "demo.yaml")
    simulate(settings.spec, dataclasses.replace(settings.simulator, rows=ROWS), folder / "log")
    files.copy_file(str(folder / "log" / "impressions.csv"), f"s3://{BUCKET}/log/impressions.csv")
    specification = compile_small(folder, write_settings(folder))
    emulator = Emulator.of(
        specification,
        root=f"{STORE}/artifacts",
        mounts=folder / "mounts",
        environment={**os.environ, **s3, "PYTHONPATH": str(REPOSITORY)},
    )
    return emulator, emulator.run("first")


def compile_small(folder, settings):
    return compile_demo(folder, settings, **{"--root": f"{STORE}/tfmtl", "--data": f"s3://{BUCKET}/log"})


def test_all_steps_run_to_a_pushed_model(emulator):
    emulated, result = emulator
    assert result == (None, 0), emulated.printed[result[0]]
    (folder,) = versions(DESTINATION).values()
    assert is_complete(folder)
    assert f"pushed version {folder.rpartition('/')[2]} -> {DESTINATION}" in emulated.printed["Pusher"][0]
    assert "served model: none in minio://" in emulated.printed["ServedModel"][0]
    assert read_findings(emulated.stored["ExampleValidator"]["anomalies"]).notes == (), "there is no log to compare"
    assert "finished after" in emulated.printed["Trainer"][0]
    assert "peak memory" in emulated.printed["Trainer"][0]


def test_a_worse_model_is_compared_with_the_served_one_and_ends_the_run_as_refused(emulator, tmp_path):
    emulated, _ = emulator
    served = served_model(DESTINATION)
    worse = Emulator.of(
        compile_small(tmp_path, write_settings(tmp_path, training={"learning_rate": 1e-6})),
        root=emulated.root,
        mounts=emulated.mounts,
        environment=emulated.environment,
    )
    worse.stored = dict(emulated.stored)
    assert worse.run("second", steps=["ServedModel", "Trainer", "Evaluator", "Pusher"]) == ("Pusher", 3)
    assert f"served model: {served}" in worse.printed["ServedModel"][0]
    (printed,) = worse.printed["Pusher"]
    assert "Error: The model was not pushed: " in printed
    assert "Traceback" not in printed
    gates = gates_from_json(files.read_text(f"{worse.stored['Evaluator']['evaluation']['uri']}/{GATES}"))
    (change,) = [gate for gate in gates if gate.name == "change of auc" and gate.output == "ctr" and not gate.slice]
    assert change.status == "failed"
    assert change.baseline > change.value + 0.01
    assert list(versions(DESTINATION).values()) == [served]


def test_a_log_that_drifts_from_that_of_the_served_model_ends_the_run_and_can_be_accepted(emulator, tmp_path):
    emulated, _ = emulator
    settings = load_settings(REPOSITORY / "examples" / "demo.yaml")
    simulate(settings.spec, dataclasses.replace(settings.simulator, rows=ROWS), tmp_path)
    rows = pd.read_csv(tmp_path / "impressions.csv", dtype=str)
    rows["price"] = (pd.to_numeric(rows["price"]) * 100).astype(str)
    rows.to_csv(tmp_path / "impressions.csv", index=False)
    steps = ["LogExampleGen", "ServedModel", "StatisticsGen", "SchemaGen", "ExampleValidator"]
    parameters = {"data": str(tmp_path / "impressions.csv")}
    assert emulated.run("cents", parameters, steps) == ("ExampleValidator", 4)
    printed = emulated.printed["ExampleValidator"][0]
    assert "Error: " in printed
    assert "price" in printed
    assert "Traceback" not in printed
    assert emulated.run("accepted", {**parameters, "anomalies": "accept"}, steps) == (None, 0)


def test_the_log_of_the_served_model_has_no_anomalies_against_itself(emulator):
    emulated, _ = emulator
    steps = ["LogExampleGen", "ServedModel", "StatisticsGen", "SchemaGen", "ExampleValidator"]
    assert emulated.run("same", steps=steps) == (None, 0), emulated.printed
    findings = read_findings(emulated.stored["ExampleValidator"]["anomalies"])
    assert findings == Findings()


def read_findings(artifact):
    return Findings.from_json(files.read_text(f"{artifact['uri']}/{FINDINGS}"))
