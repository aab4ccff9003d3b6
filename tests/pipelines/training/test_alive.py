"""The mechanisms of the four papers' models are alive after a minute of training on a small simulated log."""

import dataclasses
import pathlib

import pytest

from pipelines.preparation import prepare, simulated_log
from pipelines.prepared.fit import train
from pipelines.settings_file import load_settings
from pipelines.training.health import measure_health
from tfmtl.health import Health
from tfmtl.models import APEM
from tfmtl.training import PlainOptions

pytestmark = pytest.mark.long
EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"


def prepared(example, rows, folder):
    """Returns the preprocessed log of an example with fewer rows."""
    settings = load_settings(EXAMPLES / example)
    settings = dataclasses.replace(settings, simulator=dataclasses.replace(settings.simulator, rows=rows))
    log = simulated_log(settings, folder / "log")
    return prepare(dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(log))), folder)


@pytest.fixture(scope="module")
def impressions(tmp_path_factory):
    return prepared("demo.yaml", 60_000, tmp_path_factory.mktemp("impressions"))


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    return prepared("m2m.yaml", 12_000, tmp_path_factory.mktemp("panels"))


def trained_health(example, data, options=None, **training) -> dict[tuple[str, str], Health]:
    """Returns the health of an example's model by kind and measure, the worst of each; training is plain."""
    settings = load_settings(EXAMPLES / example)
    changed = {
        "strategy": PlainOptions(),
        "fine_tuning": None,
        "schedule": "constant",
        "batch_size": 128,
        "patience": 9,
    }
    stage = dataclasses.replace(settings.training, **{**changed, **training})
    with train(settings.model.name, {**settings.model.options, **(options or {})}, stage, data) as trained:
        healths = measure_health(trained.model, trained.inputs, data.files("eval"))
    found: dict[tuple[str, str], Health] = {}
    for one in sorted(healths, key=lambda health: health.alive, reverse=True):
        found[one.kind, one.measure] = one  # A dead one comes last and stays.
    return found


def dead(found):
    return [health.sentence for health in found.values() if not health.alive]


def test_man(impressions):
    """Gates of CGC, and the attention between the tasks."""
    found = trained_health("man.yaml", impressions, max_epochs=3, learning_rate=0.02)
    assert {"gate", "task_attention"} == {kind for kind, _ in found}
    assert dead(found) == []


def test_m2m(panels):
    """Attention over the views, and the weights that the meta units generate."""
    found = trained_health("m2m.yaml", panels, max_epochs=4, learning_rate=0.006)
    assert {"meta_attention", "meta_unit"} == {kind for kind, _ in found}
    assert dead(found) == []


def test_adaftr(impressions):
    """Temperatures that differ by row, a contrast that trains the towers, and the gates of its backbone."""
    found = trained_health("adaftr.yaml", impressions, {"beta": 0.05}, max_epochs=3, learning_rate=0.01)
    assert {"gate", "temperature", "contrast"} == {kind for kind, _ in found}
    assert dead(found) == []


def test_apem(impressions):
    """Attention of the inducing points, and a representation that keeps the rows apart."""
    found = trained_health("apem.yaml", impressions, max_epochs=3, learning_rate=0.01)
    assert found["attention", "relative_entropy"].value < 0.9
    assert found["shared_representation", "effective_rank"].value > 10
    assert dead(found) == []


def test_apem_as_written_is_dead(impressions):
    """With the paper's literal form, attention stays uniform and the representation collapses."""
    sizes = APEM.preset("ali_ccp")
    written = {name: value for name, value in APEM.preset("as_written").items() if name not in sizes}
    found = trained_health("apem.yaml", impressions, written, max_epochs=3, learning_rate=0.01)
    assert found["attention", "relative_entropy"].value > 0.98
    assert found["shared_representation", "effective_rank"].value < 5
    assert dead(found) != []
