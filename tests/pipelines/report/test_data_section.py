"""Section of the data: changes of columns against counts by hand."""

import types

import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv

from pipelines.data_checks.column_statistics import columns_of
from pipelines.report.page.blocks import DataTable, Figure, Text
from pipelines.report.sections.data import data_section
from tfmtl.features import CategoricalFeature, Hashing
from tfmtl.spec import DatasetSpec, Task
from transforms.batches.distinct_tokens import DistinctTokens
from transforms.batches.report import IngestReport, SourceReport


def statistics(cities, prices):
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame({"city": cities, "price": prices}))


NOW = statistics(["london"] * 6 + ["paris"] * 4, [1.0, 3.0] * 5)
BEFORE = statistics(["london"] * 2 + ["paris"] * 6 + ["rome"] * 2, [2.0, 6.0] * 5)
SPEC = DatasetSpec("shop", (CategoricalFeature("user", hashed=Hashing(4)),), (Task("click", "clicked"),))


def run(**parts):
    empty = {"rows": None, "findings": None, "statistics": None, "accepted": None}
    empty["settings"] = types.SimpleNamespace(spec=SPEC)
    return types.SimpleNamespace(**{**empty, **parts})


def test_changes_of_shares_are_those_of_the_counts():
    changes = columns_of(NOW)["city"].share_changes(columns_of(BEFORE)["city"])
    assert changes == pytest.approx({"london": 0.4, "paris": 0.2, "rome": 0.2})


def test_columns_stand_beside_those_of_the_last_log():
    section = data_section(run(statistics=NOW, accepted=BEFORE))
    (shown,) = [block for block in section.blocks if isinstance(block, DataTable)]
    rows = {row[0].text: dict(zip(shown.columns, row, strict=True)) for row in shown.rows}
    assert rows["price"]["mean"].number == pytest.approx(2.0)
    assert rows["price"]["last log: mean"].number == pytest.approx(4.0)
    assert rows["city"]["largest change of a share"].number == pytest.approx(0.4)
    assert rows["city"]["most frequent value"].text == "london (60.0%)"
    (figure,) = [block for block in section.blocks if isinstance(block, Figure)]
    (values,) = [data for data in figure.spec["datasets"].values() if "share" in data[0]]
    shares = {(one["log"], one["value"]): one["share"] for one in values}
    assert shares["this log", "london"] == pytest.approx(0.6)
    assert shares["last accepted log", "rome"] == pytest.approx(0.2)
    assert shares["this log", "rome"] == 0


def test_rejected_rows_stand_by_reason():
    source = SourceReport(10, {"train": 5, "eval": 1, "test": 1}, {"invalid_label": 2, "not_a_number": 1})
    section = data_section(run(rows=IngestReport({"a.csv": source})))
    (shown,) = section.blocks
    numbers = {row[0].text.partition(":")[0]: row[1].number for row in shown.rows}
    assert numbers == {
        "read": 10, "split train": 5, "split eval": 1, "split test": 1, "rejected, invalid_label": 2,
        "rejected, not_a_number": 1,
    }  # fmt: skip


def test_collisions_of_hashed_features_are_told():
    tokens = DistinctTokens.of(pa.array([b"a", b"b", b"c"], pa.binary()))
    blocks = data_section(run(rows=IngestReport({}, {"user": tokens}))).blocks
    assert "hashed user: about 3 tokens in 4 buckets; 39.4% of them share a bucket" in [
        block.text for block in blocks if isinstance(block, Text)
    ]
