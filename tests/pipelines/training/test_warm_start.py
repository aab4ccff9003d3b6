"""Warm start over two days of a log, with Transform and the Trainer's `run_fn`."""

import contextlib
import io
import json
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from pipelines.pipeline import create_pipeline
from pipelines.settings import Settings
from pipelines.training import trainer
from pipelines.training.health import read_health
from pipelines.training.warm_start import fingerprint, read_model_run_path, start_folder
from pipelines.training_settings import TrainingSettings
from tests.pipelines.training.day_log import MODEL, SPEC, train
from tfmtl import config
from tfmtl.health import health_lines
from tfmtl.training.vocabularies import read_vocabularies

NO_CHANGE = 1e-30
"""Learning rate that changes no weight."""


@pytest.fixture(scope="module")
def first(days, tmp_path_factory):
    """The model of the first day, which is to start from the latest model although there is none, and the output."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        run = train(days[0], tmp_path_factory.mktemp("trained"), learning_rate=0.05, max_epochs=2, warm_start="latest")
    run.output = output.getvalue()
    return run


def test_steps_of_a_schedule_are_planned(days, monkeypatch, tmp_path):
    """400 rows in batches of 64 are 7 steps an epoch."""

    class Model:
        @staticmethod
        def from_spec(spec, sizes, **options):
            raise KeyError(options["gamma_steps"])

    monkeypatch.setattr(trainer, "model_class", lambda name: Model)
    with pytest.raises(KeyError, match=r"^21$"):
        train(days[0], tmp_path, model={"name": "apem", "options": {}}, max_epochs=3)


def test_the_choice_of_the_tuner_replaces_the_model_and_the_training_of_the_settings(days, monkeypatch, tmp_path):
    class Model:
        @staticmethod
        def from_spec(spec, sizes, **options):
            raise KeyError(options)

    asked = []
    monkeypatch.setattr(trainer, "model_class", lambda name: asked.append(name) or Model)
    chosen = {"name": "apem", "preset": None, "options": {"num_points": 3}}
    best = {"model": chosen, "training": {"max_epochs": 2, "batch_size": 50}, "trial": 4}
    with pytest.raises(KeyError) as caught:
        train(days[0], tmp_path, hyperparameters=best, max_epochs=3)
    assert asked == ["apem"]
    assert caught.value.args[0] == {"num_points": 3, "gamma_steps": 16}  # 400 rows in batches of 50, two epochs.


def scores(run_dir, day, examples):
    return keras.saving.load_model(f"{run_dir}/model.keras").score(day.features(examples))


def assert_same_scores(first, second, days):
    """Asserts that on the second day, rows with users of the first day have the scores of the first model."""
    vocabularies = [read_vocabularies(run.model_run_dir) for run in (first, second)]
    assert vocabularies[0]["user"] != vocabularies[1]["user"]
    for name in ("tags", "history"):
        assert set(vocabularies[0][name]) == set(vocabularies[1][name])
    known = set(vocabularies[0]["user"])
    users = [tf.train.Example.FromString(one).features.feature["user"].bytes_list.value[0] for one in days[1].examples]
    old = np.array([user in known for user in users])
    assert 50 < old.sum() < 350
    before = scores(first.model_run_dir, days[0], days[1].examples)
    after = scores(second.model_run_dir, days[1], days[1].examples)
    for output, values in before.items():
        np.testing.assert_allclose(after[output][old], values[old], atol=1e-6)
        assert np.mean(np.abs(after[output][~old] - values[~old])) > 1e-4


def test_a_run_writes_model_vocabularies_and_history(days, first):
    read = read_vocabularies(first.model_run_dir)
    output = tft.TFTransformOutput(days[0].graph)
    assert read == {name: output.vocabulary_by_name(name) for name in ("user", "tags", "history")}
    assert read_model_run_path(first.serving_model_dir) == first.model_run_dir
    with open(f"{first.model_run_dir}/history.json", encoding="utf-8") as file:
        history = json.load(file)
    assert len(history["input_wait"]) == 2
    assert all(0 <= share <= 1 for share in history["input_wait"])


def test_a_run_prints_and_writes_the_health_of_the_model(first):
    healths = read_health(first.model_run_dir)
    assert {one.mechanism for one in healths} == {"gate of click", "gate of buy"}
    assert "".join(f"    {line}\n" for line in health_lines(healths)) in first.output
    assert first.output.index("epoch 2/2") < first.output.index("gate of click: entropy ")


def test_starts_from_the_model_in_a_folder(days, first, tmp_path, capsys):
    second = train(days[1], tmp_path, learning_rate=NO_CHANGE, warm_start=first.model_run_dir)
    assert_same_scores(first, second, days)
    lines = capsys.readouterr().out.splitlines()
    assert f"    warm start from {first.model_run_dir}" in lines
    user = next(line.split() for line in lines if line.split()[:1] == ["user"])
    old, new = (set(read_vocabularies(run.model_run_dir)["user"]) for run in (first, second))
    assert user == ["user", f"{len(old & new)}", "kept", f"{len(new - old)}", "new", f"{len(old - new)}", "removed"]


def test_starts_from_a_model_whose_file_names_former_modules(days, first, tmp_path):
    """Files of earlier versions name modules that have moved; Keras finds classes by their registered names."""
    former = tmp_path / "former"
    shutil.copytree(first.model_run_dir, former)
    rewrite_config(former / "model.keras", '"module": "tfmtl.', '"module": "former.')
    second = train(days[1], tmp_path / "second", learning_rate=NO_CHANGE, warm_start=str(former))
    assert_same_scores(first, second, days)


def rewrite_config(path, old, new):
    """Replaces a string in the configuration of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config_text = contents["config.json"].decode()
    assert old in config_text
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**contents, "config.json": config_text.replace(old, new).encode()}.items():
            archive.writestr(name, content)


