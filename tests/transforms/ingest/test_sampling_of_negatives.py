"""Sampling of negatives at ingestion: which rows remain, and their counts."""

import collections
import dataclasses
import json

import numpy as np
import pytest

from tfmtl.features import CategoricalFeature
from tfmtl.sampling import NegativeSampling
from tfmtl.spec import DatasetSpec, RandomSplit, Task
from transforms.batches.rejects import format_report
from transforms.batches.report import IngestReport
from transforms.ingest.ingest_files import ingest

ROWS = 20_000
SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("user"), CategoricalFeature("item")),
    (Task("click", "clicked"), Task("buy", "bought", follows="click")),
    split=RandomSplit(eval=0.1, test=0.2, key=("row",)),
)
SAMPLING = NegativeSampling("click", 0.25, key=("row",))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "log.csv"
    with path.open("w") as file:
        file.write("row,user,item,clicked,bought\n")
        for row in range(ROWS):
            clicked = int(random.random() < 0.1)
            bought = int(clicked and random.random() < 0.3)
            file.write(f"r{row},u{random.integers(50)},i{row},{clicked},{bought}\n")
    return str(path)


def read(log, sampling=SAMPLING):
    spec = dataclasses.replace(SPEC, sampling=sampling)
    rows, report = collections.defaultdict(dict), IngestReport()
    for batch in ingest([log], spec):
        report = report.merge(batch.report)
        for split, typed in batch.typed.items():
            columns = (typed.column(name).to_pylist() for name in ("item", "clicked"))
            rows[split] |= {item[0]: clicked[0] for item, clicked in zip(*columns, strict=True)}
    return rows, report


def test_only_negative_training_rows_are_left_out(log):
    (sampled, report), (whole, everything) = read(log), read(log, None)
    assert sampled["eval"] == whole["eval"]
    assert sampled["test"] == whole["test"]
    positive = {item for item, clicked in whole["train"].items() if clicked}
    assert positive <= set(sampled["train"])
    negative = len(whole["train"]) - len(positive)
    assert (len(sampled["train"]) - len(positive)) / negative == pytest.approx(0.25, abs=0.02)
    total = report.total
    assert total.left_out == len(whole["train"]) - len(sampled["train"])
    assert total.read == ROWS == sum(total.accepted.values()) + total.left_out
    assert everything.total.left_out == 0
    assert "left out" in format_report(report)
    assert "left out" not in format_report(everything)
    assert IngestReport.from_dict(report.to_dict()) == report


def test_reports_of_earlier_versions_are_read(log):
    plain = read(log, None)[1].to_dict()
    assert "left_out" not in json.dumps(plain)
    assert IngestReport.from_dict(plain).total.left_out == 0


def test_the_seed_chooses_the_rows(log):
    first, again, other = (set(read(log, dataclasses.replace(SAMPLING, seed=seed))[0]["train"]) for seed in (0, 0, 1))
    assert first == again
    overlap = len(first & other) / len(first)
    assert 0.4 < overlap < 0.7  # All positive rows and a quarter of the negative ones.


def test_rows_of_one_key_are_kept_together(log):
    sampled, _ = read(log, NegativeSampling("click", 0.25, key=("user",)))
    whole, _ = read(log, None)
    users = {}
    with open(log) as file:
        for line in file.readlines()[1:]:
            _, user, item, clicked, _ = line.strip().split(",")
            if clicked == "0" and item.encode() in whole["train"]:
                users.setdefault(user, set()).add(item.encode() in sampled["train"])
    assert all(len(kept) == 1 for kept in users.values())
    assert 3 < sum(kept == {True} for kept in users.values()) < 25


def test_without_a_key_the_whole_row_is_hashed(log):
    sampled, report = read(log, NegativeSampling("click", 0.25))
    assert report.total.left_out > 5000
    assert set(sampled["train"]) != set(read(log)[0]["train"])
