"""Memory of the processes of a comparison: that of the command apart from those of its runs."""

import os
import sys

import pytest
from rich.console import Console

from benchmarks import compare_memory

PROGRAM = """
import os, subprocess, sys, time
held = b"1" * int(sys.argv[1])
if len(sys.argv) > 2:
    environment = {**os.environ, "TFMTL_PROGRESS_TITLE": "mmoe, seed 1"}
    subprocess.run([sys.executable, "-c", sys.argv[2], "200000000"], env=environment)
    subprocess.run([sys.executable, "-c", sys.argv[2], "900000000"])
time.sleep(1)
"""


def test_memory_of_a_run_is_not_that_of_the_command():
    code, peaks = compare_memory.peak_memory([sys.executable, "-c", PROGRAM, "50000000", PROGRAM])
    assert code == 0
    assert set(peaks) == {compare_memory.COMMAND, "mmoe, seed 1"}
    assert peaks[compare_memory.COMMAND] == pytest.approx(55, abs=20)
    assert peaks["mmoe, seed 1"] == pytest.approx(205, abs=20)


def test_growth_is_that_between_the_smallest_and_the_largest_log():
    measured = {1_000_000: {"mmoe": 900.0}, 2_000_000: {"mmoe": 950.0}, 3_000_000: {"mmoe": 1000.0}}
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(compare_memory.make_table(measured))
    (row,) = [line for line in console.export_text().splitlines() if "mmoe" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["mmoe", "900", "950", "1,000", "50"]
