"""Data components on Beam workers in other processes, which have the project's code from `setup.py` only."""

import os
import pathlib
import re
import shutil
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
from pipelines.pooled_runner import PooledRunner, WorkerLostError
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings_file import load_settings
from tests.pipelines.runners.worker_pools import RECORDER, Pool, free_port
from tests.pipelines.shop_log import PARTS, SETTINGS, write_shop
from tests.pipelines.splits import count_rows
from transforms.batches.raw_batch import SPLITS

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = 300
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


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Paths of settings and log, and the rows that one process writes."""
    folder = tmp_path_factory.mktemp("shop")
    settings, log = write_shop(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tfmtl"])  # TFX reads flags from it.
        return log, run_pipeline(load_settings(settings, data=log), RunPaths(folder / "run"), data_only=True)


def write_settings(folder, arguments):
    path = folder / "shop.yaml"
    path.write_text(f"{SETTINGS}beam_pipeline_args: [{', '.join(map(repr, arguments))}]\n")
    return path


def check_same_rows(shop, folder, arguments, monkeypatch):
    """Runs the data steps with arguments for Beam, and compares all that they write with those of one process."""
    monkeypatch.setattr(sys, "argv", ["tfmtl"])
    log, local_run = shop
    settings = load_settings(write_settings(folder, arguments), data=log)
    remote_run = run_pipeline(settings, RunPaths(folder / "run"), data_only=True)
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


@pytest.mark.slow
@pytest.mark.long
def test_remote_workers_write_the_same_rows_as_one_process(shipped_package, shop, tmp_path, monkeypatch):
    pool = Pool(shipped_package, tmp_path / "worker")
    runner = ["--runner=PortableRunner", "--job_endpoint=embed"]
    workers = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{pool.port}"]
    try:
        arguments = [*runner, *workers, f"--setup_file={REPOSITORY / 'setup.py'}"]
        check_same_rows(shop, tmp_path, arguments, monkeypatch)
    finally:
        pool.kill()


@pytest.fixture
def two_pools(shipped_package, tmp_path):
    """Two pools whose workers note what they write and take a second for each file, and the arguments that use them."""
    code = tmp_path / "code"
    shutil.copytree(shipped_package, code)
    with (code / "transforms/examples/shards.py").open("a") as file:
        file.write(RECORDER)
    pools = [Pool(code, tmp_path / name, SECONDS_PER_FILE="1") for name in ("one", "two")]
    addresses = ",".join(f"localhost:{pool.port}" for pool in pools)
    runner = "--runner=pipelines.pooled_runner.PooledRunner"
    workers = ["--environment_type=EXTERNAL", f"--environment_config={addresses}", "--direct_num_workers=2"]
    yield pools, [runner, *workers]
    for pool in pools:
        pool.kill()


@pytest.mark.slow
def test_workers_of_two_machines_divide_the_files(two_pools, shop, tmp_path, monkeypatch):
    pools, arguments = two_pools
    check_same_rows(shop, tmp_path, arguments, monkeypatch)
    processes = [{process for process, _ in pool.shards} for pool in pools]
    assert all(processes), "both have written rows"
    assert not processes[0] & processes[1]
    assert len([name for pool in pools for _, name in pool.shards]) == PARTS


@pytest.mark.slow
def test_run_that_loses_a_machine_ends_with_one_line_and_continues(two_pools, shop, tmp_path):
    pools, arguments = two_pools
    log, local_run = shop
    settings = write_settings(tmp_path, arguments)
    command = [sys.executable, "-m", "pipelines.cli", "run", str(settings), "--data", log]
    command += ["--out", str(tmp_path / "run"), "--no-reference"]
    options = {"cwd": REPOSITORY, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as process:
        try:
            end = time.monotonic() + SECONDS
            while not pools[0].shards:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end, "no worker began"
                time.sleep(0.05)
            pools[0].kill()
            _, errors = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 2, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert f"lost its worker at localhost:{pools[0].port}" in line
    assert "Traceback" not in errors
    settings.write_text(SETTINGS)
    again = run_pipeline(load_settings(settings, data=log), RunPaths(tmp_path / "run"), data_only=True)
    for split in SPLITS:
        uris = [run.uri("LogExampleGen", "examples") for run in (local_run, again)]
        assert count_rows(uris[0], split) == count_rows(uris[1], split)


def test_pool_that_does_not_answer_is_named():
    options = PipelineOptions(["--environment_type=EXTERNAL", f"--environment_config=localhost:{free_port()}"])
    message = r"should name pools .* Received: localhost:\d+, which does not answer"
    with pytest.raises(WorkerLostError, match=message), beam.Pipeline(PooledRunner(), options) as pipeline:
        _ = pipeline | beam.Create([1]) | beam.Map(str)


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """Path of the program of Beam's Prism runner, which is built if it is not installed."""
    installed = shutil.which("prism")
    if installed:
        return installed
    if shutil.which("go") is None:
        pytest.skip("neither prism nor go is installed")
    folder = tmp_path_factory.mktemp("prism")
    module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam.__version__}"
    environment = {**os.environ, "GOBIN": str(folder)}
    done = subprocess.run(["go", "install", module], env=environment, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode != 0:
        pytest.skip(f"go cannot build {module}: {done.stderr.strip().splitlines()[-1]}")
    return str(folder / "prism")


@pytest.mark.slow
@pytest.mark.long
def test_prism_writes_the_same_rows(prism, shop, tmp_path, monkeypatch):
    check_same_rows(shop, tmp_path, ["--runner=PrismRunner", f"--prism_location={prism}"], monkeypatch)


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
    assert len(rows) == 7
    for row in rows:
        known = PipelineOptions(row).get_all_options(drop_default=True)
        assert {argument[2:].partition("=")[0] for argument in row} <= set(known)


def test_the_worker_image_has_the_beam_version_of_the_lock():
    """The program that starts workers in a container must have the version of Beam that submits the job."""
    (locked,) = re.findall(r"^apache-beam==(\S+)$", (REPOSITORY / "requirements/tfx-1.21.txt").read_text(), re.M)
    assert f"apache/beam_python3.13_sdk:{locked} " in (REPOSITORY / "Dockerfile").read_text()
