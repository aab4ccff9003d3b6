"""File of finished trials: what is written is read, mistakes name their line, and nothing is lost."""

import dataclasses
import json
import math

import pytest

from pipelines.compare.fitters import default_values
from pipelines.compare.jobs import Job
from pipelines.compare.runs.search import seed_job, trial_job
from pipelines.compare.runs.trial_records import TrialRecord, TrialRecords, make_record
from tests.pipelines.compare.cases import columns, job, noisy, result
from tests.pipelines.compare.fake_runs import comparison
from tfmtl.config import ConfigError
from tfmtl.models.options.mmoe import MMoEOptions
from tfmtl.models.options.ple import PLEOptions
from tfmtl.search_space import Choice

DATA = columns()


def record(number, **changes):
    one = dataclasses.replace(job("ours", 1, trial=number, noise=0.5 + number), rows_fraction=1 / 3, max_epochs=4)
    done = dataclasses.replace(result("ours", 1, noisy(DATA, 2.0, 1), DATA), job=one, versions={"keras": "3.10"})
    changed = {"options.noise": 0.5 + number, "training.optimizer.epsilon": 1e-4}
    return dataclasses.replace(make_record(one, "data", done, ("ctr_auc", 0.7), changed), **changes)


def write(path, count):
    records = TrialRecords(path)
    for number in range(count):
        records.add(record(number))
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "report" / "trials.jsonl", 3)


def test_reads_what_it_has_written(path):
    records = TrialRecords(path)
    for number in range(3):
        one = record(number)
        assert records.get(one.key) == one
    assert records.get("none") is None
    assert records.note == ""


def test_line_is_strict_json_with_all_fields(path):
    def refuse(word):
        raise AssertionError(word)

    lines = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    assert set(lines[0]) == {field.name for field in dataclasses.fields(TrialRecord)}
    assert lines[1]["options"] == {"noise": 1.5}
    assert lines[1]["training"] == {"optimizer.epsilon": 1e-4}
    assert (lines[1]["trial"], lines[1]["rows_fraction"], lines[1]["max_epochs"]) == (2, 1 / 3, 4)
    assert lines[1]["versions"] == {"keras": "3.10"}


def test_metric_that_is_not_defined_is_null(tmp_path):
    one = job("ours", 1, trial=0)
    done = dataclasses.replace(
        result("ours", 1, noisy(DATA, 2.0, 1), DATA), metrics={"eval": {"ctr": {"auc": math.nan}}}
    )
    made = make_record(one, "data", done, ("ctr_auc", math.nan), {})
    assert (made.value, made.metrics) == (None, {"ctr": {"auc": None}})
    assert math.isnan(made.eval_metrics()["ctr"]["auc"])
    records = TrialRecords(tmp_path / "trials.jsonl")
    records.add(made)
    assert TrialRecords(tmp_path / "trials.jsonl").get(made.key) == made


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<<<<<<< HEAD", "should be a JSON object, as `tfmtl compare` writes it. Received: <<<<<<< HEAD"),
        ('{"key": "a"', "should be a JSON object, as `tfmtl compare` writes it. Received: "),
        ("[1]", r"trial: should be a mapping. Received: \[1\]"),
        ('{"key": "a"}', "trial.row: should be given: TrialRecord requires it"),
    ],
)
def test_malformed_line_is_reported_and_the_file_remains(path, line, message):
    first, *others = path.read_text().splitlines()
    text = "\n".join([first, line, *others]) + "\n"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"trials.jsonl:2: {message}"):
        TrialRecords(path)
    assert path.read_text() == text


