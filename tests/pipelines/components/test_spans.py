"""A log that grows by a day: each day is read once, and the merged days equal a run that reads all files at once."""

import collections
import dataclasses
import json
import pathlib
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.components.example_gen import VOCABULARIES, ingest_report, sampling_steps
from pipelines.evaluation.results import read_metrics
from pipelines.gates.thresholds import Thresholds
from pipelines.raw_log import locate_log, newest_spans
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import DataSettings, Settings
from pipelines.settings_file import load_settings
from tests.pipelines.splits import count_rows
from tfmtl.config import ConfigError, build, parse_yaml
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.manifest import REJECTS
from transforms.ingest.sampling import SAMPLE
from transforms.readers.spans import has_spans

SETTINGS = """
name: shop
spec:
  name: shop
  features:
    - {name: user, kind: categorical, min_frequency: 8}
    - {name: price, kind: numerical}
    - {name: tags, kind: multi_valued}
    - {name: rare, kind: categorical}
    - {name: never, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
  split: {kind: random, key: [row], eval: 0.2, test: 0.2}
model: {name: shared_bottom}
thresholds:
  ctr: {min_auc: 0.5}
data:
  pattern: day={YYYY}-{MM}-{DD}/**/*
"""
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")
DATA_STEPS = ["LogExampleGen", "StatisticsGen", "ExampleValidator", "SchemaGen", "Transform"]


def write_day(log, day, number):
    """Writes two files of a day, one in a subfolder, each with an invalid row; the second day has a rare feature.

    Rows with a high price are mostly clicked, so that a model can learn.
    """
    rng = np.random.default_rng(number)
    for part, name in enumerate((f"day={day}/part-0.csv", f"day={day}/hour=1/part-1.parquet")):
        rows = 120
        frame = pd.DataFrame(
            {
                "row": [f"{number}-{part}-{i}" for i in range(rows)],
                "user": rng.zipf(1.4, rows) % 30,
                "price": rng.exponential(20, rows).round(2),
                "tags": ["|".join(map(str, rng.integers(0, 5, rng.integers(0, 3)))) for _ in range(rows)],
                "rare": [None] * rows,
                "never": [None] * rows,
            }
        )
        frame["clicked"] = ((frame["price"] > 14) ^ (rng.random(rows) < 0.1)).astype(int)
        frame.loc[7, "clicked"] = 2
        if number == 1:
            frame.loc[100, "rare"] = "seen"
        path = log / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)


def make_settings(folder, **data) -> Settings:
    path = folder / "shop.yaml"
    path.write_text(SETTINGS)
    settings = load_settings(path, data=str(folder / "log"))
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, **data))


@dataclasses.dataclass
class GrowingLog:
    """Runs of a growing log."""

    folder: pathlib.Path
    first: object
    second: object
    newest: object
    at_once: object


@pytest.fixture(scope="module")
def growing_log(tmp_path_factory):
    """Runs on two days, on three days, on the newest day only, and on all files at once without spans."""
    folder = tmp_path_factory.mktemp("spans")
    for number, day in enumerate(DAYS[:2]):
        write_day(folder / "log", day, number)
    paths = RunPaths(folder / "run")
    first = run_pipeline(make_settings(folder), paths, data_only=True)
    write_day(folder / "log", DAYS[2], 2)
    second = run_pipeline(make_settings(folder), paths, data_only=True)
    newest = run_pipeline(make_settings(folder, spans=1), paths, data_only=True)
    at_once = make_settings(folder, pattern="**/*")
    return GrowingLog(folder, first, second, newest, run_pipeline(at_once, RunPaths(folder / "once"), data_only=True))


def day_step(day):
    return f"LogExampleGen_{day}"


def cached_steps(run):
    return {name for name, step in run.steps.items() if step.cached}


def test_each_day_is_read_once(growing_log):
    assert list(growing_log.first.steps) == [day_step(DAYS[0]), day_step(DAYS[1]), *DATA_STEPS]
    assert cached_steps(growing_log.first) == set()
    assert list(growing_log.second.steps) == [*map(day_step, DAYS), *DATA_STEPS]
    assert cached_steps(growing_log.second) == {day_step(DAYS[0]), day_step(DAYS[1])}
    assert list(growing_log.newest.steps) == [day_step(DAYS[2]), *DATA_STEPS]
    assert cached_steps(growing_log.newest) == {day_step(DAYS[2])}
    for run in (growing_log.second, growing_log.newest):
        one = run.artifact(day_step(DAYS[2]), "examples")
        assert one.id == growing_log.second.artifact(day_step(DAYS[2]), "examples").id
        days_since_1970 = (pd.Timestamp(DAYS[2]) - pd.Timestamp("1970-01-01")).days
        assert one.custom_properties["span"].int_value == days_since_1970
        assert run.artifact("LogExampleGen", "examples").custom_properties["span"].int_value == days_since_1970


