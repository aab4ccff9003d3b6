"""Process that runs the data components of a pipeline and measures each of them (see `benchmarks.transform`)."""

import pathlib
import tempfile
import time
from typing import Any

from benchmarks.protocol import answer
from benchmarks.timing import peak_memory_mb

_START = time.monotonic()


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measures the seconds of the process, imports included, and the seconds and peak memory (MB) of each component.

    Args:
        job: `kind` (`tfmtl` or `tfx`), `settings` (a file), `log` (a folder) and `out` (a folder for artifacts).
    """
    from tfx.orchestration import metadata

    from benchmarks.tfx_default import default_pipeline
    from pipelines.beam_runner import run_in_process
    from pipelines.library_messages import log_level
    from pipelines.pipeline import create_data_pipeline
    from pipelines.progress.peak_memory import reset_peak_memory
    from pipelines.raw_log import locate_log
    from pipelines.runners.local import ReportingDagRunner
    from pipelines.settings_file import load_settings
    from tfmtl.model_inputs import vocabularies

    run_in_process()
    settings = locate_log(load_settings(job["settings"], data=job["log"]))
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}

    def on_progress(name: str, event: str) -> None:
        if event == "start":
            reset_peak_memory()
            seconds[name] = -time.monotonic()
        else:
            seconds[name] += time.monotonic()
            memory[name] = peak_memory_mb()

    with tempfile.TemporaryDirectory(dir=job["out"]) as folder:
        store = metadata.sqlite_metadata_connection_config(str(pathlib.Path(folder) / "metadata.sqlite"))
        if job["kind"] == "tfx":
            names = list(vocabularies(settings.spec))
            pipeline = default_pipeline(job["log"], names, folder, store, list(settings.beam_pipeline_args))
        else:
            pipeline = create_data_pipeline(settings, folder, metadata_connection_config=store, enable_cache=False)
        with log_level("error"):
            ReportingDagRunner(on_progress).run(pipeline)
        total = time.monotonic() - _START
    return {"kind": job["kind"], "total": total, "seconds": seconds, "memory": memory}


if __name__ == "__main__":
    answer(measure)
