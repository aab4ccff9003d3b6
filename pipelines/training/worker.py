"""Process of one worker of a training by `multi_worker`: `python -m pipelines.training.worker`.

The arguments of TFX's Trainer are its input, one line of JSON; `TF_CONFIG` says which worker it is.
"""

import ctypes
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from pipelines.errors import exit_code, user_message
from pipelines.training.trainer import run_fn
from pipelines.worker_process import exit_with_parent

RESTART = 138
"""Exit code of a worker that lost another one, after which it should start again. Kubeflow's operator of TFJob does so
after any exit code from 128 on."""
_LONGEST = 300
_PR_SET_PDEATHSIG = 1
"""Request to the kernel for a signal when the parent ends."""
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)
"""Errors of collective operations, which other workers have if one of them is killed."""


def run_as_worker(train: Callable[[], object]) -> int:
    """Runs a training, and prints why it fails to the standard error.

    Args:
        train: The training.

    Returns:
        The exit code of the process: 0, that of an error which the user can correct, `RESTART` for a lost worker, or 1.
    """
    try:
        train()
    except _LOST as error:
        reason = re.search(r"Collective ops is aborted by: .*", str(error))
        text = reason[0] if reason else " ".join(str(error).split())[:_LONGEST]
        print(f"Lost another worker; this one should start again. {text}", file=sys.stderr)
        return RESTART
    except Exception as error:
        message = user_message(error)
        if message is None:
            traceback.print_exc()
            return 1
        print(f"Error: {message}", file=sys.stderr)
        return exit_code(error)
    return 0


def main() -> int:
    """Reads the arguments, trains, and returns the exit code."""
    arguments = json.loads(sys.stdin.readline())
    exit_with_parent()
    if sys.platform == "linux":  # Also while TensorFlow waits for other workers, which stops all threads of Python.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return run_as_worker(lambda: run_fn(FnArgs(**arguments)))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # The thread that waits for the end of the parent cannot be ended otherwise.