@pytest.mark.parametrize("field", ["seconds", "metrics", "max_epochs"])
def test_field_of_a_wrong_type_is_reported(path, field):
    plain = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**plain, field: "x"}) + "\n")
    with pytest.raises(ConfigError, match=rf"trials.jsonl:1: trial.{field}: should be .*Received: 'x'"):
        TrialRecords(path)


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_incomplete_last_line_is_noted_and_replaced_by_the_next_record(path, kept):
    whole = path.read_bytes()
    last = record(3)
    write(path, 0)
    records = TrialRecords(path)
    records.add(last)
    appended = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + appended[:kept])

    interrupted = TrialRecords(path)
    assert f"{path}:4: an incomplete last line is ignored" in interrupted.note
    assert interrupted.get(last.key) is None
    assert path.read_bytes() == whole + appended[:kept], "reading changes nothing"
    interrupted.add(last)
    assert path.read_bytes() == whole + appended
    assert TrialRecords(path).get(record(0).key) == record(0)


def test_last_line_without_a_newline_is_complete(path):
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip(b"\n"))
    records = TrialRecords(path)
    assert records.note == ""
    assert records.get(record(2).key) == record(2)
    records.add(record(3))
    assert path.read_bytes()[: len(whole)] == whole
    assert TrialRecords(path).get(record(3).key) == record(3)


def test_first_of_several_lines_with_one_key_counts(path):
    other = dataclasses.asdict(record(0, value=0.1))
    path.write_text(path.read_text() + "\n" + json.dumps(other) + "\n")
    assert TrialRecords(path).get(other["key"]).value == 0.7


def test_key_depends_on_the_fidelity_and_not_on_the_code():
    base = record(0)
    one = job("ours", 1, trial=0, noise=0.5)
    done = dataclasses.replace(result("ours", 1, noisy(DATA, 2.0, 1), DATA, code="other"), job=one)
    keys = {
        dataclasses.replace(one, rows_fraction=share, max_epochs=epochs).key("data")
        for share in (1 / 3, 1)
        for epochs in (4, None)
    }
    assert len(keys) == 4
    assert dataclasses.replace(one, trial=None).key("data") not in keys, "a run of the table"
    other = make_record(dataclasses.replace(one, rows_fraction=1 / 3, max_epochs=4), "data", done, ("ctr_auc", 0.7), {})
    assert other.key == base.key
    assert other.code != base.code


def test_trial_with_another_default_is_another_trial(monkeypatch):
    """Trials are used whatever code ran them, so that their keys hold the values that are not given."""
    one = comparison({"options.noise": Choice((1.0, 3.0))}, trials=2)

    def key():
        return trial_job(one.candidates[0], {}, one.settings, 0).key("data")

    before = key()
    fields = {field.name: field for field in dataclasses.fields(MMoEOptions)}
    monkeypatch.setattr(fields["num_experts"], "default", 77)
    assert key() != before
    assert seed_job(one.candidates[0], one.settings, 1, None).defaults == {}


def test_defaults_of_a_wrapped_model_are_part_of_the_key():
    values = default_values("adaftr", {"backbone": "ple", "backbone_options": {"num_shared": 3}})
    assert values["backbone_options"]["num_per_task"] == PLEOptions().num_per_task
    assert "num_shared" not in values["backbone_options"]
    assert "num_per_task" not in values
    assert values["beta"] == 0.01


def test_a_new_default_that_is_off_does_not_change_the_key():
    one = Job("mmoe", "mmoe", {}, {}, 1, 0, defaults={"options": {"dropout": 0.3}})
    off = {"calibration": {}, "extra": None, "rate": 0.0, "use": False, "units": [], "nested": {"use": False}}
    assert dataclasses.replace(one, defaults={"options": {"dropout": 0.3, **off}}).key("data") == one.key("data")


@pytest.mark.parametrize("options", [{}, {"dropout": 0.0}, {"dropout": 0.2}, {"dropout": 0.3, "use": True}])
def test_a_changed_default_changes_the_key(options):
    one = Job("mmoe", "mmoe", {}, {}, 1, 0, defaults={"options": {"dropout": 0.3}})
    assert dataclasses.replace(one, defaults={"options": options}).key("data") != one.key("data")