def test_old_names_of_options_cause_no_warning_in_the_trainer(days, tmp_path):
    """`load_settings` has warned about them before, with file and line."""
    model = {**MODEL, "options": {**MODEL["options"], "space": "previous", "max_importance": 50.0}}
    with warnings.catch_warnings():
        warnings.simplefilter("error", config.RenamedWarning)
        run = train(days[0], tmp_path, model=model)
    trained = keras.saving.load_model(f"{run.model_run_dir}/model.keras", compile=False)
    assert (trained.options.space, trained.options.max_weight) == ("conditional", 50.0)


def test_latest_starts_from_the_blessed_model(first):
    assert start_folder("latest", first.serving_model_dir) == first.model_run_dir
    assert start_folder("latest", None) is None
    assert start_folder(None, first.serving_model_dir) is None


def trained_model(run):
    return keras.saving.load_model(f"{run.model_run_dir}/model.keras")


@pytest.mark.long
def test_with_keep_days_the_optimizer_continues(days, first, tmp_path):
    """400 rows in batches of 64 are 7 steps an epoch, of which the first day has two."""
    options = {"schedule": "cosine", "learning_rate": 0.05, "warm_start": "latest", "keep_days": 5}
    second = train(days[1], tmp_path, first.serving_model_dir, **options)
    assert [int(trained_model(run).optimizer.iterations) for run in (first, second)] == [14, 21]
    # The schedule begins anew. Of an epoch that begins at step 14 of 7, the learning rate would be 0.
    old, new = (trained_model(run).embedding.table for run in (first, second))
    assert np.mean(np.abs(np.array(new)[-5:] - np.array(old)[-5:])) > 1e-3


def test_without_keep_days_the_optimizer_is_new(days, first, tmp_path, capsys):
    second = train(days[1], tmp_path, first.serving_model_dir, warm_start="latest")
    assert int(trained_model(second).optimizer.iterations) == 7
    assert "optimizer" not in capsys.readouterr().out


@pytest.mark.long
def test_an_optimizer_of_another_kind_is_new(days, first, tmp_path, capsys):
    options = {"warm_start": "latest", "keep_days": 5, "optimizer": {"kind": "adagrad"}}
    second = train(days[1], tmp_path, first.serving_model_dir, **options)
    assert int(trained_model(second).optimizer.iterations) == 7
    expected = "new optimizer: to continue, that of the model should be RowSparseAdagrad. Received: RowSparseAdam"
    assert expected in capsys.readouterr().out


def test_latest_without_a_blessed_model_starts_from_random_weights(first):
    assert "training starts from random weights" in first.output
    assert "warm start from" not in first.output


def test_rejects_a_folder_without_a_model(days, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"training\.warm_start should be a folder with a model\.keras"):
        train(days[0], tmp_path, warm_start=str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="should exist, as the Trainer of the model writes it"):
        train(days[0], tmp_path, str(tmp_path / "model" / "Format-Serving"), warm_start="latest")


def make_trainer(warm_start):
    """Returns the Trainer of a pipeline with that setting, and the names of all components."""
    training = TrainingSettings(warm_start=warm_start)
    model = config.build(Settings, config.Document({"name": "log", "spec": SPEC.to_dict(), "model": MODEL})).model
    pipeline = create_pipeline(Settings("log", SPEC, model, training=training), "root", "serving")
    components = {component.id: component for component in pipeline.components}
    return components["Trainer"], list(components)


def test_the_trainer_receives_the_latest_blessed_model():
    trainer, names = make_trainer("latest")
    assert "base_model" in trainer.inputs
    assert names.index("warm_start_model") < names.index("Trainer")
    trainer, names = make_trainer(None)
    assert "base_model" not in trainer.inputs
    assert "warm_start_model" not in names


def test_a_new_model_in_the_folder_changes_the_trainers_parameters(tmp_path):
    """TFX's cache compares the parameters of components, so they must change with the model."""

    def parameters(folder):
        return make_trainer(folder)[0].exec_properties["custom_config"]

    folder = str(tmp_path)
    assert fingerprint(None) == fingerprint("latest") == fingerprint(folder) == ""
    (tmp_path / "model.keras").write_bytes(b"one")
    one = parameters(folder)
    assert parameters(folder) == one
    (tmp_path / "model.keras").write_bytes(b"another")
    assert parameters(folder) != one
