"""A week of a shop with growing vocabularies: tokens, rows and slots over days, repetitions and a clean-up."""

import dataclasses
import pathlib
import shutil

import keras
import numpy as np
import pytest

from pipelines.commands.clean import clean_folder
from pipelines.components.resolvers import RESOLVERS
from pipelines.gates.thresholds import Thresholds
from pipelines.runners.local import RunPaths, run_pipeline
from tests.pipelines.components.test_spans import make_settings
from tfmtl.training.vocabularies import read_vocabularies

pytestmark = [pytest.mark.slow, pytest.mark.long]
USERS = (("ann", "bob"), ("bob", "eve"), ("bob",), ("bob", "ann"), ("bob",), ("bob",), ("bob", "ann"))
"""Users by day: with three days, ann is absent on the second and third and returns on the fourth."""
VOCABULARIES = ({"ann", "bob"}, {"ann", "bob", "eve"}, {"ann", "bob", "eve"}, {"ann", "bob", "eve"}, {"ann", "bob"})
"""Vocabularies of the first days, with three days: eve is dropped on the fifth."""


def write_day(log, number, users):
    rng = np.random.default_rng(number)
    prices = rng.exponential(20, 400).round(2)
    clicked = ((prices > 14) ^ (rng.random(400) < 0.1)).astype(int)
    rows = [f"{number}-{i},{users[i % len(users)]},{prices[i]},{i % 5},,,{clicked[i]}" for i in range(400)]
    path = log / f"day=2026-11-{10 + number}/part-0.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(["row,user,price,tags,rare,never,clicked", *rows]) + "\n")


def run_day(folder, root="run", keep_days=3):
    settings = make_settings(folder, spans=1)
    training = dataclasses.replace(
        settings.training, warm_start="latest", keep_days=keep_days, max_epochs=1, batch_size=32
    )
    loose = Thresholds(min_auc=0.0, calibration=(0.01, 100.0), max_auc_drop=1.0, min_rows=10, min_positives=3)
    checks = dataclasses.replace(settings.data_checks, enabled=False)
    settings = dataclasses.replace(settings, training=training, thresholds={"ctr": loose}, data_checks=checks)
    run = run_pipeline(settings, RunPaths(folder / root))
    assert run.blessed
    return run


def users_of(run):
    return {token.decode() for token in read_vocabularies(run.uri("Trainer", "model_run"))["user"]}


def state_of(run, user):
    """Returns the row of a user in the table, and in each slot of the optimizer."""
    folder = run.uri("Trainer", "model_run")
    model = keras.saving.load_model(pathlib.Path(folder, "model.keras"))
    row = model.embedding.offsets["user"] + 1 + read_vocabularies(folder)["user"].index(user.encode())
    index = next(i for i, one in enumerate(model.trainable_variables) if one is model.embedding.table)
    return [np.array(one)[row] for one in (model.embedding.table, *model.optimizer.slot_variables(index))]


def executed(run):
    return {name for name, step in run.steps.items() if not step.cached} - set(RESOLVERS)


def test_tokens_keep_their_rows_and_slots_for_three_days(tmp_path):
    runs = []
    for number, (users, expected) in enumerate(zip(USERS, VOCABULARIES, strict=False)):
        write_day(tmp_path / "log", number, users)
        runs.append(run_day(tmp_path))
        assert users_of(runs[-1]) == expected
        if number == 1:
            again = run_day(tmp_path)
            assert executed(again) == {"Pusher"} | (executed(again) & {"ExampleValidator"})
            assert again.artifact("LogExampleGen", "examples").id == runs[-1].artifact("LogExampleGen", "examples").id
            clean_folder(str(tmp_path / "run"), 1, True)
        if number == 2:
            shutil.move(tmp_path / "run", tmp_path / "moved")
            shutil.copytree(tmp_path / "moved", tmp_path / "run")
            shutil.rmtree(tmp_path / "moved")
    first, second, third, fourth, _ = runs
    for was, now in ((first, second), (second, third)):  # No batch of these days looks ann up.
        for one, other in zip(state_of(was, "ann"), state_of(now, "ann"), strict=True):
            np.testing.assert_array_equal(one, other)
            assert np.any(one != 0)
    for one, other in zip(state_of(third, "ann"), state_of(fourth, "ann"), strict=True):
        assert np.any(one != other)
    for one, other in zip(state_of(second, "eve"), state_of(fourth, "eve"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_the_setting_vocabularies_are_those_of_the_day(tmp_path):
    for number in range(2):
        write_day(tmp_path / "log", number, USERS[number])
        run = run_day(tmp_path, keep_days=None)
        assert users_of(run) == set(USERS[number])
