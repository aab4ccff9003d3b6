"""Command `tfmtl join`: files by day, files of an earlier call, and mistakes."""

import json
import pathlib

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.commands.join import join_logs
from transforms.storage.files import find_files

HEADER = "shown,user_id,item_id,scenario,age,city,category,price,interests,impression_id,time\n"
IMPRESSIONS = "".join(f"x,{i % 7},{i % 5},feed,1,2,3,4.5,1|2,i{i},{1_793_500_000 + 3600 * i}\n" for i in range(60))
CLICKS = "impression_id,time\n" + "".join(f"i{i},{1_793_500_010 + 3600 * i}\n" for i in range(0, 60, 4))
CONVERSIONS = "impression_id,at,revenue\n" + "".join(
    f"i{i},{1_793_500_500 + 3600 * i},{i}.5\n" for i in range(0, 60, 8)
)


def logs():
    return {
        "key": ["impression_id"],
        "impressions": {"pattern": "impressions.csv", "time": "time"},
        "clicks": {"pattern": "clicks.csv", "time": "time"},
        "conversions": {"pattern": "conversions.csv", "time": "at", "values": ["revenue"]},
        "attribution": {"click": "1h", "conversion": "12h"},
    }


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    files = {"impressions": HEADER + IMPRESSIONS, "clicks": CLICKS, "conversions": CONVERSIONS}
    for name, text in files.items():
        (tmp_path / "raw" / f"{name}.csv").write_text(text)
    write_settings(tmp_path, logs())
    return tmp_path


def write_settings(folder, join):
    settings = {"name": "shop", "spec": SPEC, "model": {"name": "mmoe"}, "join": join}
    (folder / "shop.yaml").write_text(yaml.safe_dump(settings))


SPEC = {
    "name": "shop",
    "features": [{"name": "user_id", "kind": "categorical"}, {"name": "price", "kind": "numerical"}],
    "tasks": [
        {"name": "click", "label": "click", "output": "ctr"},
        {"name": "conversion", "label": "conversion", "follows": "click", "output": "ctcvr"},
    ],
}


def run(*words):
    return CliRunner().invoke(main, ["join", "shop.yaml", "--raw", "raw", *words], terminal_width=100)


