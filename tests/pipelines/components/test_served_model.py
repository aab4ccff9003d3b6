"""Look-up of models at the push destination: the served one, its log, and the one that a training starts from."""

import pytest
from tfx.types import standard_artifacts

from pipelines.components.cluster_example_gen import CONTINUED, FINGERPRINT
from pipelines.components.empty_artifact import present
from pipelines.components.served_model import (
    ACCEPTED_EXAMPLES,
    ACCEPTED_STATISTICS,
    BASELINE,
    START,
    ServedModelExecutor,
)
from pipelines.pushing.model_record import ModelRecord, write_record
from pipelines.pushing.push import push
from tests.pipelines.pushing.test_push import write_model
from transforms.storage.files import files_below, write_text

TYPES = {
    BASELINE: standard_artifacts.Model,
    START: standard_artifacts.Model,
    ACCEPTED_STATISTICS: standard_artifacts.ExampleStatistics,
    ACCEPTED_EXAMPLES: standard_artifacts.Examples,
}


@pytest.fixture
def destination(tmp_path):
    """Returns a destination to which the models of two days were pushed, of which the second is served."""
    base = str(tmp_path / "root" / "serving")
    for span, name in enumerate("ab", start=1):
        model = write_model(tmp_path / f"model_{name}", name)
        write_text(f"{tmp_path}/files/{name}", name)
        files = {f"{folder}/{name}": f"{tmp_path}/files/{name}" for folder in ("model_run", "statistics", "log")}
        write_record(base, ModelRecord(name, "spec", span, f"log {name}", "now", {}, []), files)
        push(model, base)
    return base


def look_up(folder, destination, span=0, log="", continued="", **parameters):
    examples = standard_artifacts.Examples()
    examples.set_int_custom_property("span", span)
    examples.set_string_custom_property(FINGERPRINT, log)
    examples.set_string_custom_property(CONTINUED, continued)
    outputs = {name: [kind()] for name, kind in TYPES.items()}
    for name, (artifact,) in outputs.items():
        artifact.uri = str(folder / "outputs" / name)
    given = {"destination": destination, "has_spans": 1, "warm_start": 1, **parameters}
    ServedModelExecutor().Do({"examples": [examples]}, outputs, given)
    return {name: artifact for name, (artifact,) in outputs.items()}


def test_the_served_model_and_its_log(tmp_path, destination):
    found = look_up(tmp_path, "{root}/serving", span=3, root=str(tmp_path / "root"))
    assert "Format-Serving/saved_model.pb" in files_below(found[BASELINE].uri)
    assert files_below(found[ACCEPTED_STATISTICS].uri) == files_below(found[ACCEPTED_EXAMPLES].uri) == ["b"]
    assert present(found.values()) == list(found.values())


@pytest.mark.parametrize(
    ("run", "start"),
    [
        ({"span": 3}, ["model_run/b"]),
        ({"span": 2}, ["model_run/a"]),
        ({"span": 1}, []),
        ({"span": 3, "continued": "a"}, ["model_run/a"]),
        ({"span": 3, "warm_start": 0}, []),
        ({"has_spans": 0, "log": "log c"}, ["model_run/b"]),
        ({"has_spans": 0, "log": "log b"}, ["model_run/a"]),
    ],
)
def test_a_training_starts_from_the_newest_model_of_other_data(tmp_path, destination, run, start):
    """With growing vocabularies, it is the model whose vocabularies the examples continue."""
    found = look_up(tmp_path, destination, **run)[START]
    assert files_below(found.uri) == start
    assert present([found]) == ([found] if start else [])


def test_without_models_all_outputs_are_empty(tmp_path):
    found = look_up(tmp_path, str(tmp_path / "nothing"))
    assert [files_below(one.uri) for one in found.values()] == [[], [], [], []]
    assert present(found.values()) == []
