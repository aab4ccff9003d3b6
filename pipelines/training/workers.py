"""Training by `multi_worker` in a run: each machine starts one worker, and starts it again if any of them is lost.

TensorFlow connects workers at the start of a process only, so that each worker is a process of its own. The first
machine runs the pipeline; its Trainer writes the arguments of the training to a file beside the Trainer's outputs,
where the other machines wait for it.
"""

import contextlib
import json
import os
import pathlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfx.dsl.io import fileio

from pipelines.worker_process import run_worker
from tfmtl.config import ConfigError

REQUEST = "multi_worker.json"
"""Name of the file with the arguments of a training that has begun."""
_FIELDS = (
    "train_files",
    "eval_files",
    "transform_output",
    "serving_model_dir",
    "model_run_dir",
    "base_model",
    "hyperparameters",
    "custom_config",
)
_RESTARTS = 10
_PAUSE = 3.0
"""Seconds between the end of a worker and its next start, and between two looks for the file."""
_LOST_FROM = 128
_LIBRARY_LINE = re.compile(r"WARNING|[IWEF]\d{4} ")


class WorkerError(ConfigError):
    """A training by several workers has failed.

    Args:
        message: The message.
        code: Exit code of the program.
    """

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.exit_code = code


def is_first_worker() -> bool:
    """Returns whether `TF_CONFIG` makes this process the one that runs the pipeline, the first of the workers.

    Raises:
        ConfigError: If `TF_CONFIG` does not list the workers.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        plain = json.loads(text)
        cluster, task = plain["cluster"], plain["task"]
        return bool(task["type"] == "chief" or ("chief" not in cluster and int(task["index"]) == 0))
    except (ValueError, KeyError, TypeError) as error:
        expected = "training.distribution: TF_CONFIG should list the workers of a multi-worker training"
        raise ConfigError(f"{expected} (docs/training.md). Received: {text}") from error


def train_in_worker(fn_args: Any) -> None:
    """Trains as the first worker, while the other machines train with the arguments that they find.

    Args:
        fn_args: Arguments of TFX's Trainer.

    Raises:
        WorkerError: If the training fails.
        ConfigError: If `TF_CONFIG` does not list the workers.
    """
    is_first_worker()
    arguments = {name: getattr(fn_args, name) for name in _FIELDS}
    path = _request_path(os.path.dirname(os.path.dirname(fn_args.model_run_dir.rstrip("/"))))
    _write(path, arguments)
    try:
        run_until_done(arguments)
    finally:
        _write(path, None)


@contextlib.contextmanager
def other_machines_wait(artifacts: pathlib.Path) -> Iterator[None]:
    """Context manager of the run of the first worker, after which the other machines no longer wait for a training.

    Args:
        artifacts: Folder of the artifacts of the run.
    """
    path = _request_path(str(artifacts / "Trainer"))
    if fileio.exists(path):  # Of an earlier run.
        fileio.remove(path)
    try:
        yield
    finally:
        _write(path, None)


def join_training(artifacts: pathlib.Path, settings: Mapping[str, Any]) -> bool:
    """Trains as another worker than the first, which runs the pipeline in the same run folder.

    Args:
        artifacts: Folder of the artifacts of the run.
        settings: `spec`, `model` and `training` of the settings, as plain data.

    Returns:
        True if there was a training; False if the run of the first worker ended without one.

    Raises:
        WorkerError: If the training fails.
        ConfigError: If the first worker has other settings.
    """
    path = _request_path(str(artifacts / "Trainer"))
    before = request = _read(path)
    while request is None or request["arguments"] is None:
        if request is not None and request != before:
            return False
        time.sleep(_PAUSE)
        request = _read(path)
    arguments = request["arguments"]
    for name, value in json.loads(json.dumps(settings)).items():
        if arguments["custom_config"][name] != value:
            raise ConfigError(f"{name}: should be the same on all machines. Received: other settings than {path}")
    run_until_done(arguments)
    return True


def _show(line: str) -> None:
    """Prints a line of a worker, but not those that TensorFlow writes when it connects the workers."""
    if not _LIBRARY_LINE.match(line):
        print(line, flush=True)


def run_until_done(arguments: Mapping[str, Any], write: Callable[[str], object] = _show) -> None:
    """Runs the worker of this machine, and starts it again when it or another one is lost.

    The training then continues from its newest checkpoint.

    Args:
        arguments: Arguments of the training.
        write: Function to call with each line.

    Raises:
        WorkerError: If the worker fails for another reason, or is lost too often.
    """
    for restart in range(_RESTARTS + 1):
        code, lines = run_worker("pipelines.training.worker", [], json.dumps(arguments), write)
        if code == 0:
            return
        if 0 <= code < _LOST_FROM:
            raise _failure(code, lines)
        if restart < _RESTARTS:
            write(
                f"    a worker of the training was lost: it starts again ({restart + 1} of at most {_RESTARTS} times)"
            )
            time.sleep(_PAUSE)
    raise WorkerError(
        f"training.distribution: a worker was lost {_RESTARTS + 1} times. The same command on every machine continues "
        "from the last checkpoint."
    )


def _failure(code: int, lines: list[str]) -> Exception:
    messages = [line[len("Error: ") :].strip() for line in lines if line.startswith("Error: ")]
    if messages:
        return WorkerError(messages[-1], code)
    return RuntimeError("".join(lines[-20:]))


def _request_path(trainer: str) -> str:
    return os.path.join(trainer, REQUEST)


def _read(path: str) -> dict[str, Any] | None:
    """Returns a mark of this content and the arguments, which are None after the training; None if there is no file."""
    if not fileio.exists(path):
        return None
    with fileio.open(path) as file:
        request: dict[str, Any] = json.loads(file.read())
    return request


def _write(path: str, arguments: Mapping[str, Any] | None) -> None:
    fileio.makedirs(os.path.dirname(path))
    with fileio.open(f"{path}.unfinished", "w") as file:
        file.write(json.dumps({"written": uuid.uuid4().hex, "arguments": arguments}))
    fileio.rename(f"{path}.unfinished", path, overwrite=True)
