"""Data components on Beam workers in another process, which have the project's code from `setup.py` only."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import tarfile
import time

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability import prism_runner
from apache_beam.runners.portability.stager import Stager

from pipelines.beam_runner import run_in_process, with_runner
from pipelines.components.example_gen import VOCABULARIES, ingest_report
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from tests.pipelines.shop_log import PARTS, SETTINGS, write_shop
from tests.pipelines.splits import count_rows
from transforms.batches.raw_batch import SPLITS

REPOSITORY = pathlib.Path(__file__).parents[3]
PACKAGES = ("pipelines", "serving", "tfmtl", "transforms")


@pytest.fixture(scope="module")
def shipped_package(tmp_path_factory):
    """The package that Beam sends to workers with `--setup_file`, unpacked."""
    folder = tmp_path_factory.mktemp("shipped")
    options = PipelineOptions([f"--setup_file={REPOSITORY / 'setup.py'}", "--sdk_location=container"])
    (folder / "staged").mkdir()
    staged = Stager.create_job_resources(options, str(folder / "staged"))
    names = [
        name for artifact in staged for name in [artifact.type_payload.decode("utf-8", "replace")] if ".tar.gz" in name
    ]
    assert len(names) == 1
    with tarfile.open(next((folder / "staged").rglob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    (package,) = [path for path in folder.iterdir() if path.name.startswith("tfmtl")]
    return package


def sources(folder):
    return {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.suffix in (".py", ".typed", ".config")
    }


def test_setup_py_ships_every_file(shipped_package):
    assert sources(shipped_package) == sources(REPOSITORY)
    assert len(sources(shipped_package)) > 100


def wait_for(port, seconds=60):
    end = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, f"nothing listens at {port}"
        time.sleep(0.2)


@contextlib.contextmanager
def worker_pool(package, folder):
    """Starts the process that Beam runs next to a Flink task manager, which starts a worker for each job."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = "import sys, transforms; print(transforms.__file__, flush=True)\n"
    program += "from apache_beam.runners.worker.worker_pool_main import main; main(sys.argv)"
    command = [sys.executable, "-P", "-c", program, f"--service_port={port}"]
    python = pathlib.Path(sys.executable).parent  # The pool starts workers as `python`.
    path = f"{python}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(package), "PATH": path}
    log = (folder / "pool.log").open("w")
    pool = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert pool.stdout.readline().startswith(str(package))
        wait_for(port)
        yield f"localhost:{port}"
    finally:
        pool.terminate()
        pool.wait(30)
        log.close()


@pytest.mark.slow
@pytest.mark.long
def test_remote_workers_write_the_same_rows_as_one_process(shipped_package, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tfmtl"])  # TFX reads flags from it.
    settings, log = write_shop(tmp_path)
    local_run = run_pipeline(load_settings(settings, data=log), RunPaths(tmp_path / "a"), data_only=True)
    with worker_pool(shipped_package, tmp_path) as address:
        runner = ["--runner=PortableRunner", "--job_endpoint=embed"]
        workers = ["--environment_type=EXTERNAL", f"--environment_config={address}"]
        arguments = [*runner, *workers, f"--setup_file={REPOSITORY / 'setup.py'}"]
        settings.write_text(f"{SETTINGS}beam_pipeline_args: [{', '.join(map(repr, arguments))}]\n")
        loaded = load_settings(settings, data=log)
        remote_run = run_pipeline(loaded, RunPaths(tmp_path / "b"), data_only=True)
    uris = [run.uri("LogExampleGen", "examples") for run in (local_run, remote_run)]
    for split in SPLITS:
        assert count_rows(uris[0], split) == count_rows(uris[1], split)
    reports = [ingest_report(uri) for uri in uris]
    assert reports[0] == reports[1]
    assert reports[0].total.rejected == {"wrong_column_count": PARTS}
    for run in (local_run, remote_run):
        graph = pathlib.Path(run.uri("Transform", "transform_graph"), "transform_fn", "assets")
        written = pathlib.Path(run.uri("LogExampleGen", "examples"), VOCABULARIES)
        assert (graph / "user").read_bytes() == (written / "user").read_bytes()


def test_jobs_run_in_process_without_trying_another_runner(monkeypatch):
    """Beam's default downloads another runner, and uses this one only if the download fails."""
    tried = []
    monkeypatch.setattr(prism_runner.PrismRunner, "run_pipeline", lambda *_: tried.append(1))
    monkeypatch.setattr(StandardOptions, "DEFAULT_RUNNER", StandardOptions.DEFAULT_RUNNER)
    run_in_process()
    with beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create([1])
    with beam.Pipeline(options=PipelineOptions(with_runner([]))) as pipeline:
        _ = pipeline | beam.Create([1])
    assert not tried
    assert with_runner(["--runner=FlinkRunner", "--x=1"]) == ["--runner=FlinkRunner", "--x=1"]


def test_the_arguments_in_the_documentation_exist_in_beam():
    """Beam ignores unknown arguments without a message."""
    text = (REPOSITORY / "docs" / "beam.md").read_text()
    rows = [re.findall(r"`(--\w+=[^`]*)`", line) for line in text.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row]
    assert len(rows) == 5
    for row in rows:
        known = PipelineOptions(row).get_all_options(drop_default=True)
        assert {argument[2:].partition("=")[0] for argument in row} <= set(known)


def test_the_worker_image_has_the_beam_version_of_the_lock():
    """The program that starts workers in a container must have the version of Beam that submits the job."""
    (locked,) = re.findall(r"^apache-beam==(\S+)$", (REPOSITORY / "requirements/tfx-1.21.txt").read_text(), re.M)
    assert f"apache/beam_python3.13_sdk:{locked} " in (REPOSITORY / "Dockerfile").read_text()
