"""Gates of the exported SavedModel: its graph, recorded requests through a server, size and latency."""

import math
import pathlib

from pipelines.gates.gate import FAILED, PASSED, Gate, Status
from pipelines.gates.thresholds import ExportThresholds
from serving.export_check import check_export
from serving.recorded import TOLERANCE
from serving.server_check import check_through_server

_MEGABYTE = 1e6


def export_gates(folder: str | pathlib.Path, thresholds: ExportThresholds) -> list[Gate]:
    """Returns the gates of an export.

    The graph is checked first (`serving.export_check`); an export that fails is not served. Then the embedded server
    answers the recorded requests, and its scores are compared with the recorded ones.

    Args:
        folder: Folder of the SavedModel on a local disk.
        thresholds: Requirements.
    """
    folder = pathlib.Path(folder)
    errors = check_export(folder).errors
    gates = [_gate("export", not errors, len(errors), "no error", "; ".join(errors)), _size(folder, thresholds)]
    if errors:
        return gates
    check = check_through_server(folder)
    bound = f"<= {TOLERANCE:g}"
    gates.append(_gate("scores of the server", not check.error, check.difference, bound, check.error))
    if check.median_ms is not None and not check.error:
        gates.append(_at_most("latency (ms)", check.median_ms, thresholds.max_latency_ms))
    return gates


def _size(folder: pathlib.Path, thresholds: ExportThresholds) -> Gate:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / _MEGABYTE
    return _at_most("size (MB)", size, thresholds.max_megabytes)


def _at_most(name: str, value: float, most: float | None) -> Gate:
    most = math.inf if most is None else most
    reason = f"the {name} of the export is {value:.4g}, above {most:g}"
    return _gate(name, value <= most, value, "" if math.isinf(most) else f"<= {most:g}", reason)


def _gate(name: str, passes: bool, value: float, bound: str, reason: str) -> Gate:
    status: Status = PASSED if passes else FAILED
    return Gate(name, status, value=float(value), bound=bound, reason="" if passes else reason)
