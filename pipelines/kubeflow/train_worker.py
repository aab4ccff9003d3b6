"""Worker of a distributed training: runs the Trainer alone, from examples and a transform graph that exist.

python -m pipelines.kubeflow.train_worker --config JSON --examples DIR --transform DIR --out DIR
"""

import argparse
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.utils import path_utils

from pipelines.errors import exit_code, user_message
from pipelines.training.trainer import run_fn
from tfmtl.config import ConfigError

MODEL, MODEL_RUN = "model", "model_run"
"""Names of the folders of the exported model and of the training."""
RESTART = 138
"""Exit code after which the operator of TFJob starts a worker again, as after any from 128 on."""
_LONGEST = 300
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)
"""Errors of collective operations, which other workers have if one of them is killed."""


def train(config: Mapping[str, Any], examples: str, transform: str, out: str) -> None:
    """Trains a model with `run_fn`, as one of the workers that `TF_CONFIG` lists.

    Args:
        config: Settings of the training, as `run_fn` reads them.
        examples: Folder with the folders `Split-train` and `Split-eval`, or with files `train-*` and `eval-*`.
        transform: Folder of the transform graph.
        out: Folder to which the first worker writes the folders `model` and `model_run`.

    Raises:
        ConfigError: If a folder has no such files.
    """
    if not tf.io.gfile.exists(os.path.join(transform, "transform_fn")):
        raise ConfigError(f"--transform should be the output of Transform. Received: {transform}, without transform_fn")
    run_fn(
        FnArgs(
            train_files=_files(examples, "train"),
            eval_files=_files(examples, "eval"),
            transform_output=transform,
            serving_model_dir=path_utils.serving_model_dir(os.path.join(out, MODEL)),
            model_run_dir=os.path.join(out, MODEL_RUN),
            custom_config=dict(config),
        )
    )


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, that of an error which the user can correct, or `RESTART` for a lost worker.

    Args:
        words: Arguments of the command line; None for those of the process.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("config", "examples", "transform", "out"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(words)
    try:
        train(json.loads(given.config), given.examples, given.transform, given.out)
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


def _files(examples: str, split: str) -> list[str]:
    patterns = (os.path.join(examples, f"Split-{split}", "*"), os.path.join(examples, f"{split}-*"))
    found = next(filter(None, map(tf.io.gfile.glob, patterns)), None)
    if found is None:
        expected = f"--examples should have files Split-{split}/* or {split}-*"
        raise ConfigError(f"{expected}. Received: {examples}, without them")
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
