"""Peers of `benchmarks.scale` on its smallest log: TFX's default components, and torch-rechub's training."""

import json
import pathlib
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.protocol import run_job
from benchmarks.rivals import rival_python
from benchmarks.scale_log import SETTINGS

STEPS = {"LogExampleGen": "CsvExampleGen", "StatisticsGen": "StatisticsGen", "Transform": "Transform"}
"""TFX's default component for each data step of the package."""
Measured = Mapping[str, Any]


def measure_peers(measured: Measured, log: pathlib.Path, environment: pathlib.Path, record: pathlib.Path) -> None:
    """Measures the peers and writes the results, each of which is kept if the call is interrupted.

    Args:
        measured: Measurements of the package on the log (`benchmarks.measure_scale`).
        log: Folder of the log.
        environment: Folder of torch-rechub's environment (`benchmarks.rivals`).
        record: JSON file of the results by name: `tfx`, `tfmtl`, `shipped` and `sparse`.

    Raises:
        RuntimeError: If a peer cannot be installed or fails.
    """
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}

    def measure(name: str, module: str, job: dict[str, Any], python: str = sys.executable) -> None:
        found[name] = run_job(module, job, python)
        record.write_text(json.dumps(found), encoding="utf-8")

    with tempfile.TemporaryDirectory(dir=record.parent) as folder:
        rows = {"settings": str(SETTINGS), "rows": str(pathlib.Path(folder) / "rows.npz")}
        if not {"shipped", "sparse"} <= set(found):  # They are trained on the rows that the package writes.
            run = {"examples": measured["examples"], "transform": measured["transform"]}
            measure("tfmtl", "benchmarks.measure_epoch", {**rows, **run})
            for name in ("shipped", "sparse"):
                job = {**rows, **found["tfmtl"]["options"], "as_shipped": name == "shipped"}
                measure(name, "benchmarks.measure_rechub_epoch", job, str(rival_python(environment)))
        if "tfx" not in found:
            log_job = {"kind": "tfx", "settings": str(SETTINGS), "log": str(log), "out": folder}
            measure("tfx", "benchmarks.measure_transform", log_job)


def make_peer_table(measured: Measured, peers: Measured) -> Table:
    """Creates the table of the package's steps beside those of its peers.

    Args:
        measured: Measurements of the package, as `make_table` of `benchmarks.scale` takes them.
        peers: Results by name, as `measure_peers` writes them.
    """
    shown = Table(title=f"{measured['rows']:,} rows, beside peers", title_justify="left")
    for column in ("", "tfmtl, s", "peak GB", "peer", "peer, s", "peer, peak GB", "ratio"):
        shown.add_column(column, justify="left" if column in ("", "peer") else "right")
    own_total = peer_total = 0.0
    for own_name, peer_name in STEPS.items():
        own, seconds = measured["steps"][own_name], peers["tfx"]["seconds"][peer_name]
        own_total, peer_total = own_total + own["seconds"], peer_total + seconds
        memory = peers["tfx"]["memory"][peer_name] / 1e3
        shown.add_row(own_name, *_cells(own["seconds"], own["memory"] / 1e9, f"TFX's {peer_name}", seconds, memory))
    ratio = f"{peer_total / own_total:.1f}"
    shown.add_row("data path", f"{own_total:.1f}", "", "TFX's defaults", f"{peer_total:.1f}", "", ratio)
    shown.add_section()
    own = peers["tfmtl"]
    for name, text in (("shipped", "torch-rechub as shipped"), ("sparse", "torch-rechub, sparse Adam, own loader")):
        peer = peers[name]
        cells = _cells(own["seconds"], own["peak_mb"] / 1e3, text, peer["seconds"], peer["peak_mb"] / 1e3)
        shown.add_row(f"one epoch, {own['rows']:,} rows", *cells)
    return shown


def _cells(own: float, own_memory: float, peer: str, seconds: float, memory: float) -> list[str]:
    return [f"{own:.1f}", f"{own_memory:.1f}", peer, f"{seconds:.1f}", f"{memory:.1f}", f"{seconds / own:.1f}"]
