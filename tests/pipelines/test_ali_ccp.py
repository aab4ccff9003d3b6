"""Ali-CCP from the command line: simulated raw files, ingest, ExampleGen and Transform; and its settings files."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.compare.plan.candidates import load_comparison
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from serving.raw_features import parse_examples
from tests.transforms.ali_ccp.plain import prepare
from tests.transforms.ali_ccp.raw_cases import write_raw
from tfmtl.config import ConfigError
from tfmtl.models import model_class
from transforms.ali_ccp.fields import PREPARATIONS
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.ingest.manifest import Manifest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
PREPARED = {"aitm": "aitm", "man": "aitm", "apem": "aitm", "adaftr": "adaftr"}


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words], terminal_width=100)


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path / "raw")


@pytest.mark.parametrize("name", PREPARED)
def test_settings_have_the_spec_of_their_preparation(name):
    settings = load_settings(EXAMPLES / f"ali_ccp_{name}.yaml")
    text = (EXAMPLES / f"ali_ccp_{name}.yaml").read_text()
    assert settings.spec == PREPARATIONS[PREPARED[name]].spec
    assert settings.data.reader == "ingested"
    assert f"tfmtl ingest ali-ccp --raw ali-ccp --out ali-ccp-{PREPARED[name]} --prepare {PREPARED[name]}" in text
    assert f"tfmtl run examples/ali_ccp_{name}.yaml --data ali-ccp-{PREPARED[name]}" in text


@pytest.mark.parametrize("name", PREPARED)
def test_settings_have_the_options_of_the_papers_preset(name):
    settings = load_settings(EXAMPLES / f"ali_ccp_{name}.yaml")
    assert settings.model.name == name
    assert settings.model.options == model_class(name).preset("ali_ccp")
    assert "wide" not in settings.model.options, "which no paper has"


def test_the_comparison_has_the_results_of_the_papers():
    papers = load_comparison(EXAMPLES / "compare_ali_ccp.yaml").settings.papers
    best = {paper.title.partition(",")[0]: paper.rows for paper in papers}
    assert best["MAN"]["MAN"] == (0.6225, 0.6599)
    assert best["APEM"]["APEM"] == (0.6198, 0.6436)
    assert best["AdaFTR"]["AdaFTR"] == (0.61886, 0.61928)


def test_ingest_prints_the_report_of_the_rows(raw, tmp_path):
    out = tmp_path / "out"
    result = invoke("ingest", "ali-ccp", "--raw", raw, "--out", out, "--prepare", "aitm")
    assert result.exit_code == 0, result.output
    manifest = Manifest.load(str(out))
    printed = dict(re.findall(r"^ *(\w+) +([\d,]+) ", result.output, re.MULTILINE))
    total = manifest.report.total
    expected = {"read": total.read, "rejected": sum(total.rejected.values()), **total.accepted, **total.rejected}
    assert {name: int(printed[name].replace(",", "")) for name in expected} == expected
    assert "an earlier row of the file has the same id" in result.output
    assert "common rows: 10 read, 1 duplicate_id, 1 invalid_id, 1 wrong_column_count" in result.output
    assert "field 777: unknown and ignored (count: 1)" in result.output
    assert "field 101: present in both files; the value of the common row was kept (count: 1)" in result.output
    kept = len(prepare(raw, "aitm").vocabulary("f205", 12))
    assert re.search(rf"f205 .* {kept + 1} ", result.output)
    again = invoke("ingest", "ali-ccp", "--raw", raw, "--out", out, "--prepare", "aitm")
    assert again.exit_code == 0
    assert "already holds these files: nothing was done" in " ".join(again.output.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--raw", "nowhere"], "should be a folder with Ali-CCP's files. Missing: common_features_train.csv, "),
        (["--prepare", "apem"], "'apem' is not one of 'aitm', 'adaftr'"),
        (["--prepare", "aitm", "--max-values", 3], "--max-values: should be omitted, because aitm has no lists"),
        (["--eval", 1], "Invalid value for '--eval'"),
        (["--out", EXAMPLES], "should be a new folder, or one that an ingest left unfinished"),
    ],
)
def test_wrong_usage_exits_with_code_2_and_a_one_line_message(raw, tmp_path, words, message):
    result = invoke("ingest", "ali-ccp", "--raw", raw, "--out", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_rejects_an_unfinished_ingest(tmp_path):
    (tmp_path / "Split-train").mkdir()
    result = invoke("run", EXAMPLES / "ali_ccp_aitm.yaml", "--data", tmp_path)
    assert result.exit_code == 2
    assert "should be a folder that `tfmtl ingest` has finished. Missing: manifest.json" in result.output


def test_rejects_a_spec_with_columns_that_were_not_ingested(raw, tmp_path):
    invoke("ingest", "ali-ccp", "--raw", raw, "--out", tmp_path / "out", "--prepare", "aitm")
    result = invoke("run", EXAMPLES / "ali_ccp_adaftr.yaml", "--data", tmp_path / "out")
    assert result.exit_code == 2
    assert "spec.features[9].name: should be a column of tokens: f101, f121" in result.output


def test_rejects_a_given_split_of_a_log_that_is_not_ingested(tmp_path):
    text = (EXAMPLES / "ali_ccp_aitm.yaml").read_text()
    path = tmp_path / "settings.yaml"
    path.write_text(text.replace("reader: ingested", "reader: csv"))
    with pytest.raises(
        ConfigError, match=r"spec.split.kind: should be `given` if data\.reader is ingested, and only then"
    ):
        load_settings(path)


def test_compare_requires_an_ingested_log(tmp_path):
    result = invoke("compare", EXAMPLES / "compare_ali_ccp.yaml", "--out", tmp_path)
    assert result.exit_code == 2
    assert "--data should be the folder of the raw log" in result.output


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """A simulated log with lists: its raw files, the ingested folder, and the run of ExampleGen to Transform.

    No row has the field 150_14, so that the schema contains it only if the sample does.
    """
    root = tmp_path_factory.mktemp("ali_ccp")
    settings = load_settings(EXAMPLES / "ali_ccp_adaftr.yaml", data=str(root / "log"))
    small = root / "small.yaml"
    small.write_text(f"base: {EXAMPLES / 'ali_ccp_adaftr.yaml'}\nname: small\nsimulator: {SMALL}\n")
    made = invoke("simulate", small, "--out", root / "raw", "--rows", 3000)
    assert made.exit_code == 0, made.output
    assert "3,000 rows to train on" in made.output
    with (root / "raw" / "sample_skeleton_train.csv").open("a") as file:
        file.write("3001,0,0\n")
    for path in (root / "raw").glob("common_features_*.csv"):
        path.write_bytes(path.read_bytes().replace(b"150_14\x02", b"150\x02"))
    ingested = invoke("ingest", "ali-ccp", "--raw", root / "raw", "--out", root / "log", *ADAFTR)
    assert ingested.exit_code == 0, ingested.output
    run = run_pipeline(dataclasses.replace(settings, name="small"), RunPaths(root / "run"), data_only=True)
    return root, settings.spec, run


SMALL = (
    "{kind: ali_ccp, rows: 1, test_rows: 500, users: 60, items: 80, categories: 20, shops: 30, brands: 20, nodes: 20}"
)
ADAFTR = ("--prepare", "adaftr", "--max-values", "4", "--seed", "1")


@pytest.mark.long
def test_example_gen_links_the_ingested_files(transformed):
    root, spec, run = transformed
    examples = pathlib.Path(run.uri("LogExampleGen", "examples"))
    manifest = Manifest.load(str(root / "log"))
    for names in manifest.shards.values():
        for name in names:
            assert (examples / name).samefile(root / "log" / name)
    report = json.loads((examples / "ingest_report.json").read_text())
    assert IngestReport.from_dict(report) == manifest.report
    assert report["rejected"] == {"wrong_column_count": 1}
    rejects = [json.loads(line) for path in examples.glob("rejects*") for line in path.read_text().splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [(3001, "wrong_column_count")]
    expected = prepare(root / "raw", "adaftr", seed=1, max_values=4)
    assert not any("f150_14" in row for rows in expected.rows.values() for row in rows)
    for feature in spec.features:
        lines = (examples / "vocabularies" / feature.name).read_text().splitlines()
        assert [line for line in lines if "-" not in line] == expected.vocabulary(feature.name, 12)


@pytest.mark.long
def test_transformed_values_equal_those_of_a_python_implementation(transformed):
    """Ids are ordered by count, 0 stands for rare, missing and unseen tokens, and lists have their values."""
    root, spec, run = transformed
    output = tft.TFTransformOutput(run.uri("Transform", "transform_graph"))
    layer = output.transform_features_layer()
    expected = prepare(root / "raw", "adaftr", seed=1, max_values=4)
    examples = pathlib.Path(run.uri("LogExampleGen", "examples"))
    rare = 0
    for split in SPLITS:
        files = sorted(str(path) for path in (examples / f"Split-{split}").iterdir())
        records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
        rows = expected.rows[split]
        assert len(records) == len(rows) > 200
        values = layer(parse_examples(spec, records))
        for feature in spec.features:
            ids = {token: i for i, token in enumerate(expected.vocabulary(feature.name, 12), 1)}
            tokens = [row.get(feature.name, []) for row in rows]
            found = values[feature.name].numpy()
            if feature.kind == "categorical":
                assert found.tolist() == [ids.get(held[0], 0) if held else 0 for held in tokens]
                rare += np.count_nonzero(found == 0)
            else:
                padded = [[ids.get(token, 0) for token in held] + [0] * (16 - len(held)) for held in tokens]
                assert found.tolist() == padded
                weights = np.zeros((len(rows), 16), np.float32)
                for i, row in enumerate(rows):
                    weights[i, : len(tokens[i])] = row.get(feature.weights, [])
                np.testing.assert_array_equal(values[f"{feature.name}__weights"], weights)
    assert rare > 1000


@pytest.mark.long
def test_commands_of_the_documentation(tmp_path, monkeypatch):
    text = (EXAMPLES.parent / "docs" / "datasets.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("tfmtl") and re.search("ali.ccp", line)]
    assert [command.split()[1] for command in commands] == ["simulate", "ingest", "run"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    for command in commands:
        result = invoke(*command.split()[1:])
        assert result.exit_code == 0, result.output
    assert "pushed version" in result.output
    assert Manifest.load("ali-ccp-aitm").rows["test"] == 10_000
