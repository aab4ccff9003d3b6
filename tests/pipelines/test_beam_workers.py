"""Number of workers: from the size of the log and the cores, unless settings or arguments say otherwise."""

import dataclasses

import joblib
import pytest

from pipelines.beam_workers import MAX_THREADS, choose_workers, reading_threads, worker_arguments
from pipelines.components.evaluator import LogEvaluator
from pipelines.components.example_gen import LogExampleGen
from pipelines.pipeline import create_pipeline
from pipelines.raw_log import locate_log, log_bytes
from pipelines.settings_file import load_settings
from transforms.readers.divide_file import MIN_RANGE_BYTES

PROCESSES = "--direct_running_mode=multi_processing"


@pytest.mark.parametrize(
    ("ranges", "cores", "workers"), [(0, 4, 1), (1, 4, 1), (1.99, 4, 1), (2, 4, 2), (3.5, 4, 3), (100, 4, 4), (9, 1, 1)]
)
def test_a_worker_needs_a_range_and_a_core(ranges, cores, workers):
    assert choose_workers(ranges * MIN_RANGE_BYTES, cores) == workers


def test_arguments_of_threads_and_processes(monkeypatch):
    assert worker_arguments(1, 1e12) == []
    assert worker_arguments(2, 0) == ["--reading_threads=2"]
    assert worker_arguments(MAX_THREADS + 1, 0) == [PROCESSES, f"--direct_num_workers={MAX_THREADS + 1}"]
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    assert worker_arguments("auto", 1e12) == ["--reading_threads=3"]
    assert worker_arguments("auto", MIN_RANGE_BYTES) == []


def test_the_job_finds_the_number_of_threads():
    assert reading_threads(["--runner=FnApiRunner", *worker_arguments(3, 0)]) == 3
    assert reading_threads(worker_arguments(MAX_THREADS + 1, 0)) == reading_threads([]) == 1


@pytest.mark.parametrize(
    "given",
    ["--runner=FlinkRunner", "--direct_num_workers=1", "--direct_running_mode=in_memory", "--reading_threads=2"],
)
def test_arguments_of_the_settings_win(given):
    assert worker_arguments(4, 1e12, ["--temp_location=x", given]) == []
    assert worker_arguments(4, 1e12, ["--temp_location=x"])


def test_size_of_the_files_that_are_read(tmp_path):
    settings = load_settings("examples/demo.yaml", data=str(tmp_path))
    for day, count in (("2026-11-01", 10), ("2026-11-02", 200), ("2026-11-03", 3000)):
        (tmp_path / day).mkdir()
        (tmp_path / day / "log.csv").write_bytes(b"x" * count)
    data = dataclasses.replace(settings.data, pattern="{YYYY}-{MM}-{DD}/*.csv")
    located = locate_log(dataclasses.replace(settings, data=data)).data
    assert log_bytes(located, (20758, 20760)) == 3010
    assert log_bytes(dataclasses.replace(located, pattern="*/*.csv")) == 3210


def test_steps_that_process_every_row_get_the_arguments(tmp_path):
    """StatisticsGen and Transform process a sample, for which one worker is quicker."""
    settings = load_settings("examples/demo.yaml", data=str(tmp_path))
    arguments = ["--reading_threads=2"]
    pipeline = create_pipeline(settings, str(tmp_path), str(tmp_path), worker_arguments=arguments)
    changed = {
        component.id
        for component in pipeline.components
        if getattr(component.executor_spec, "beam_pipeline_args", None) == arguments
    }
    assert changed == {LogExampleGen.__name__, "Evaluator"}
    assert any(isinstance(component, LogEvaluator) for component in pipeline.components)
