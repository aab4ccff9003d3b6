"""Settings of a comparison over worlds."""

import pathlib

import pytest

from pipelines.compare.worlds.settings import is_worlds_file, load_worlds
from tfmtl.config import ConfigError

EXAMPLES = pathlib.Path(__file__).parents[4] / "examples"
WORLD = f"{{comparison: {EXAMPLES}/worlds/compare_apem.yaml, row: apem, output: ctcvr}}"


def write(tmp_path, world=WORLD, rest=""):
    path = tmp_path / "worlds.yaml"
    path.write_text(f"name: w\n{rest}worlds:\n  apem: {world}\n", encoding="utf-8")
    return path


def error(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load_worlds(write(*args, **kwargs))
    return str(caught.value)


def test_example():
    path = EXAMPLES / "compare_worlds.yaml"
    assert is_worlds_file(path)
    assert not is_worlds_file(EXAMPLES / "worlds" / "compare_apem.yaml")
    plan = load_worlds(path)
    assert plan.strengths() == (1.0, 0.0, 0.5)
    assert set(plan.comparisons) == {(name, s) for name in ("man", "apem", "adaftr", "m2m") for s in (0.0, 0.5, 1.0)}
    for (_, strength), comparison in plan.comparisons.items():
        assert comparison.base.simulator.premise.strength == strength
        assert comparison.settings.trials == (12 if strength == 1 else 0)
        assert comparison.settings.seeds == (1, 2, 3, 4, 5)
        assert len(comparison.settings.baselines) == 5


def test_only_man_is_trained_with_meta_learning():
    comparison = load_worlds(EXAMPLES / "compare_worlds.yaml").comparisons["man", 1.0]
    kinds = {one.row: one.training["strategy"]["kind"] for one in comparison.candidates}
    assert kinds.pop("man") == "maml"
    assert set(kinds.values()) == {"plain"}


def test_seeds_and_jobs_of_the_command_line(tmp_path):
    plan = load_worlds(write(tmp_path), seeds=(7,), jobs=2)
    assert {(one.settings.seeds, one.settings.jobs) for one in plan.comparisons.values()} == {((7,), 2)}


def test_refusals(tmp_path):
    prefix = f"{tmp_path / 'worlds.yaml'}:"
    no_premise = WORLD.replace("worlds/compare_apem", "compare_demo")
    assert error(tmp_path, no_premise).startswith(f"{prefix}3: worlds.apem.comparison: should name a comparison whose")
    message = error(tmp_path, WORLD.replace("row: apem", "row: mmoe"))
    assert "worlds.apem.row: should be one of the rows that are tested against baselines: apem. Received" in message
    message = error(tmp_path, WORLD.replace("ctcvr", "cvvr"))
    assert "worlds.apem.output: should be one of ctr, cvr, ctcvr. Received: 'cvvr'" in message
    message = error(tmp_path, rest="strengths: [1, 0]\n")
    assert "strengths: should be two or more numbers from 0 to 1 in ascending order. Received: [1.0, 0.0]" in message
    message = error(tmp_path, rest="tuned_at: 0.7\n")
    assert "tuned_at: should be one of the strengths, 0.0, 0.5, 1.0. Received: 0.7" in message
