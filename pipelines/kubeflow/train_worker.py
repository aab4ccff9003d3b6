"""Worker of a distributed training: runs the Trainer alone, from examples and a transform graph that exist.

python -m pipelines.kubeflow.train_worker --config JSON --examples DIR --transform DIR --out DIR
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.utils import path_utils

from pipelines.components.trainer import CHECKPOINTS
from pipelines.training.trainer import run_fn
from pipelines.training.worker import run_as_worker
from tfmtl.config import ConfigError

MODEL, MODEL_RUN = "model", "model_run"
"""Names of the folders of the exported model and of the training."""


def train(config: Mapping[str, Any], examples: str, transform: str, out: str) -> None:
    """Trains a model with `run_fn`, as one of the workers that `TF_CONFIG` lists.

    Args:
        config: Settings of the training, as `run_fn` reads them.
        examples: Folder with the folders `Split-train` and `Split-eval`, or with files `train-*` and `eval-*`.
        transform: Folder of the transform graph.
        out: Folder to which the first worker writes the folders `model` and `model_run`, and `checkpoints` while it
            trains.

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
            custom_config={CHECKPOINTS: os.path.join(out, CHECKPOINTS), **config},
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
    return run_as_worker(lambda: train(json.loads(given.config), given.examples, given.transform, given.out))


def _files(examples: str, split: str) -> list[str]:
    patterns = (os.path.join(examples, f"Split-{split}", "*"), os.path.join(examples, f"{split}-*"))
    found = next(filter(None, map(tf.io.gfile.glob, patterns)), None)
    if found is None:
        expected = f"--examples should have files Split-{split}/* or {split}-*"
        raise ConfigError(f"{expected}. Received: {examples}, without them")
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
