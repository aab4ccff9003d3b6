"""Trainings that are killed by SIGKILL at random moments and run again end with equal weights and scores."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = os.environ.get("TFMTL_KILL_SECONDS", "240")
"""Seconds after which no further training is killed."""
KILLS = os.environ.get("TFMTL_KILLS", "20")
"""Largest number of kills."""


@pytest.mark.long
def test_killed_trainings_end_with_equal_weights_and_scores(tmp_path):
    command = [sys.executable, "-m", "tests.pipelines.training.killed_trainings", str(tmp_path), SECONDS, KILLS]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(re.search(r"^kills: (\d+)$", done.stdout, re.MULTILINE)[1]) >= 1
    assert ": killed, continued" in done.stdout
