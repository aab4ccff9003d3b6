"""Runs that are killed by SIGKILL leave no output that looks complete, and are completed by a second run."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from pipelines.components.example_gen import ingest_report
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from tests.pipelines.shop_log import PARTS, ROWS, write_shop
from tests.pipelines.splits import count_rows
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.manifest import REJECTS
from transforms.storage.atomic import UNFINISHED

REPOSITORY = pathlib.Path(__file__).parents[2]
KILLED = """
import os, pathlib, signal, sys
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from transforms.ingest import beam_ingest

class Killed(beam_ingest.ShardWriter):
    def finish(self):
        finished = [*Killed.finished, super().finish()]
        Killed.finished = finished
        if len(finished) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

Killed.finished = []
beam_ingest.ShardWriter = Killed
run_pipeline(load_settings(sys.argv[1], data=sys.argv[2]), RunPaths(pathlib.Path(sys.argv[3])), data_only=True)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path, log = write_shop(tmp_path_factory.mktemp("killed"))
    return load_settings(path, data=log)


@pytest.mark.long
def test_a_run_after_a_killed_one_reads_the_whole_log(settings, tmp_path):
    paths = RunPaths(tmp_path / "run")
    yaml = pathlib.Path(settings.data.path).parent / "shop.yaml"
    command = [sys.executable, "-c", KILLED, str(yaml), settings.data.path, str(paths.root)]
    process = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr[-2000:]
    leftovers = sorted(path for path in paths.artifacts.rglob("Split-*/*") if path.is_file())
    assert leftovers, "the run should be killed after it has written files"
    run = run_pipeline(settings, paths, data_only=True)
    assert not any(step.cached for step in run.steps.values())
    whole = run_pipeline(settings, RunPaths(tmp_path / "whole"), data_only=True)
    uris = [one.uri("LogExampleGen", "examples") for one in (run, whole)]
    assert uris[0] not in {str(path.parents[1]) for path in leftovers}
    found, expected = ({split: count_rows(uri, split) for split in SPLITS} for uri in uris)
    assert found == expected
    assert sum(sum(split.values()) for split in found.values()) == PARTS * ROWS
    reports = [ingest_report(uri) for uri in uris]
    assert reports[0] == reports[1]
    assert reports[0].total.rejected == {"wrong_column_count": PARTS}
    for uri in uris:
        assert not pathlib.Path(uri, UNFINISHED).exists()
        assert sum(len(path.read_text().splitlines()) for path in pathlib.Path(uri).glob(f"{REJECTS}*")) == PARTS


@pytest.mark.long
def test_runs_that_are_killed_at_random_moments_push_equal_weights_and_scores(tmp_path):
    kills = os.environ.get("TFMTL_RUN_KILLS", "20")
    command = [sys.executable, "-m", "tests.pipelines.killed_runs", str(tmp_path), kills]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout.count("equal") == int(kills)
    assert done.stdout.count(": killed after") >= 0.8 * int(kills)
