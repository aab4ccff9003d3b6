"""Benchmark of the join, with few impressions: all cases run, and a wrong label is found."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import join


def test_table_has_ratios_to_reading():
    measured = {(join.READ, 1000): (2.0, 1e8), ("2 workers", 1000): (5.0, 3e8)}
    table = join.make_table(measured, {1000: 2_000_000})
    cells = [list(column.cells) for column in table.columns]
    assert cells == [
        ["1,000", "1,000"], ["2", "2"], [join.READ, "2 workers"], ["2.0", "5.0"], ["500", "200"], ["1.0", "2.5"],
        ["100", "300"],
    ]  # fmt: skip


def test_labels_are_compared_with_the_truth(tmp_path, capsys):
    logs = str(tmp_path / "logs")
    assert join.simulate(3000, logs) > 100_000
    out = tmp_path / "out"
    out.mkdir()
    join.join(logs, str(out / "joined"), 1)
    join.check_labels(logs, str(out / "joined"), 3000)
    join.join_with_pandas(logs, str(out))
    columns = ["impression_id", "click", "conversion"]
    ours = read(out.glob("joined/*/*.parquet"), columns)
    assert read(out.glob("*.parquet"), columns).equals(ours)
    path = next(out.glob("joined/*/*.parquet"))
    table = pq.read_table(path)
    changed = pa.array([1 - label for label in table.column("click").to_pylist()], pa.int8())
    pq.write_table(table.set_column(table.column_names.index("click"), "click", changed), path)
    with pytest.raises(ValueError, match="labels should be those of the simulator"):
        join.check_labels(logs, str(out / "joined"), 3000)


def read(paths, columns):
    tables = [pq.read_table(path, columns=columns) for path in sorted(map(pathlib.Path, paths))]
    return pa.concat_tables([table.replace_schema_metadata() for table in tables]).sort_by("impression_id")
