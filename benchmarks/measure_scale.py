"""Process that runs a pipeline from raw log to pushed model and measures each of its steps (see `benchmarks.scale`)."""

import json
import pathlib
import time
from typing import Any

from benchmarks.protocol import answer

_START = time.monotonic()
STEPS = "steps.json"


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measures seconds, peak memory and the size of the outputs of each step.

    What an interrupted call has finished is taken from the cache of the pipeline, with the measurements of that call.

    Args:
        job: `settings` (a file), `log` (a folder) and `out` (the folder of the run).
    """
    from pipelines.progress.peak_memory import peak_memory_bytes, reset_peak_memory
    from pipelines.runners.local import RunPaths, run_pipeline
    from pipelines.settings_file import load_settings

    out = pathlib.Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    record = out / STEPS
    steps: dict[str, dict[str, float]] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    steps.setdefault("imports", {"seconds": time.monotonic() - _START, "memory": float(peak_memory_bytes() or 0)})
    started: dict[str, float] = {}
    finished = set(steps)

    def on_progress(name: str, event: str) -> None:
        if event == "start":
            reset_peak_memory()
            started[name] = time.monotonic()
        elif name not in finished:
            seconds = time.monotonic() - started[name]
            steps[name] = {"seconds": seconds, "memory": float(peak_memory_bytes() or 0)}
            steps[name]["disk"] = float(_size(out / "pipeline" / name))
            record.write_text(json.dumps(steps), encoding="utf-8")
            print(f"{name}: {seconds:.1f} s", flush=True)

    run = run_pipeline(load_settings(job["settings"], data=job["log"]), RunPaths(out), on_progress)
    examples, transform = run.uri("LogExampleGen", "examples"), run.uri("Transform", "transform_graph")
    served = _size(out / "serving")
    return {"steps": steps, "blessed": run.blessed, "served": served, "examples": examples, "transform": transform}


def _size(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    answer(measure)