def test_rows_are_written_by_day_with_all_columns(warehouse):
    done = run("--out", "data", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    files = find_files("data/*/*.parquet")
    assert [path.split("/")[1] for path in files] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    rows = pq.read_table(files[0])
    suffixes = ("", "_time", "_open", "_pending", "_elapsed")
    added = [label + suffix for label in ("click", "conversion") for suffix in suffixes]
    assert rows.column_names == [*HEADER.strip().split(","), *added, "revenue"]
    assert document["join"]["rows"] == 60 == sum(pq.read_metadata(path).num_rows for path in files)
    assert sum(sum(pq.read_table(path).column("revenue").to_pylist()) for path in files) == sum(
        i + 0.5 for i in range(0, 60, 8)
    )
    assert document["pattern"] == "{YYYY}-{MM}-{DD}/*.parquet"
    assert sorted(path.name for path in (warehouse / "data").iterdir()) == [
        "2026-11-01", "2026-11-02", "2026-11-03", "join.json",
    ]  # fmt: skip


def test_days_whose_rows_are_the_same_keep_their_files(warehouse):
    run("--out", "data")
    before = {path: (warehouse / path).stat().st_mtime_ns for path in find_files("data/*/*.parquet")}
    with (warehouse / "raw" / "clicks.csv").open("a") as file:
        file.write(f"i59,{1_793_500_011 + 3600 * 59}\n")
    done = run("--out", "data")
    assert "2 files are those of the earlier call" in done.output
    after = {path: (warehouse / path).stat().st_mtime_ns for path in find_files("data/*/*.parquet")}
    assert [path.split("/")[1] for path in after if after[path] != before[path]] == ["2026-11-03"]


def test_days_that_are_no_more_are_removed(warehouse):
    run("--out", "data")
    lines = (HEADER + IMPRESSIONS).splitlines(keepends=True)
    (warehouse / "raw" / "impressions.csv").write_text("".join(lines[:5]))
    assert run("--out", "data").exit_code == 0
    assert [path.split("/")[1] for path in find_files("data/*/*.parquet")] == ["2026-11-01"]
    assert not (warehouse / "data" / "2026-11-03").exists()


def test_rejected_rows_are_counted_and_written(warehouse):
    with (warehouse / "raw" / "conversions.csv").open("a") as file:
        file.write("i1,1793500000,much\n,1793500000,1\n")
    done = run("--out", "data")
    assert "rejected rows with file, line and reason: " in done.output
    reasons = [json.loads(line)["reason"] for line in (warehouse / "data" / "rejects.jsonl").open()]
    assert reasons == ["not_a_number", "invalid_id"]
    (warehouse / "raw" / "conversions.csv").write_text(CONVERSIONS)
    run("--out", "data")
    assert not (warehouse / "data" / "rejects.jsonl").exists()


def changed(**logs_options):
    found = logs()
    for name, options in logs_options.items():
        found[name] = {**found[name], **options} if isinstance(options, dict) else options
    return found


@pytest.mark.parametrize(
    ("join", "message"),
    [
        (
            changed(attribution={"click": "1 day"}),
            "join.attribution.click: should be a time such as 7d, 12h, 30m or 90s",
        ),
        (changed(clicks={"zone": "Rome"}), "join.clicks.zone: should be the name of a time zone, such as UTC"),
        (changed(clicks={"pattern": "no/*.csv"}), "join.clicks.pattern should be a file, a folder of files"),
        (changed(clicks={"time": "when"}), "raw/clicks.csv: should have the column when"),
        (changed(keep=["user_id", "click"]), "join.keep should be without click, which the join adds."),
        (changed(keep=["user_id"]), "spec: should have columns of"),
        (changed(clicks={"values": ["x"]}), "join.clicks.values: should be left out, as only conversions have values"),
        (changed(end="soon"), "join.end: should be a time, such as 2026-11-18"),
    ],
    ids=["window", "zone", "no_files", "no_column", "keep", "spec", "values", "end"],
)
def test_mistakes_are_one_line(warehouse, join, message):
    write_settings(warehouse, join)
    done = run("--out", "data")
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output
    assert not find_files("data/*/*.parquet")


def test_settings_without_join(warehouse):
    write_settings(warehouse, None)
    done = run("--out", "data")
    assert (done.exit_code, "shop.yaml: join: should be given." in done.output) == (2, True)


def test_no_valid_impression_keeps_the_rows_of_an_earlier_call(warehouse):
    run("--out", "data")
    before = find_files("data/*/*.parquet")
    (warehouse / "raw" / "impressions.csv").write_text(HEADER + "x,1,1,feed,1,2,3,4,1,i1,never\n")
    done = run("--out", "data")
    assert done.exit_code == 2
    assert "should have impressions that can be joined. Received: none; see " in done.output
    assert find_files("data/*/*.parquet") == before
    assert (warehouse / "data" / "join.json").exists()
    rejects = (warehouse / "data" / ".unfinished" / "rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in rejects] == ["invalid_time"]
    (warehouse / "raw" / "impressions.csv").write_text(HEADER + IMPRESSIONS)
    assert run("--out", "data").exit_code == 0


@pytest.mark.parametrize("moved", [0, 1])
def test_a_call_after_an_interruption_starts_over(warehouse, monkeypatch, moved):
    run("--out", "data")
    expected = {path: pq.read_table(path) for path in find_files("data/*/*.parquet")}
    with (warehouse / "raw" / "clicks.csv").open("a") as file:
        file.writelines(f"i{i},{1_793_500_011 + 3600 * i}\n" for i in (1, 29, 59))

    def interrupted(source, target):
        calls.append(target)
        if len(calls) > moved:
            raise KeyboardInterrupt
        return replace(source, target)

    calls, replace = [], pathlib.Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            join_logs("shop.yaml", "raw", "data")
    assert len(calls) == moved + 1
    assert not (warehouse / "data" / "join.json").exists()
    (warehouse / "raw" / "clicks.csv").write_text(CLICKS)
    done = run("--out", "data")
    assert done.exit_code == 0, done.output
    assert {path: pq.read_table(path) for path in find_files("data/*/*.parquet")} == expected
    assert not (warehouse / "data" / ".unfinished").exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("raw", "another folder"),
        ("other", "should be a new folder, or one"),
        ("gs://bucket/data", "--out should be a local folder"),
    ],
)
def test_folders_with_other_files_are_refused(warehouse, out, message):
    (warehouse / "other").mkdir()
    (warehouse / "other" / "thesis.txt").write_text("x")
    done = run("--out", out)
    assert done.exit_code == 2
    assert message in done.output
    assert (warehouse / "other" / "thesis.txt").exists()
    assert (warehouse / "raw" / "clicks.csv").exists()
