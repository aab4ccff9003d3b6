"""Samples of logs: rows from all parts of a large file, and the estimated number of rows."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.batches.errors import LogError
from transforms.profile import sample
from transforms.profile.sample import read_sample
from transforms.readers.log_format import LogFormat

ROWS = 60_000


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pa.table({"row": np.arange(ROWS), "x": rng.normal(size=ROWS), "word": ["a" * (i % 9) for i in range(ROWS)]})


def write_csv(table, path):
    lines = [",".join(map(str, row)) for row in zip(*table.to_pydict().values(), strict=True)]
    path.write_text("\n".join([",".join(table.column_names), *lines]) + "\n")


def test_pieces_of_a_large_text_file(table, tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "_WHOLE_BYTES", 1000)
    monkeypatch.setattr(sample, "_PIECE_BYTES", 20_000)
    write_csv(table, tmp_path / "log.csv")
    found = read_sample(str(tmp_path / "log.csv"), LogFormat())
    rows = np.array([int(row) for row in found.columns["row"].to_pylist()])
    assert not found.is_whole
    assert len(set(rows)) == len(rows) > 1000
    assert rows.min() < ROWS * 0.05
    assert rows.max() > ROWS * 0.95
    assert found.rows == pytest.approx(ROWS, rel=0.02)
    numbers = [float(x) for x in found.columns["x"].to_pylist()]
    np.testing.assert_array_equal(numbers, table["x"].to_numpy()[rows])


@pytest.mark.parametrize("rows", [500, 10**6])
def test_rows_of_parquet(rows, table, tmp_path):
    pq.write_table(table, tmp_path / "log.parquet", row_group_size=1000)
    found = read_sample(str(tmp_path / "log.parquet"), LogFormat(), rows=rows)
    assert found.rows == pytest.approx(ROWS, rel=0.02)
    assert found.is_whole == (rows > ROWS)
    assert found.columns.num_rows == pytest.approx(min(rows, ROWS), rel=0.2)
    assert max(found.columns["row"].to_pylist()) > ROWS * 0.9


def test_many_files_and_compression(table, tmp_path):
    for part in range(20):
        write_csv(table.slice(part * 100, 100), tmp_path / "part.csv")
        (tmp_path / f"part-{part:02}.csv.gz").write_bytes(gzip.compress((tmp_path / "part.csv").read_bytes()))
    (tmp_path / "part.csv").unlink()
    found = read_sample(str(tmp_path), LogFormat())
    assert not found.is_whole
    assert found.columns.num_rows == 1600
    assert found.rows == pytest.approx(2000, rel=0.05)


def test_a_log_without_rows(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n")
    with pytest.raises(LogError, match=r"should be a log with at least one row\. Received: no row"):
        read_sample(str(tmp_path / "log.csv"), LogFormat())
