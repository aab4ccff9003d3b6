"""Benchmark of the data steps: division of a log into files, and ratios computed by hand."""

import os

import pytest
from rich.console import Console

from benchmarks.data_path import Measured, make_table, many_files


@pytest.mark.parametrize("files", [1, 3, 7])
def test_files_have_all_rows_in_order_and_the_header_each(tmp_path, files):
    log = tmp_path / "log"
    log.mkdir()
    rows = [f"{'u' * (i % 5)}{i},{i}\n" for i in range(40)]
    (log / "impressions.csv").write_text("user,item\n" + "".join(rows))
    many_files(log, files, tmp_path / "parts")
    parts = [path.read_text().splitlines(keepends=True) for path in sorted((tmp_path / "parts").iterdir())]
    assert len(parts) == files
    assert all(part[0] == "user,item\n" and len(part) > 1 for part in parts)
    assert [row for part in parts for row in part[1:]] == rows


def test_table_has_rates_and_the_speedup_over_the_first_case():
    steps = {"LogExampleGen": 60.0, "StatisticsGen": 4.0, "Transform": 6.0}
    half = {"LogExampleGen": 30.0, "StatisticsGen": 4.0, "Transform": 6.0}
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(
        make_table(1000, {"one core": Measured(80.0, 10.0, steps, 900.0), "all": Measured(50.0, 10.0, half, 950.0)})
    )
    lines = [line.strip("│ ").split("│") for line in console.export_text().splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert cells == [
        ["one core", "80.0", "10.0", "60.0", "10.0", "12", "1.00", "900"],
        ["all", "50.0", "10.0", "30.0", "10.0", "20", "1.60", "950"],
    ]
