"""Comparisons in `examples/` are valid settings."""

import pathlib

import pytest

from pipelines.compare.plan.candidates import load_comparison
from pipelines.compare.worlds.settings import is_worlds_file
from pipelines.training_settings import TrainingSettings
from tfmtl import config
from tfmtl.models import MODELS, model_class

EXAMPLES = pathlib.Path(__file__).parents[4] / "examples"
PATHS = [*sorted(EXAMPLES.glob("compare_*.yaml")), *sorted(EXAMPLES.glob("worlds/compare_*.yaml"))]
PATHS = [path for path in PATHS if not is_worlds_file(path)]
OPTIONS = ("space", "embedding_dim", "embedding_l2", "weight_decay")
TRAINING = ("batch_size", "learning_rate", "optimizer", "max_epochs", "patience", "schedule")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_example_is_valid(path):
    made = load_comparison(path)
    header = path.read_text(encoding="utf-8").partition("\nname:")[0]
    assert made.settings.name == path.stem.replace(
        "compare_", "compare_world_" if path.parent != EXAMPLES else "compare_"
    )
    assert f"tfmtl compare {path.relative_to(EXAMPLES.parent)}" in header
    assert len(made.settings.seeds) >= 5


def shared(candidate):
    """Options and training settings that are equal for two rows if a claim concerns the models alone."""
    options = config.build(model_class(candidate.model).options_class, config.Document(dict(candidate.options)))
    training = config.build(TrainingSettings, config.Document(dict(candidate.training)))
    return [getattr(options, name) for name in OPTIONS], [getattr(training, name) for name in TRAINING]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_claims_of_apem_and_adaftr_compare_models_alone(path):
    made = load_comparison(path)
    rows = {candidate.row: candidate for candidate in made.candidates}
    for claim in made.settings.claims:
        if rows[claim.row].model in ("apem", "adaftr"):
            for row in (row for row in claim.over if rows[row].model in MODELS):
                assert shared(rows[row]) == shared(rows[claim.row]), (claim.text, row)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_claims_compare_models_of_one_embedding_size(path):
    made = load_comparison(path)
    rows = {candidate.row: candidate for candidate in made.candidates}
    for claim in made.settings.claims:
        networks = [rows[row] for row in (claim.row, *claim.over) if rows[row].model in MODELS]
        sizes = [shared(network)[0][OPTIONS.index("embedding_dim")] for network in networks]
        assert len({*sizes}) == 1, (claim.text, sizes)