def rows(run, split, step="LogExampleGen"):
    return count_rows(run.uri(step, "examples"), split)


def test_merged_days_equal_the_log_read_at_once(growing_log):
    for split in SPLITS:
        assert rows(growing_log.second, split) == rows(growing_log.at_once, split)
        assert rows(growing_log.newest, split) == rows(growing_log.second, split, day_step(DAYS[2]))
        assert sum((rows(growing_log.second, split, day_step(day)) for day in DAYS), collections.Counter()) == rows(
            growing_log.second, split
        )
    assert sum(sum(rows(growing_log.second, split).values()) for split in SPLITS) == 3 * 2 * 119


def test_vocabularies_use_the_counts_of_all_days(growing_log):
    """Users with 8 rows in all days together are kept, also those with fewer rows in each day."""
    runs = (growing_log.second, growing_log.at_once)
    folders = [pathlib.Path(run.uri("LogExampleGen", "examples"), VOCABULARIES) for run in runs]
    for name in ("user", "tags", "rare"):
        merged, at_once = ((folder / name).read_bytes() for folder in folders)
        assert merged == at_once
    days = [count_users(rows(growing_log.second, "train", day_step(day))) for day in DAYS]
    together = sum(days, collections.Counter())
    kept = {user for user, count in together.items() if count >= 8}
    assert set((folders[0] / "user").read_bytes().split()) == kept
    assert any(all(day[user] < 8 for day in days) for user in kept)


def count_users(examples):
    counts = collections.Counter()
    for example, count in examples.items():
        counts[tf.train.Feature.FromString(dict(example)["user"]).bytes_list.value[0]] += count
    return counts


def test_report_and_rejected_rows_cover_all_days(growing_log):
    uris = [run.uri("LogExampleGen", "examples") for run in (growing_log.second, growing_log.at_once)]
    merged, at_once = map(ingest_report, uris)
    assert merged == at_once
    assert merged.total.rejected == {"invalid_label": 6}
    files = [pathlib.Path(uri).glob(f"{REJECTS}*") for uri in uris]
    rejects = [sorted(line for path in paths for line in path.read_text().splitlines()) for paths in files]
    assert rejects[0] == rejects[1]
    assert {json.loads(line)["line"] for line in rejects[0]} == {8, 9}


def test_the_sample_has_the_size_of_one_day_and_all_features(growing_log):
    sizes = [sum(rows(growing_log.second, SAMPLE, day_step(day)).values()) for day in DAYS]
    sample = rows(growing_log.second, SAMPLE)
    assert sum(sizes) / 3 <= sum(sample.values()) <= sum(sizes) / 3 + 10
    assert any(dict(one).get("rare") for one in sample)
    runs = (growing_log.at_once, growing_log.newest, growing_log.second)
    uris = [run.uri("LogExampleGen", "examples") for run in runs]
    assert list(map(sampling_steps, uris)) == [(1,), (1,), (3, 3, 3)]


@pytest.mark.long
def test_a_late_file_causes_its_day_to_be_read_again(growing_log):
    folder = growing_log.folder
    late = folder / "log" / f"day={DAYS[0]}" / "part-9.csv"
    late.write_text("row,user,price,tags,rare,never,clicked\nlate,u,1,,,,1\n")
    run = run_pipeline(make_settings(folder, spans=2), RunPaths(folder / "run"), data_only=True)
    assert cached_steps(run) == {day_step(DAYS[1]), day_step(DAYS[2])}
    run = run_pipeline(make_settings(folder), RunPaths(folder / "run"), data_only=True)
    assert cached_steps(run) == {day_step(DAYS[1]), day_step(DAYS[2])}
    assert ingest_report(run.uri("LogExampleGen", "examples")).total.read == 3 * 2 * 120 + 1


@pytest.mark.slow
@pytest.mark.long
def test_a_run_on_the_newest_day_starts_from_the_previous_model(tmp_path):
    """Each run reads one span. The model has a single output."""
    loose = Thresholds(calibration=(0.1, 10.0), max_auc_drop=1.0, min_rows=10, min_positives=3)
    runs = []
    for number, day in enumerate(DAYS[:2]):
        write_day(tmp_path / "log", day, number)
        settings = make_settings(tmp_path, spans=1)
        training = dataclasses.replace(settings.training, warm_start="latest", max_epochs=8, batch_size=16)
        settings = dataclasses.replace(settings, training=training, thresholds={"ctr": loose})
        runs.append(run_pipeline(settings, RunPaths(tmp_path / "run")))
    first, second = runs
    assert day_step(DAYS[0]) not in second.steps
    assert first.blessed
    assert not first.steps["warm_start_model"].outputs.get("model")
    (start,) = second.steps["warm_start_model"].outputs["model"]
    assert start.id == first.artifact("Trainer", "model").id
    assert second.blessed
    assert second.pushed_version
    (overall,) = read_metrics(settings.spec, second.uri("Evaluator", "evaluation"))
    assert overall.auc > 0.6
    assert ingest_report(second.uri("LogExampleGen", "examples")).total.read == 2 * 120


