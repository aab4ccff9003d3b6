"""JSON schema of the settings: the examples are valid, and mistakes that a type or a name shows are refused."""

import json
import pathlib

import jsonschema
import pytest

from pipelines.settings_reference.json_schema import json_schema
from tests.pipelines.test_panel_settings import M2M
from tests.pipelines.test_panel_settings import MISTAKES as PANEL_MISTAKES
from tests.pipelines.test_settings import DEMO, EXAMPLES, MISTAKES, WORLDS
from tfmtl.config import parse_yaml
from tfmtl.models import MODELS

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CAUGHT = {
    "model.name mmmoe",
    "model.options.num_expert 4",
    "training.batch_size many",
    "data.reader xml",
    "simulator.kind panel",
}
"""Mistakes of the tests of settings that the schema shows; the others depend on values or on the spec."""


def errors(text):
    """Returns the path and the message of each mistake that the schema finds in a settings file."""
    found = VALIDATOR.iter_errors(parse_yaml(text).data)
    return {".".join(map(str, error.absolute_path)): error.message for error in found}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", [*EXAMPLES, *WORLDS], ids=lambda path: path.stem)
def test_examples_are_valid(path):
    assert errors(path.read_text()) == {}


@pytest.mark.parametrize(
    ("right", "wrong", "where", "message"),
    [
        ("max_epochs: 6", "max_epoch: 6", "training", "'max_epoch' was unexpected"),
        ("seed: 7", "sed: 7", "simulator", "'sed' was unexpected"),
        ("kind: categorical, min_frequency: 5", "kind: categorical, frequency: 5", "spec.features.0", "unexpected"),
        ("kind: categorical, min_", "kind: category, min_", "spec.features.0.kind", "'category' is not one of"),
        ("max_epochs: 6", "max_epochs: six", "training.max_epochs", "'six' is not of type 'integer'"),
        ("max_epochs: 6", "max_epochs: true", "training.max_epochs", "True is not of type 'integer'"),
        ("schedule: cosine", "schedule: cosinus", "training.schedule", "'cosinus' is not one of"),
        ("kind: adam,", "kind: adamw,", "training.optimizer.kind", "'adamw' is not one of"),
        ("num_experts: 4", "num_shared: 4", "model.options", "'num_shared' was unexpected"),
        ("expert_units: [128, 64]", "expert_units: 128", "model.options.expert_units", "128 is not of type 'array'"),
        ("preset: null", "preset: alicpp", "model.preset", "'alicpp' is not one of"),
        ("name: demo\n", "\n", "", "'name' is a required property"),
        ("min_auc: 0.6,", "min_auc: high,", "thresholds.ctr.min_auc", "'high' is not of type 'number'"),
    ],
    ids=lambda text: text[:24].strip(),
)
def test_mistakes_are_refused(right, wrong, where, message):
    text = DEMO.read_text()
    assert right in text
    found = errors(text.replace(right, wrong, 1))
    assert list(found) == [where]
    assert message in found[where]


def test_options_are_those_of_the_named_model():
    text = DEMO.read_text()
    for name in MODELS:
        valid = text.replace("name: mmoe", f"name: {name}")
        valid = valid[: valid.index("    num_experts")] + valid[valid.index("training:") :]
        assert errors(valid) == {}
        (where,) = errors(valid.replace("embedding_dim: 8", "embedding_dims: 8"))
        assert where == "model.options"


def test_a_file_with_a_base_needs_no_other_section():
    assert errors("base: demo.yaml\n") == {}
    assert set(errors("base: 3\n")) == {"base"}
    assert set(errors("base: demo.yaml\nmodle: {}\n")) == {""}


def test_former_names_are_valid_and_deprecated():
    text = DEMO.read_text()
    assert errors(text.replace("embedding_dim: 8", "max_importance: 2\n    space: previous", 1)) == {}
    options = SCHEMA["$defs"]["MMoEOptions"]["properties"]
    assert options["max_importance"]["deprecated"] is True


def test_which_mistakes_of_settings_the_schema_finds():
    found = set()
    for path, mistakes in ((DEMO, MISTAKES), (M2M, PANEL_MISTAKES)):
        for right, wrong, field, _ in mistakes:
            if errors(path.read_text().replace(right, wrong, 1)):
                found.add(f"{field} {wrong.rpartition(': ')[2]}")
    assert found == CAUGHT


def test_every_property_has_a_meaning_and_objects_are_closed():
    for name, definition in SCHEMA["$defs"].items():
        assert definition["additionalProperties"] is False, name
        assert definition["description"], name
        assert [key for key, value in definition["properties"].items() if not value.get("description")] == [], name


def test_every_example_file_is_used():
    folder = pathlib.Path(__file__).parents[3] / "examples"
    assert len([*EXAMPLES, *WORLDS]) == len([p for p in folder.rglob("*.yaml") if "compare" not in p.stem])
