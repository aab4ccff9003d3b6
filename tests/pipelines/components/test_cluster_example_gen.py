"""ExampleGen without a driver: the result of a local run; the date of a run; vocabularies that continue."""

import dataclasses
import json

import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from pipelines.beam_runner import IN_PROCESS
from pipelines.components.cluster_example_gen import (
    CONTINUED,
    ClusterExampleGen,
    ClusterExampleGenExecutor,
    log_fingerprint,
)
from pipelines.components.example_gen import COUNTS, VOCABULARIES, ingest_report, sampling_steps
from pipelines.pushing.model_record import ModelRecord, write_record
from pipelines.pushing.push import push
from pipelines.runners.local import RunPaths, run_pipeline
from tests.pipelines.components.test_spans import DAYS, make_settings, write_day
from tests.pipelines.pushing.test_push import write_model
from tests.pipelines.splits import count_rows
from tfmtl.config import ConfigError
from transforms.batches.raw_batch import SPLITS
from transforms.storage.files import files_below, list_folder, read_text


def read_log(settings, folder, date="", destination="none", keep_days=None):
    """Runs the executor with the parameters of the component, as the entry of a container does."""
    component = ClusterExampleGen(settings.data.path, date, settings.data, settings.spec, destination, "", keep_days)
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=[f"--runner={IN_PROCESS}"], tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    given = {name: value for name, value in component.exec_properties.items() if value is not None}
    ClusterExampleGenExecutor(context).Do({}, {"examples": [examples]}, given)
    return examples


def tokens_of(examples):
    return set(read_text(f"{examples.uri}/{VOCABULARIES}/rare").split()) - {"<missing>"}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    for number, day in enumerate(DAYS):
        write_day(folder / "log", day, number)
    return folder


@pytest.mark.long
def test_the_merged_days_equal_those_of_a_local_run(log, tmp_path):
    settings = make_settings(log)
    local = run_pipeline(settings, RunPaths(tmp_path / "run"), data_only=True).uri("LogExampleGen", "examples")
    examples = read_log(settings, tmp_path / "cluster")
    for split in SPLITS:
        rows = count_rows(local, split)
        assert rows
        assert count_rows(examples.uri, split) == rows
    for feature in list_folder(f"{local}/{VOCABULARIES}"):
        texts = [read_text(f"{uri}/{VOCABULARIES}/{feature}") for uri in (local, examples.uri)]
        assert texts[0] == texts[1]
    assert ingest_report(examples.uri) == ingest_report(local)
    assert sampling_steps(examples.uri) == sampling_steps(local)
    assert json.loads(examples.split_names) == [*SPLITS, "sample"]
    assert [name for name in list_folder(examples.uri) if name.startswith(".")] == []


def test_a_run_for_a_date_reads_the_days_up_to_it(log, tmp_path):
    settings = make_settings(log, spans=1)
    newest, earlier = read_log(settings, tmp_path / "a"), read_log(settings, tmp_path / "b", date=DAYS[1])
    assert newest.get_int_custom_property("span") == earlier.get_int_custom_property("span") + 1
    assert [tokens_of(one) for one in (newest, earlier)] == [set(), {"seen"}], "only the second day has the feature"
    with pytest.raises(FileNotFoundError, match=r"date should be that of files in .* Received: 2026-11-16"):
        read_log(settings, tmp_path / "c", date="2026-11-16")
    with pytest.raises(ConfigError, match=r"date should be a date such as 2026-11-29. Received: 'today'"):
        read_log(settings, tmp_path / "d", date="today")


def test_a_log_without_spans_has_the_fingerprint_of_its_files(log, tmp_path):
    settings = make_settings(log, pattern="**/*")
    first, again = read_log(settings, tmp_path / "a"), read_log(settings, tmp_path / "b")
    assert len(log_fingerprint(first)) == 64
    assert log_fingerprint(first) == log_fingerprint(again)
    one_file = dataclasses.replace(settings.data, path=f"{log}/log/day={DAYS[0]}/part-0.csv", pattern="*")
    only = read_log(dataclasses.replace(settings, data=one_file), tmp_path / "c")
    assert ingest_report(only.uri).total.read == 120
    assert log_fingerprint(only) != log_fingerprint(first)


@pytest.mark.long
def test_vocabularies_continue_those_of_the_earlier_model(log, tmp_path):
    settings, destination = make_settings(log, spans=1), str(tmp_path / "serving")
    first = read_log(settings, tmp_path / "a", DAYS[1], destination, keep_days=2)
    assert first.get_string_custom_property(CONTINUED) == ""
    record = ModelRecord("m", "spec", first.get_int_custom_property("span"), "", "now", {}, [])
    names = [f"{COUNTS}/{name}" for name in files_below(f"{first.uri}/{COUNTS}")]
    write_record(destination, record, {name: f"{first.uri}/{name}" for name in names})
    push(write_model(tmp_path / "model", "m"), destination)
    second = read_log(settings, tmp_path / "b", DAYS[2], destination, keep_days=2)
    assert second.get_string_custom_property(CONTINUED) == "m"
    assert tokens_of(second) == {"seen"}, "a token of the day before"
    alone = read_log(settings, tmp_path / "c", DAYS[2], destination)
    assert tokens_of(alone) == set()