def test_data_settings_of_the_documentation_are_valid():
    text = (pathlib.Path(__file__).parents[3] / "docs" / "own-data.md").read_text()
    shown = re.findall(r"`(data: \{.*?\})`", text, re.DOTALL)
    found = [build(DataSettings, parse_yaml(" ".join(lines.split())), ("data",)) for lines in shown]
    assert [has_spans(data.pattern) for data in found] == [False, True, True, False, False, False]
    assert "`spans: 1` and `training: {warm_start: latest}`" in " ".join(text.split())


def test_newest_spans(tmp_path):
    for day in (2, 9, 10, 30):
        (tmp_path / f"log/{day}").mkdir(parents=True)
        (tmp_path / f"log/{day}/a.csv").touch()
    for spans, found in ((None, (2, 9, 10, 30)), (2, (10, 30)), (9, (2, 9, 10, 30))):
        assert newest_spans(locate_log(make_settings(tmp_path, pattern="{SPAN}/*.csv", spans=spans)).data) == found
    assert newest_spans(locate_log(make_settings(tmp_path, pattern="*/*.csv")).data) == ()
    (tmp_path / "log/07").mkdir()
    (tmp_path / "log/07/a.csv").touch()
    with pytest.raises(ConfigError, match=r"data.pattern: .*07/a.csv: should have no leading zeros"):
        newest_spans(locate_log(make_settings(tmp_path, pattern="{SPAN}/*.csv")).data)
    with pytest.raises(FileNotFoundError, match=r"data.pattern should match a file in .*log .*Received: 'x-\{SPAN\}'"):
        locate_log(make_settings(tmp_path, pattern="x-{SPAN}"))
    one = locate_log(load_settings(tmp_path / "shop.yaml", data=str(tmp_path / "log/2/a.csv")))
    assert (one.data.path, one.data.pattern, newest_spans(one.data)) == (str(tmp_path / "log/2"), "a.csv", ())


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        ("  pattern: day-{SPAN}-{SPAN}/*", "data.pattern", "should have one {SPAN}, or one {YYYY}"),
        ("  pattern: '*'\n  spans: 3", "data.spans", "should be left out if the pattern has no {SPAN} or date"),
        ("  pattern: '{SPAN}/*'\n  spans: 0", "data.spans", "should be at least 1"),
        ("  reader: movielens\n  pattern: '{SPAN}'", "data.pattern", "should be without placeholders for movielens"),
        (
            "  pattern: '{SPAN}/*'\ntraining:\n  warm_start: latest\n  keep_days: 7",
            "training.keep_days",
            "should be left out unless data.pattern has {SPAN} or a date, and data.spans is given. Received: 7",
        ),
        (
            "  {pattern: '{SPAN}/*', spans: 3}\ntraining:\n  warm_start: latest\n  keep_days: 2",
            "training.keep_days",
            "should be at least data.spans, 3. Received: 2",
        ),
        (
            "  {pattern: '{SPAN}/*', spans: 1}\ntraining:\n  keep_days: 2",
            "training.keep_days",
            "should be left out without `warm_start: latest`, as it keeps the rows of an earlier model. Received: 2",
        ),
        (
            "  {pattern: '{SPAN}/*', spans: 1}\ntraining:\n  warm_start: latest\n  keep_days: 0",
            "training.keep_days",
            "should be at least 1, or null. Received: 0",
        ),
    ],
)
def test_errors_give_line_and_field(tmp_path, data, field, message):
    wrong = data if "\n" not in data else data.rpartition("\n")[2]
    path = tmp_path / "settings.yaml"
    path.write_text(SETTINGS.replace("  pattern: day={YYYY}-{MM}-{DD}/**/*", data))
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    line = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if wrong in line)
    assert str(caught.value).startswith(f"{path}:{line}: {field}: {message}")


GROWING = "training: {warm_start: latest, keep_days: 3}"


def test_one_file_has_no_days_to_keep(tmp_path):
    write_day(tmp_path / "log", DAYS[0], 0)
    make_settings(tmp_path)
    path = tmp_path / "shop.yaml"
    path.write_text(f"{path.read_text()}  spans: 1\n{GROWING}\n")
    file = str(tmp_path / f"log/day={DAYS[0]}/part-0.csv")
    with pytest.raises(ConfigError, match=r"data.path should be the folder of the log with training.keep_days"):
        locate_log(load_settings(path, data=file))
