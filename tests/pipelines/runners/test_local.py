"""The local runner: progress of each component, also of one that fails, and one run in ML Metadata."""

import contextlib
import signal

import pytest
from ml_metadata import MetadataStore
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipelines.interrupts import interrupts_remembered
from pipelines.library_messages import log_level
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import ReportingDagRunner, RunPaths


@component
def Write(number: OutputArtifact[standard_artifacts.Integer], value: Parameter[int]):
    """Writes a number."""
    number.value = value


@component
def Increment(number: InputArtifact[standard_artifacts.Integer], result: OutputArtifact[standard_artifacts.Integer]):
    """Adds 1 to a number; fails for negative ones."""
    number.read()
    if number.value < 0:
        raise ValueError("negative number")
    result.value = number.value + 1


def pipeline(paths, value):
    write = Write(value=value)
    first = Increment(number=write.outputs["number"]).with_id("First")
    second = Increment(number=first.outputs["result"]).with_id("Second")
    store = metadata.sqlite_metadata_connection_config(str(paths.metadata))
    components = [write, first, second]
    return Pipeline("numbers", str(paths.artifacts), store, components, enable_cache=True)


def run(paths, value, events=None):
    progress = None if events is None else lambda name, event: events.append((name, event))
    with log_level("error"):
        ReportingDagRunner(progress).run(pipeline(paths, value))


def run_count(paths):
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(paths.metadata)))
    return len(store.get_contexts_by_type("pipeline_run"))


@pytest.fixture
def paths(tmp_path):
    return RunPaths(tmp_path)


def test_reports_start_and_end_of_each_component_in_order(paths):
    events = []
    run(paths, 1, events)
    assert events == [(name, event) for name in ("Write", "First", "Second") for event in ("start", "end")]


def test_all_components_belong_to_one_run(paths):
    for runs in (1, 2):
        run(paths, runs, [])
        assert run_count(paths) == runs
        assert list(latest_run(paths.metadata).steps) == ["Write", "First", "Second"]


def test_unchanged_components_come_from_the_cache(paths):
    run(paths, 1, [])
    assert not any(step.cached for step in latest_run(paths.metadata).steps.values())
    run(paths, 1, [])
    assert all(step.cached for step in latest_run(paths.metadata).steps.values())


def test_reports_the_end_of_a_component_that_fails_and_raises_its_error(paths):
    events = []
    with pytest.raises(ValueError, match="negative number"):
        run(paths, -1, events)
    assert events == [("Write", "start"), ("Write", "end"), ("First", "start"), ("First", "end")]
    assert list(latest_run(paths.metadata).steps) == ["Write", "First"]


def test_a_swallowed_interrupt_ends_the_run_after_the_component(paths):
    """Python discards a KeyboardInterrupt that is raised in a callback of a weak reference."""

    def swallow(name, event):
        if (name, event) == ("Write", "start"):
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    with interrupts_remembered(), pytest.raises(KeyboardInterrupt), log_level("error"):
        ReportingDagRunner(swallow).run(pipeline(paths, 1))
    assert list(latest_run(paths.metadata).steps) == ["Write"]
    run(paths, 1, [])


def test_runs_without_a_progress_function(paths):
    run(paths, 1)
    assert list(latest_run(paths.metadata).steps) == ["Write", "First", "Second"]
