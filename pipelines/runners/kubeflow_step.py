"""Entry of a container on Kubeflow: runs one step of the pipeline, and reports its memory and time.

The step runs in a process of its own, so that one which is killed for lack of memory is reported. Its invocation is
that of the launcher of Kubeflow Pipelines, translated by `pipelines.kubeflow.invocation`.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from pipelines.kubeflow.invocation import local_invocation, local_path, output_paths, stored_output

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT = 1 << 60
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}


def main(argv: Sequence[str]) -> int:
    """Runs a step.

    Args:
        argv: Arguments of the container.

    Returns:
        The exit code of the step; 128 plus the number of the signal if it was killed.
    """
    arguments, beam_arguments = _parser().parse_known_args(argv)
    given = json.loads(arguments.json_serialized_invocation_args)
    specs = (
        json.loads(arguments.json_serialized_inputs_spec_args),
        json.loads(arguments.json_serialized_outputs_spec_args),
    )
    local = local_invocation(given, *specs, None if arguments.keep_uris else arguments.mounts)
    wrong = [path for path in output_paths(local) if "://" in path and not path.startswith("gs://")]
    if wrong:
        expected = f"the pipeline root should be gs://, as Beam's workers of {arguments.step} write there themselves"
        print(f"Error: {expected}. Received: {wrong[0]}", file=sys.stderr)
        return 2
    for path in output_paths(local):
        if "://" not in path:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tfmtl_step_") as folder:
        written = pathlib.Path(folder, "output_metadata.json")
        local["outputs"]["outputFile"] = str(written)
        command = [sys.executable, "-W", "ignore", "-m", "pipelines.kubeflow.run_executor"]
        command += ["--executor_class_path", arguments.executor_class_path]
        command += ["--json_serialized_invocation_args", json.dumps(local)]
        command += ["--json_serialized_inputs_spec_args", arguments.json_serialized_inputs_spec_args]
        code = _run([*command, *beam_arguments], arguments.step)
        if code == 0:
            output = pathlib.Path(local_path(given["outputs"]["outputFile"], arguments.mounts))
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(json.dumps(stored_output(json.loads(written.read_text()), given, arguments.mounts)))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--step", required=True, help="Name of the step.")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    parser.add_argument("--json_serialized_outputs_spec_args", default="{}")
    parser.add_argument("--keep_uris", action="store_true", help="Beam's workers run elsewhere and need the URIs.")
    parser.add_argument("--mounts", default="/", help="Folder below which the launcher places files.")
    return parser


def _run(command: Sequence[str], step: str) -> int:
    """Runs a command, reports what it used, and returns its exit code."""
    started = time.monotonic()
    process = subprocess.Popen(command, env={**_QUIET, **os.environ})
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, peak = time.monotonic() - started, used.ru_maxrss * 1024
    usage = f"{seconds:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time, peak memory {peak / 1e9:.1f} GB"
    if process.returncode >= 0:
        print(f"{step}: {'finished' if process.returncode == 0 else 'failed'} after {usage}", flush=True)
        return process.returncode
    name = signal.Signals(-process.returncode).name
    advice = ""
    if name == "SIGKILL":
        limit = _memory_limit()
        of = f" of {limit / 1e9:.1f} GB" if limit else ""
        advice = f", most likely for lack of memory{of}: give it more with kubeflow.steps.{step}.memory"
    print(f"Error: {step} was killed by {name} after {usage}{advice}", file=sys.stderr, flush=True)
    return 128 - process.returncode


def _memory_limit() -> int | None:
    """Returns the memory limit of the container in bytes; None if there is none."""
    for path in _LIMITS:
        try:
            text = pathlib.Path(path).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
