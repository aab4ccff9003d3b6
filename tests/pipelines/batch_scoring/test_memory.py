"""Memory of `tfmtl score`, which does not depend on the number of rows of a file."""

import csv
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.pipelines.prediction.shop_model import NAMES, draw_rows, to_csv

pytestmark = pytest.mark.long
REPOSITORY = pathlib.Path(__file__).parents[3]
BLOCK = 20_000
PEAK = """
import resource, sys
from click.testing import CliRunner
from pipelines.cli import main

result = CliRunner().invoke(main, ["score", *sys.argv[1:]])
assert result.exit_code == 0, result.output
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_memory(model, data, out) -> float:
    command = [sys.executable, "-W", "ignore", "-c", PEAK, str(model), "--data", str(data), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("extension", [".csv", ".parquet"])
def test_peak_memory_of_four_million_rows_is_that_of_one_million(model_folder, tmp_path, extension):
    data = tmp_path / "rows.csv"
    texts = to_csv(draw_rows(np.random.default_rng(0), BLOCK, valid=True))
    with data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(NAMES)
    with (tmp_path / "block.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([row[name] for name in NAMES] for row in texts)
    block = (tmp_path / "block.csv").read_bytes()
    peaks = []
    for million in (1, 4):
        with data.open("ab") as file:
            while file.tell() < million * (1_000_000 // BLOCK) * len(block):
                file.write(block)
        peaks.append(peak_memory(model_folder, data, tmp_path / f"scores{extension}"))
    assert peaks[1] <= 1.1 * peaks[0], peaks
