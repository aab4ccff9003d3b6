"""Models of papers with their training strategies, from the pipeline to the served model."""

import dataclasses
import glob
import json

import keras
import numpy as np
import pytest

from pipelines.pushing.destination import newest_version
from pipelines.runners.local import run_pipeline
from pipelines.settings_file import load_settings
from serving.client import TfmtlClient
from serving.export import describe
from serving.server import EmbeddedServer
from tests.pipelines.end_to_end.conftest import EXAMPLES
from tests.pipelines.scoring import graph_session_scores, read_examples

pytestmark = pytest.mark.slow
SMALL = {
    "man": {"embedding_dim": 4, "num_shared": 1, "num_per_task": 1, "expert_units": [16], "tower_units": [8]},
    "apem": {"embedding_dim": 4, "num_layers": 2, "num_points": 4, "tower_units": [8]},
    "adaftr": {"embedding_dim": 4, "backbone_options": {"num_experts": 2, "expert_units": [16], "tower_units": [8, 4]}},
}


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_the_model_of_the_example_is_trained_and_served(end_to_end, name):
    """The model is a smaller version of the example's; log, spec and thresholds are those of the shared run."""
    example = load_settings(EXAMPLES / f"{name}.yaml")
    options = {**example.model.options, **SMALL[name]}
    settings = dataclasses.replace(
        end_to_end.settings,
        model=dataclasses.replace(example.model, options=options),
        training=dataclasses.replace(example.training, max_epochs=1, batch_size=256),
    )
    run = run_pipeline(settings, end_to_end.paths)
    assert run.steps["Transform"].cached
    assert run.blessed
    assert run.pushed_version
    base = end_to_end.paths.serving("demo")
    pushed = newest_version(str(base))
    assert describe(pushed)["model"].lower() == name

    examples = read_examples(end_to_end, "test")[:32]
    session = graph_session_scores(pushed, "serving_default", {"examples": examples})
    with EmbeddedServer({"demo": base}) as server, TfmtlClient(server.address, "demo") as client:
        served = client.predict_examples(examples)
    assert set(session) == {"ctr", "cvr", "ctcvr"}
    for output, scores in session.items():
        assert np.all((scores > 0) & (scores < 1))
        np.testing.assert_allclose(served[output], scores, atol=1e-6)

    folder = run.uri("Trainer", "model_run")
    keras.models.load_model(glob.glob(f"{folder}/**/model.keras", recursive=True)[0])
    with open(glob.glob(f"{folder}/**/history.json", recursive=True)[0], encoding="utf-8") as file:
        history = json.load(file)
    assert set(history) == {"stage_1", "stage_2"} if name == "man" else "val_loss" in history
