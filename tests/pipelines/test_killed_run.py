"""A run that is killed while it reads leaves nothing that looks complete; run again, it finishes what it should."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from pipelines.components.example_gen import REJECTS, ingest_report
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import load_settings
from tests.pipelines.shop_log import PARTS, ROWS, write_shop
from tests.pipelines.splits import rows_of_split
from transforms.batches.raw_batch import SPLITS
from transforms.storage.atomic import UNFINISHED

REPOSITORY = pathlib.Path(__file__).parents[2]
KILLED = """
import os, pathlib, signal, sys
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import load_settings
from transforms.ingest import beam_ingest

class Killed(beam_ingest.ShardWriter):
    def finish(self):
        done = [*Killed.done, super().finish()]
        Killed.done = done
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

Killed.done = []
beam_ingest.ShardWriter = Killed
run_pipeline(load_settings(sys.argv[1], data=sys.argv[2]), RunPaths(pathlib.Path(sys.argv[3])), data_only=True)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path, log = write_shop(tmp_path_factory.mktemp("killed"))
    return load_settings(path, data=log)


def test_killed_in_the_middle_of_a_log(settings, tmp_path):
    paths = RunPaths(tmp_path / "run")
    yaml = pathlib.Path(settings.data.path).parent / "shop.yaml"
    command = [sys.executable, "-c", KILLED, str(yaml), settings.data.path, str(paths.root)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    left = sorted(path for path in paths.artifacts.rglob("Split-*/*") if path.is_file())
    assert left, "it should be killed after it wrote something"
    run = run_pipeline(settings, paths, data_only=True)
    assert not any(step.cached for step in run.steps.values())
    whole = run_pipeline(settings, RunPaths(tmp_path / "whole"), data_only=True)
    uris = [one.uri("LogExampleGen", "examples") for one in (run, whole)]
    assert uris[0] not in {str(path.parents[1]) for path in left}
    found, expected = ({split: rows_of_split(uri, split) for split in SPLITS} for uri in uris)
    assert found == expected
    assert sum(sum(split.values()) for split in found.values()) == PARTS * ROWS
    reports = [ingest_report(uri) for uri in uris]
    assert reports[0] == reports[1]
    assert reports[0].total.rejected == {"wrong_column_count": PARTS}
    for uri in uris:
        assert not pathlib.Path(uri, UNFINISHED).exists()
        assert sum(len(path.read_text().splitlines()) for path in pathlib.Path(uri).glob(f"{REJECTS}*")) == PARTS
